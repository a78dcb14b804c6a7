'use strict';
// Without it the form is sent as any form is. With it, the same page is asked for, and its scores
// replace those that are shown.
const form = document.getElementById('form');
const text = document.getElementById('text');
const status = document.getElementById('status');
const command = document.getElementById('command');
let running = null;
let timer = 0;

function replace(id, page) {
  document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
}

async function score(fields) {
  clearTimeout(timer);
  if (running) running.abort();
  const own = running = new AbortController();
  form.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch('./', {method: 'POST', body: fields, signal: own.signal});
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    if (!page.getElementById('status')) throw new Error(`status ${response.status}`);
    replace('status', page);
    // In place, so that the bars move.
    const bars = page.querySelectorAll('rect');
    document.querySelectorAll('rect').forEach((bar, number) => {
      bar.setAttribute('width', bars[number].getAttribute('width'));
    });
    const scores = page.querySelectorAll('td.score');
    document.querySelectorAll('td.score').forEach((cell, number) => {
      cell.textContent = scores[number].textContent;
    });
    replace('words', page);
  } catch (error) {
    if (error.name !== 'AbortError') status.textContent = 'The server did not answer: ' + error.message;
  } finally {
    if (running === own) {
      running = null;
      form.removeAttribute('aria-busy');
    }
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const example = event.submitter && event.submitter.name === 'example' ? event.submitter : null;
  if (example) text.value = example.textContent;
  const fields = new URLSearchParams(new FormData(form));
  if (text.value.trim()) score(fields);
});
text.addEventListener('input', () => {
  clearTimeout(timer);
  if (text.value.trim()) timer = setTimeout(() => form.requestSubmit(), 400);
});
// The address as this browser sees it, whatever stands in front of the server.
const here = new URL('.', location.href);
here.search = here.hash = '';
command.textContent = command.textContent.replace(command.dataset.root, here.href);
