// perspective-api-client with the one line changed that docs/migrating-from-perspective.md names.
// Usage: node perspective_api_client.js <address>. Prints the answers as JSON.
const fs = require('fs');
const Module = require('module');

function migrated(address) {
  const file = require.resolve('perspective-api-client');
  const source = fs.readFileSync(file, 'utf8');
  const changed = source.replace('https://commentanalyzer.googleapis.com', address);
  if (changed === source) throw new Error('the address is not in the client');
  const client = new Module(file, module);
  client.filename = file;
  client.paths = module.paths;
  client._compile(changed, file);
  return client.exports;
}

async function main(address) {
  const Perspective = migrated(address);
  const client = new Perspective({apiKey: 'none'});
  const answers = {};
  answers.plain = await client.analyze('You are an idiot and nobody likes you.');
  answers.attributes = await client.analyze('<b>You</b> are great.', {
    attributes: ['toxicity', 'insult'],
    stripHTML: true,
  });
  // It cuts in the middle of a surrogate pair.
  answers.cut = await client.analyze('a' + '😀'.repeat(5000), {truncate: true});
  try {
    await client.analyze('Hello.', {attributes: ['SPAM']});
  } catch (error) {
    answers.error = {status: error.response.status, message: error.message};
  }
  console.log(JSON.stringify(answers));
}

main(process.argv[2]);
