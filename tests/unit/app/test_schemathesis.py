"""schemathesis, with all of its checks, against the service over HTTP.

`scripts/test-api URL` does the same with 1,000 examples of each operation.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).with_name("schemathesis.toml")
PROGRAM = Path(sys.executable).with_name("schemathesis")
# Of each operation; most answers take longer to make than to give.
EXAMPLES = 25


def run(directory: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAM), "--config-file", str(CONFIG), "run", f"{url}/openapi.json"]
    command += ["--seed", "1", "--no-color", "--max-examples", str(EXAMPLES), *options]
    return subprocess.run(  # noqa: S603 (words of this file and an address, no shell)
        command, cwd=directory, capture_output=True, text=True, check=False
    )


def test_the_service_answers_as_its_document_says(tmp_path, serve):
    # Short texts, so that those that are too long are quickly made.
    done = run(tmp_path, serve(max_chars=200, max_texts=4))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "15 selected / 15 total" in done.stdout


def test_an_answer_that_is_not_in_the_document_is_found(tmp_path, serve, monkeypatch):
    """Proves that the test above can fail."""
    monkeypatch.setattr("tox_com_det.http.routes.limits", lambda *_: {"texts": "four"})
    done = run(tmp_path, serve(), "--include-path", "/limits")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "GET /limits" in done.stdout
