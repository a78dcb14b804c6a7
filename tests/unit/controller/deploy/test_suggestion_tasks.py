"""`fab export-suggestions` and `clear-suggestions` with the real toxctl on a fake server."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer
from real_toxctl import RealRemote

from controller.deploy.errors import DeployError
from controller.deploy.remote import Remote
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.tasks import suggestions
from controller.scores.table import read_labelled
from controller.scores.texts import read_texts

REPORT: dict[str, Any] = {
    "stored": 3, "bytes": 700_000, "oldest": None, "on": True, "max_mb": 200, "days": 0,
}  # fmt: skip
ROWS = [
    ["comment_text", "toxic", "insult", "other_scores"],
    ['a "b",\nc\r\n', "1", "", ""],
    ["é\u2028 \ufffd", "0", "1", '{"SPAM": {}}'],
    ["plain", "", "0", ""],
]


class App:
    """What the app's module prints on the fake server, and with what it was called."""

    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake
        self.set()

    def set(
        self, rows: int = 3, told: int = 3, code: int = 0, meanwhile: str = ":", **report: Any
    ) -> None:
        root = self.fake.root
        (root / "report").write_text(json.dumps({**REPORT, **report}) + "\n")
        lines: list[dict[str, Any]] = [
            {"columns": ROWS[0]},
            *({"row": row} for row in ROWS[1 : rows + 1]),
        ]
        ended = [{"error": "MongoDB at h does not answer", "kind": "database"}]
        lines += ended if code else [{"rows": told}]
        (root / "lines").write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.fake.answers(
            "suggestions",
            f'echo "$3" >> {root}/called\n'
            f'case "$3" in --export) cat {root}/lines; {meanwhile}; exit {code} ;;'
            f" --clear) echo '{{\"cleared\": 3}}' ;; *) cat {root}/report ;; esac",
        )

    @property
    def called(self) -> list[str]:
        path = self.fake.root / "called"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeServer]:
    fake = FakeServer(tmp_path / "server")
    fake.make_live("one")
    yield fake
    fake.close()


@pytest.fixture
def app(fake: FakeServer) -> App:
    return App(fake)


@pytest.fixture
def server(fake: FakeServer) -> Server:
    remote: Remote = RealRemote(fake)
    return Server(remote)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    directory.mkdir()
    return directory / "suggestions.csv"


def left(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


@pytest.mark.usefixtures("app")
def test_the_file_has_every_row_and_only_its_owner_reads_it(
    server: Server, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suggestions.export_to(str(out), force=False)(server) is True
    with out.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == ROWS
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert left(out) == [out.name]
    assert f"nanode: 3 suggestions written to {out}" in capsys.readouterr().out


@pytest.mark.usefixtures("app")
def test_the_file_is_what_the_tasks_with_labelled_comments_read(server: Server, out: Path) -> None:
    suggestions.Export(out)(server)
    assert len(read_texts(out)) == 3
    found = read_labelled(out, None, ["toxic", "insult", "threat"])
    assert found[ROWS[1][0]] == {"toxic": True}
    assert found["plain"] == {"insult": False}


def test_a_file_that_exists_is_not_replaced_without_force(
    server: Server, app: App, out: Path
) -> None:
    out.write_text("mine")
    with pytest.raises(DeployError, match="exists: name another --out, or replace it with --force"):
        suggestions.export_to(str(out), force=False)
    assert app.called == []
    export = suggestions.export_to(str(out), force=True)
    export(server)
    assert len(list(csv.reader(io.StringIO(out.read_text(), newline="")))) == 4


def test_a_file_that_appears_meanwhile_is_not_replaced(server: Server, app: App, out: Path) -> None:
    app.set(meanwhile=f"echo mine > {out}")
    with pytest.raises(DeployError, match="exists: name another --out"):
        suggestions.Export(out)(server)
    assert out.read_text() == "mine\n"
    assert left(out) == [out.name]


def test_a_second_server_does_not_replace_the_file_of_the_first(
    server: Server, app: App, out: Path
) -> None:
    export = suggestions.Export(out, force=True)
    export(server)
    app.set(rows=1, told=1)
    with pytest.raises(DeployError, match="has the suggestions of nanode: export one server at a"):
        export(server)
    assert out.read_text().count("plain") == 1


def test_an_export_that_breaks_off_leaves_nothing(server: Server, app: App, out: Path) -> None:
    app.set(code=1)
    with pytest.raises(ToxctlError, match="MongoDB at h does not answer"):
        suggestions.Export(out)(server)
    app.set(rows=2)
    with pytest.raises(DeployError, match="nanode sent 2 of 3 suggestions, nothing was written"):
        suggestions.Export(out)(server)
    out.write_text("mine")
    with pytest.raises(DeployError, match="nothing was written"):
        suggestions.Export(out, force=True)(server)
    assert out.read_text() == "mine"
    assert left(out) == [out.name]


@pytest.mark.parametrize(
    ("on", "words"),
    [
        (True, "nanode: no suggestion is stored yet"),
        (False, "set flask_app_perspective_store_suggestions to true, then run `ansible-playbook"),
    ],
)
def test_without_suggestions_one_line_says_why(
    server: Server, app: App, out: Path, on: bool, words: str
) -> None:
    app.set(stored=0, on=on)
    with pytest.raises(DeployError) as caught:
        suggestions.Export(out)(server)
    assert words in str(caught.value)
    assert left(out) == []


def test_what_was_stored_before_it_was_switched_off_is_exported(
    server: Server, app: App, out: Path
) -> None:
    app.set(on=False)
    assert suggestions.Export(out)(server)
    assert out.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "`fab export-suggestions --out FILE`"),
        ("missing/file.csv", "is no directory: make it, or name another --out"),
        (".", "is a directory: name a file with --out"),
        ("~nobody_of_this_name/x", "there is no user"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeployError, match=words):
        suggestions.export_to(given, force=False)


def test_dry_runs_ask_nothing(
    server: Server, app: App, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suggestions.Export(out)(server, dry_run=True) is False
    assert suggestions.clear_suggestions(server, yes=True, dry_run=True) is False
    said = capsys.readouterr().out
    assert "toxctl --json suggestions --export" in said
    assert "toxctl --json suggestions --clear" in said
    assert app.called == []
    assert left(out) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "clears"), [("clear", True), ("y", False), ("", False)])
def test_clearing_asks_for_a_word(
    server: Server,
    app: App,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    clears: bool,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    assert suggestions.clear_suggestions(server) is clears
    said = capsys.readouterr().out
    assert "type clear to remove 3 suggestions (0.7 MB) for good" in said
    assert ("3 suggestions removed" in said, "nothing was removed" in said) == (clears, not clears)
    assert ("--clear" in app.called) is clears


def test_clearing_without_a_terminal_needs_yes(
    server: Server, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(DeployError, match="`fab clear-suggestions --yes`"):
        suggestions.clear_suggestions(server)
    assert "--clear" not in app.called
    assert suggestions.clear_suggestions(server, yes=True) is True


def test_nothing_stored_is_nothing_to_clear(
    server: Server, app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    app.set(stored=0)
    assert suggestions.clear_suggestions(server, yes=True) is False
    assert "nothing to remove" in capsys.readouterr().out
    assert "--clear" not in app.called
