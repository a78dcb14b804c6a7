"""The page for people at `GET /`: one file, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
textarea, button { font: inherit; }
textarea { width: 100%; box-sizing: border-box; }
button { padding: .3rem 1rem; margin-top: .5rem; }
pre { overflow-x: auto; padding: .5rem; border: 1px solid; }
th { text-align: left; font-weight: normal; padding-right: 2rem; }
td { text-align: right; font-variant-numeric: tabular-nums; }
meter { width: 10rem; }
"""

_SCRIPT = """
'use strict';
const form = document.getElementById('form');
const button = form.querySelector('button');
const status = document.getElementById('status');
const table = document.getElementById('scores');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  status.textContent = 'Asking ...';
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
      + `${answer.words.used} used.`;
  } catch (error) {
    status.textContent = 'The server did not answer: ' + error.message;
  } finally {
    button.disabled = false;
  }
});
"""


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


CONTENT_SECURITY_POLICY = (
    "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    f" frame-ancestors 'none'; script-src {_source(_SCRIPT)}; style-src {_source(_STYLE)}"
)


def render_page(url: str, model: str, name: str, labels: tuple[str, ...], max_chars: int) -> str:
    """The HTML page.

    Args:
        url: address of the service with a slash at its end, for the curl example.
        model: model version.
        name: the model's name.
        labels: what is scored.
        max_chars: longest text taken.
    """
    body = '{"text": "you are great"}'
    command = f"curl {url}predict -H 'Content-Type: application/json' -d '{body}'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Toxic comment detector</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Toxic comment detector</h1>
<p>Scores a comment from 0 to 1 for {escape(", ".join(labels))}.</p>
<form id="form">
<label for="text">Comment</label>
<textarea id="text" name="text" rows="4" maxlength="{max_chars}" required
 aria-describedby="note"></textarea>
<p id="note">The text goes to this server only and is not kept.</p>
<button type="submit">Score it</button>
</form>
<noscript><p>The form needs JavaScript; the command below does not.</p></noscript>
<p id="status" role="status" aria-live="polite"></p>
<table id="scores" hidden>
<caption>Scores</caption>
<thead><tr><th scope="col">Label</th><th scope="col">Score</th><td></td></tr></thead>
<tbody></tbody>
</table>
<h2>From a program</h2>
<pre><code>{escape(command)}</code></pre>
<ul>
<li><a href="readyz">readyz</a>: whether the service is ready, and why not</li>
<li><a href="livez">livez</a>: whether the process runs</li>
<li><a href="load-model">load-model</a>: the network's architecture</li>
<li><a href="test">test</a>: a greeting</li>
</ul>
<p>Model <code>{escape(name)}</code>, version <code>{escape(model)}</code>.
A score is a program's guess, not a judgement.</p>
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""
