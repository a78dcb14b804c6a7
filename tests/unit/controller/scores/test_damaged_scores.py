"""Files of scores that are damaged: nothing that was collected is removed without a word."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from controller.deploy.errors import DeployError
from controller.scores.csv_rows import Unreadable, header, parse
from controller.scores.pairs import HEADER, Pairs
from controller.scores.table import read_scores

# More than the csv module reads unless it is told to.
LONG = "word " * 30_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Scores of fifty texts, the first of which needs quotation marks."""
    path = tmp_path / "pairs.csv"
    texts = ["a, \u00e9", *(f"text {number}" for number in range(49))]
    Pairs(path).add([(text, "TOXICITY", "0.25", "") for text in texts])
    return path


def beside(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir() if one != path)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("\u00e9", "\udce9", "line 2 cannot be read (not UTF-8: byte 0xe9)"),
        ('"a, \u00e9"', '"a, "\u00e9"', "line 2 cannot be read ("),
        ('"a, \u00e9"', "a, \u00e9", "line 2 has 5 cells, the header has 4"),
        ("text 3,", '"text 3,', "line 6 cannot be read (unexpected end of data)"),
        ("text 3,TOXICITY,", "text 3,", "line 6 has 3 cells, the header has 4"),
        ("text 48,TOXICITY,", "text 48,", "line 51 has 3 cells, the header has 4"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_damaged_row_is_named_and_the_file_is_as_it_was(
    path: Path, before: str, after: str, words: str, dry_run: bool
):
    content = path.read_bytes()
    damaged = content.replace(before.encode(), after.encode("utf-8", "surrogateescape"))
    assert damaged != content
    path.write_bytes(damaged)
    with pytest.raises(DeployError) as raised:
        Pairs(path, dry_run=dry_run)
    assert str(raised.value).startswith(f"{path}: {words}")
    assert str(raised.value).endswith(": correct it, or choose another --out; nothing was changed")
    assert path.read_bytes() == damaged
    assert beside(path) == []


@pytest.mark.parametrize("content", [b"hello", b"\xff\xfe", b'"a\nb\n', b"\xe9\nb\n", b"a\rb\r"])
def test_a_file_of_another_kind_is_as_it_was(path: Path, content: bytes):
    for other in (content, path.read_bytes().replace(b"\r\n", b"\r")):
        path.write_bytes(other)
        with pytest.raises(DeployError, match="not a file of collected scores"):
            Pairs(path)
        assert path.read_bytes() == other


def test_a_cut_row_is_kept_beside_the_file(path: Path, capsys: pytest.CaptureFixture[str]):
    whole = path.read_bytes()
    for tail in (b'"two\nli', b"three,TOX"):
        path.write_bytes(whole + tail)
        before = Pairs(path, dry_run=True)
        assert path.read_bytes() == whole + tail
        assert before.missing("text 48", ["TOXICITY"]) == []
        Pairs(path)
        assert path.read_bytes() == whole
        assert capsys.readouterr().out == (
            f"{path}: its last row was half written: its {len(tail)} bytes are now in "
            "pairs.csv.cut, its text is asked for again\n"
        )
    assert path.with_name("pairs.csv.cut").read_bytes() == b'"two\nlithree,TOX'


@pytest.mark.parametrize("kept", range(len(",".join(HEADER)) + 2))
def test_a_cut_header_is_written_again(tmp_path: Path, kept: int):
    path = tmp_path / "pairs.csv"
    path.write_bytes(f"{','.join(HEADER)}\r\n".encode()[:kept])
    Pairs(path)
    assert path.read_bytes() == f"{','.join(HEADER)}\r\n".encode()
    assert beside(path) == []


def test_a_comment_of_any_length_stays(path: Path, capsys: pytest.CaptureFixture[str]):
    limit = csv.field_size_limit()
    Pairs(path).add_scores(LONG, {"TOXICITY": 0.5})
    Pairs(path).add_scores("behind it", {"TOXICITY": 0.75})
    content = path.read_bytes()
    again = Pairs(path)
    assert path.read_bytes() == content
    assert again.missing(LONG, ["TOXICITY"]) == again.missing("behind it", ["TOXICITY"]) == []
    assert read_scores(path)[LONG] == {"TOXICITY": 0.5}
    assert read_scores(path)["behind it"] == {"TOXICITY": 0.75}
    assert capsys.readouterr().out == ""
    assert csv.field_size_limit() == limit


def test_rows_have_the_line_where_they_begin():
    text = 'a,b\n\n"1\n2",3\r\n4,5'
    assert parse(text) == ([(1, ["a", "b"]), (3, ["1\n2", "3"]), (5, ["4", "5"])], len(text))
    assert header(text) == ["a", "b"]
    assert header("\n\r\na,b\n") == ["a", "b"]
    assert header("\n\n") == []
    assert header("x" * 200_000 + ",b") == ["x" * 200_000, "b"]
    with pytest.raises(Unreadable, match="line 3 has 1 cells, the header has 2: put texts with"):
        parse("a,b\n1,2\n3\n")


@pytest.mark.parametrize("tail", ["4", '"4', '"4\n5', '"4\n5,0.1'])
def test_only_where_a_task_appends_may_the_last_row_be_half_written(tail: str):
    text = "a,b\n1,2\n"
    assert parse(text + tail, score=1) == ([(1, ["a", "b"]), (2, ["1", "2"])], len(text))
    with pytest.raises(Unreadable, match="line 3"):
        parse(text + tail)


@pytest.mark.parametrize("tail", ["4\n", "4,5,6", '"4\n5,0.1\n', '"4" ', '"4" ,\n'])
def test_what_is_not_half_written_is_refused(tail: str):
    with pytest.raises(Unreadable, match="line 3"):
        parse("a,b\n1,2\n" + tail, score=1)
