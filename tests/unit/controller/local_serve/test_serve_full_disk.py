"""A disk that is full under `make serve` is one line that names the next command."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from controller.local_serve import __main__ as program


@pytest.mark.parametrize("file", [None, "/x/log"])
def test_what_the_system_refuses_names_the_next_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    file: str | None,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), file)

    monkeypatch.setattr(program, "serve", full)
    assert program.main(["--state", str(tmp_path)]) == 1
    where = f"{file}: " if file else ""
    line = f"serve: {where}No space left on device: fix it, then rerun `make serve`\n"
    assert capsys.readouterr().err == line
