"""`fab collect-scores`: resumable, at the allowed rate, and without the key in any output."""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in import KEY, StandIn, running

from controller.deploy.errors import DeployError
from controller.scores.collect import Collected, collect
from controller.scores.google import Perspective, read_key
from controller.scores.pairs import HEADER, Pairs
from controller.scores.texts import read_texts

NAMES = ["TOXICITY", "INSULT"]
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def google() -> Iterator[StandIn]:
    with running() as stand_in:
        yield stand_in


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "scores/pairs.csv"


class Clock:
    """Records what is waited for, and waits for nothing."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


def run(
    google: StandIn,
    out: Path,
    texts: list[str],
    *,
    key: str = KEY,
    rate: float = 1.0,
    clock: Clock | None = None,
) -> Collected:
    perspective = Perspective(google.address + "/", key)
    return collect(perspective, Pairs(out), texts, NAMES, "en", rate, clock or Clock())


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *found = csv.reader(file)
    assert header == list(HEADER)
    return found


def test_text_attribute_and_score_are_stored(google: StandIn, out: Path):
    assert run(google, out, ["one", 'a "b",\r\n\rc 😀']) == Collected(scored=2)
    assert rows(out) == [
        ["one", "TOXICITY", "0.003", ""],
        ["one", "INSULT", "0.003", ""],
        ['a "b",\r\n\rc 😀', "TOXICITY", "0.012", ""],
        ['a "b",\r\n\rc 😀', "INSULT", "0.012", ""],
    ]


def test_it_continues_where_it_stopped(google: StandIn, out: Path):
    texts = ["one", "two\nlines, \r", "three"]
    run(google, out, texts[:2])
    asked = len(google.asked)
    assert run(google, out, texts) == Collected(scored=1, before=2)
    assert google.asked[asked:] == [("three", NAMES)]


@pytest.mark.parametrize("kept", range(1, 40))
def test_a_killed_write_leaves_a_file_that_can_be_continued(google: StandIn, out: Path, kept: int):
    texts = ["one", 'two\nlines, "x"']
    run(google, out, texts)
    whole = out.read_bytes()
    out.write_bytes(whole[:-kept])
    run(google, out, texts)
    assert out.read_bytes() == whole


def test_only_missing_attributes_are_asked_for(google: StandIn, out: Path):
    run(google, out, ["one"])
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:2]))
    run(google, out, ["one"])
    assert google.asked[-1] == ("one", ["INSULT"])


def test_a_refused_text_is_kept_with_its_reason_and_not_asked_again(google: StandIn, out: Path):
    assert run(google, out, ["foreign", "x"]) == Collected(scored=1, refused=1)
    assert rows(out)[0] == ["foreign", "TOXICITY", "", "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"]
    asked = len(google.asked)
    assert run(google, out, ["foreign", "x"]).before == 2
    assert len(google.asked) == asked


def test_the_rate_is_kept_and_refusals_are_waited_for(
    google: StandIn, out: Path, capsys: pytest.CaptureFixture[str]
):
    google.planned = [(429, {}, {"Retry-After": "7"}), (503, b"x", {}), None, (429, {}, {})]
    clock = Clock()
    assert run(google, out, ["one", "two"], rate=0.5, clock=clock).scored == 2
    assert clock.pauses[:4] == [7.0, 2.0, 4.0, 8.0]
    assert 0 <= clock.pauses[4] <= 2.0
    assert len(clock.pauses) == 5
    said = capsys.readouterr().out
    for words in ("HTTP 429: asking again in 7 s", "does not answer (ConnectionError): asking ag"):
        assert words in said


def test_an_address_that_nobody_has_ends_at_once(out: Path):
    clock = Clock()
    for address in ("http://[::1", "http://a:b", "http://127.0.0.1:99999"):
        with pytest.raises(DeployError, match=r"cannot be asked .*: check --address"):
            collect(Perspective(address, KEY), Pairs(out), ["a"], NAMES, "en", 1, clock)
    assert clock.pauses == []


def test_what_was_collected_before_google_went_away_is_kept(google: StandIn, out: Path):
    run(google, out, ["one"])
    google.planned = [(503, {}, {})] * 100
    with pytest.raises(DeployError, match="HTTP 503 8 times in a row: rerun `fab collect-scores`"):
        run(google, out, ["one", "two"])
    assert len(rows(out)) == 2


@pytest.mark.parametrize(
    ("planned", "words"),
    [
        (
            (403, {"error": {"message": "Forbidden\nx"}}, {}),
            "refuses the request: Forbidden: check",
        ),
        ((302, {}, {"Location": "http://127.0.0.1:1/"}), "refuses the request: HTTP 302"),
        ((200, b"<html>", {}), "does not answer as Perspective does"),
        ((200, {"attributeScores": {"TOXICITY": {}}}, {}), "does not answer as Perspective does"),
        ((400, {"error": "x"}, {}), "refuses the request: HTTP 400"),
    ],
)
def test_what_no_patience_mends_ends_at_once(
    google: StandIn, out: Path, planned: tuple, words: str
):
    google.planned = [planned]
    with pytest.raises(DeployError, match=words):
        run(google, out, ["one"])
    assert len(google.asked) == 1
    assert rows(out) == []


def test_another_file_is_not_touched(google: StandIn, tmp_path: Path):
    other = tmp_path / "comments.csv"
    other.write_text("id,text\n1,hello\n")
    with pytest.raises(DeployError, match="not a file of collected scores"):
        run(google, other, ["one"])
    assert other.read_text() == "id,text\n1,hello\n"


def test_a_full_disk_loses_nothing_that_was_collected(google: StandIn, out: Path):
    run(google, out, ["one"])
    before = out.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
    try:
        with pytest.raises(DeployError, match="what was collected is kept"):
            run(google, out, ["two"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert out.read_bytes() == before


# --- the command ---------------------------------------------------------------------------------


def fab(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [Path(sys.executable).with_name("fab"), "collect-scores", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_collects_and_never_shows_the_key(google: StandIn, out: Path, tmp_path: Path):
    (tmp_path / "texts.csv").write_text("id,comment_text\n1,you are\n2,\n3,great\n")
    (tmp_path / "key").write_text(KEY + "\n")
    options = ["--texts", str(tmp_path / "texts.csv"), "--out", str(out)]
    options += ["--google-key-file", str(tmp_path / "key"), "--address", google.address]
    planned = fab(*options, "--dry-run")
    assert planned.stdout == f"would ask {google.address} for 2 of 2 comments, 1 per second\n"
    assert not google.asked
    assert not out.parent.exists()
    done = fab(*options, "--rate", "100", "--attributes", "TOXICITY")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 comments scored, 0 refused, 0 were there before: ")
    google.planned = [(403, {"error": {"message": "Forbidden"}}, {})]
    failed = fab(*options)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"error: {google.address} refuses the request: Forbidden")
    assert KEY not in done.stdout + done.stderr + failed.stdout + failed.stderr + out.read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "name the comments and the key"),
        (["--texts", "absent"], "name the comments and the key"),
        (["--texts", "absent", "--google-key-file", "absent"], "absent: No such file"),
        (["--texts", "README.md", "--google-key-file", "README.md"], "expected Google's API key"),
        (
            ["--texts", "x", "--google-key-file", "x", "--attributes", "toxicity"],
            "--attributes is toxicity",
        ),
        (["--texts", "x", "--google-key-file", "x", "--address", "google"], "--address is google"),
        (["--texts", "x", "--google-key-file", "x", "--address", "http://["], "--address is http"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], words: str):
    done = fab(*options)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- files ---------------------------------------------------------------------------------------


def test_texts_are_lines_or_a_column(tmp_path: Path):
    lines, table = tmp_path / "a.txt", tmp_path / "b.tsv"
    lines.write_text("\ufeffone\n\n  \ntwo, 3\none\n", encoding="utf-8")
    assert read_texts(lines) == ["one", "two, 3"]
    table.write_text('id\tbody\tx\n1\t"two\nlines"\t5\n2\tb\t\n')
    assert read_texts(table) == ["two\nlines", "b"]
    assert read_texts(table, "x") == ["5"]
    long = "word " * 30_000
    table.write_text(f"text\n{long}\n\nb\n")
    assert read_texts(table) == [long, "b"]


@pytest.mark.parametrize(
    ("name", "content", "column", "words"),
    [
        ("a.txt", b"\n \n", None, "contains no comment"),
        ("a.txt", b"\xff", None, "not UTF-8"),
        ("a.csv", b"", None, "no column text among none"),
        ("a.csv", b"id,x\n1,2\n", None, "no column text among id, x: name it with --column"),
        ("a.csv", b"text\n1\n", "y", "no column y among text"),
        ("a.csv", b"text\nyou are, a\nb\n", None, "line 2 has 2 cells, the header has 1: put"),
        ("a.csv", b"id,text\n1,a\n2\n", None, "line 3 has 1 cells, the header has 2: put texts"),
        ("a.csv", b'text\na\n"b\nc\n', None, "line 3 cannot be read .*correct the quotation"),
        ("a.tsv", b'id\ttext\n1\t"b" c\n', None, "line 2 cannot be read .*correct the quotation"),
    ],
)
def test_files_that_are_no_comments(
    tmp_path: Path, name: str, content: bytes, column: str | None, words: str
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DeployError, match=words):
        read_texts(tmp_path / name, column)


@pytest.mark.parametrize("content", ["", "two words", "kéy", "a\x00b"])
def test_a_key_is_one_word(tmp_path: Path, content: str):
    (tmp_path / "key").write_text(content)
    with pytest.raises(DeployError, match="expected Google's API key") as raised:
        read_key(tmp_path / "key")
    assert not content or content not in str(raised.value)
