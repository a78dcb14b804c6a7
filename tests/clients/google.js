// As conversationai-moderator asks: a client made from our discovery document.
// Usage: node google.js <address>. Prints the answers as JSON.
const {google} = require('googleapis');

const COMMENT = {text: 'You are an idiot. Nobody likes you. 😀 Have a nice day.', type: 'PLAIN_TEXT'};

async function main(address) {
  const client = await google.discoverAPI(`${address}/$discovery/rest?version=v1alpha1`);
  const analyze = resource => client.comments.analyze({key: 'none', resource});
  const answers = {};
  answers.analyze = (await analyze({
    comment: COMMENT,
    context: {entries: [{text: 'An article.'}]},
    requestedAttributes: {
      TOXICITY: {scoreType: 'PROBABILITY'},
      INSULT: {},
      THREAT: {scoreThreshold: 1},
      SPAM: {},
    },
    dropUnsupportedAttributes: true,
    languages: ['en'],
    clientToken: 'token 1',
    spanAnnotations: true,
  })).data;
  answers.suggest = (await client.comments.suggestscore({
    key: 'none',
    resource: {
      comment: COMMENT,
      attributeScores: {TOXICITY: {summaryScore: {value: 1, type: 'PROBABILITY'}}},
      clientToken: 'token 2',
    },
  })).data;
  try {
    await analyze({comment: {text: ''}, requestedAttributes: {TOXICITY: {}}});
  } catch (error) {
    answers.error = {status: error.status, message: error.message};
  }
  console.log(JSON.stringify(answers));
}

main(process.argv[2]);
