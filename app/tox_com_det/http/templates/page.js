'use strict';
const form = document.getElementById('form');
const button = form.querySelector('button');
const status = document.getElementById('status');
const table = document.getElementById('scores');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  status.textContent = 'Scoring ...';
  table.hidden = true;
  try {
    const response = await fetch('predict', {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({text: document.getElementById('text').value}),
    });
    const answer = await response.json();
    if (!response.ok) {
      status.textContent = answer.error.message;
      return;
    }
    const rows = Object.entries(answer.scores).map(([label, score]) => {
      const row = document.createElement('tr');
      const name = document.createElement('th');
      name.scope = 'row';
      name.textContent = label;
      const value = document.createElement('td');
      value.textContent = score.toFixed(4);
      const bar = document.createElement('td');
      const meter = document.createElement('meter');
      meter.value = score;
      meter.setAttribute('aria-hidden', 'true');
      bar.append(meter);
      row.append(name, value, bar);
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
    table.hidden = false;
    status.textContent = `${answer.words.known} words known, ${answer.words.unknown} unknown, `
      + `${answer.words.used} used, ${answer.words.cut || 0} cut off.`;
  } catch (error) {
    status.textContent = 'The server did not answer: ' + error.message;
  } finally {
    button.disabled = false;
  }
});
