"""Comments of a CSV: what is read, what is left out with a line, what is refused with one."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from made_up import write_comments

from controller.model_train.data import Comments, check, read_comments
from controller.model_train.errors import TrainError
from controller.model_train.split import part


def read(path: Path, text: str | bytes, *labels: str, **more: str) -> tuple[Comments, tuple, list]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    lines: list[str] = []
    comments, names = read_comments(path, labels, say=lines.append, **more)
    return comments, names, lines


def refused(path: Path, text: str | bytes, *labels: str, **more: str) -> str:
    with pytest.raises(TrainError) as caught:
        read(path, text, *labels, **more)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mine.csv"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_dialect_is_read(
    path: Path, delimiter: str, end: str, start: str, packed: bool
) -> None:
    rows = (("id", "comment_text", "toxic"), ("7", f'"a{delimiter}\n""b"""', "1"), ("8", "c", "0"))
    text = start + end.join(delimiter.join(row) for row in rows) + end
    comments, names, _ = read(path, gzip.compress(text.encode()) if packed else text)
    assert names == ("toxic",)
    assert comments.texts == [f'a{delimiter}\n"b"', "c"]
    assert comments.targets.tolist() == [[1], [0]]


def test_labels_are_numbers_from_0_to_1_or_empty(path: Path) -> None:
    comments, names, _ = read(path, "comment_text,a,b\nx,0.25,\ny,,1\n")
    assert names == ("a", "b")
    assert np.array_equal(comments.targets, [[0.25, np.nan], [np.nan, 1]], equal_nan=True)


def test_what_is_left_out_is_said(path: Path) -> None:
    comments, _, lines = read(path, "comment_text,a,when\nx,1,2019\n  ,1,2020\ny,,2021\nx,0,2019\n")
    assert comments.texts == ["x"]
    assert comments.targets.tolist() == [[0.5]]
    assert [line.partition(": ")[2] for line in lines] == [
        "no labels (numbers from 0 to 1): when",
        "1 rows without a text are left out",
        "1 rows without any label are left out",
        "1 rows repeat a text: each text counts once, with the mean of its labels",
    ]


def test_chosen_labels_and_column(path: Path) -> None:
    comments, names, lines = read(path, "body,a,b\nx,1,0\n", "b", column="body")
    assert (names, comments.targets.tolist(), lines) == (("b",), [[0]], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column comment_text in its first line (empty): name the column of the comments"),
        ("text,a\nx,1\n", "no column comment_text in its first line (text,a): name the column"),
        ("x" * 200_000, f"no column comment_text in its first line ({'x' * 60}): name the column"),
        ("comment_text,a,a\nx,1,1\n", "its header has 'a' more than once: rename one"),
        ("comment_text\nx\n", "no column of labels: add a column of 0 and 1"),
        ("comment_text,a\n", "no column of labels: add a column of 0 and 1"),
        ("comment_text,a\n,1\n", "no row has a text and a label"),
        ("comment_text,a\nx,1\ny,yes\nz,0\n", "line 3: a is 'yes', expected a number from 0 to 1"),
        ("comment_text,a\nx,1\ny,nan\nz,0\n", "line 3: a is 'nan', expected a number from 0 to 1"),
        ('comment_text,a\n"x\nx",1\ny,z,0\n', "line 4 has 3 cells, the header has 2: put texts"),
        ('comment_text,a\nx,1\n"y,0\n', "not a CSV file from line 3 on"),
        (b"comment_text,a\nx,1\nsch\xf6n,0\n", "line 3 is not UTF-8 (byte 0xf6): if it was saved"),
        ("comment_text,a\nx,1\n".encode("utf-16"), "UTF-16, not UTF-8: convert it with `iconv"),
        (b"\x1f\x8b\x08cut", "cannot be unpacked"),
    ],
)
def test_unreadable_file_is_one_line(path: Path, text: str | bytes, words: str) -> None:
    assert words in refused(path, text)


def test_missing_file_and_unknown_label_are_one_line(path: Path) -> None:
    with pytest.raises(TrainError, match=r"mine\.csv: No such file or directory: name a CSV"):
        read_comments(path)
    words = refused(path, "comment_text,a,b\nx,1,0\n", "a", "c")
    assert words.endswith("no column c for --labels: it has a, b")


def test_comment_longer_than_the_csv_modules_limit_is_read(path: Path) -> None:
    comments, _, _ = read(path, f"comment_text,a\n{'x' * 200_000},1\n")
    assert len(comments.texts[0]) == 200_000


def made(positives: int, rows: int) -> Comments:
    targets = np.zeros((rows, 2), np.float32)
    targets[:positives, 0] = targets[: rows // 2, 1] = 1
    return Comments([f"text {one}" for one in range(rows)], targets, np.ones(rows, np.float32))


def test_too_few_comments_are_refused() -> None:
    with pytest.raises(TrainError, match="here: 99 comments are too few, at least 100 are needed"):
        check(made(30, 99), ("a", "b"), "here")
    check(made(30, 100), ("a", "b"), "here")


@pytest.mark.parametrize("positives", [0, 9, 191])
def test_label_of_one_class_is_refused_with_the_command_that_leaves_it_out(positives: int) -> None:
    words = rf"a \({positives} with it, {200 - positives} without\); .* with --labels b$"
    with pytest.raises(TrainError, match=words):
        check(made(positives, 200), ("a", "b"), "here")
    check(made(10, 200), ("a", "b"), "here")


def test_parts_are_apart_and_have_some_of_each_label(tmp_path: Path) -> None:
    comments, _ = read_comments(write_comments(tmp_path / "made.csv"), say=lambda line: None)
    parts = part(comments, seed=1)
    texts = [set(one.texts) for one in (parts.training, parts.validation, parts.held_out)]
    assert [len(one) for one in texts] == [318, 41, 41]
    assert len(set.union(*texts)) == 400
    for one in (parts.training, parts.validation, parts.held_out):
        assert (one.targets.sum(axis=0) > 0).all()
    assert part(comments, seed=1).held_out.texts == parts.held_out.texts
    assert part(comments, seed=2).held_out.texts != parts.held_out.texts
