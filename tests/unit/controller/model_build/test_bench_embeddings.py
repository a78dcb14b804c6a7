"""`bench/embeddings` measures all three ways and writes its table between the markers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[4] / "bench" / "embeddings"
BEGIN, END = "<!-- bench/embeddings: begin -->", "<!-- bench/embeddings: end -->"


def test_table_is_written_between_the_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nearlier table\n{END}\nafter\n")
    options = ["--words", "300", "--dimension", "8", "--slice", "100", "--docs", str(page)]
    done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [sys.executable, str(BENCH), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| | the article's way (scaled) | this project |")
    assert text.endswith(f"\n{END}\nafter\n")
    for row in ("build", "size", "load on the server", "memory of a worker", "40 words, cold"):
        assert f"\n| {row} | " in text
    assert "the vectors were bit-exact." in text
    assert "earlier table" not in text
