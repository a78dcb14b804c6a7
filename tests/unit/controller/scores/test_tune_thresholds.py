"""`fab tune-thresholds`: precision, recall and flagged share of labelled comments."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_service import LocalService, comments, running

from controller.deploy.errors import DeployError
from controller.deploy.tasks.tune_thresholds import tune_thresholds
from controller.scores.table import read_labelled
from controller.scores.tune import Choice, Curve

SCORES = [0.1, 0.2, 0.3, 0.6, 0.6, 0.9]
LABELLED = [False, False, True, False, True, True]
CURVE = Curve(SCORES, LABELLED)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalService]:
    monkeypatch.setattr("controller.deploy.tasks.tune_thresholds.SCORES", tmp_path / "scores")
    with running(tmp_path) as service:
        yield service


def test_what_a_threshold_does():
    assert CURVE.at(0.6) == Choice(0.6, 3 / 6, 2 / 3, 2 / 3)
    assert CURVE.at(0.95) == Choice(0.95, 0, None, 0)
    assert Curve([0.5], [False]).at(0.5) == Choice(0.5, 1, 0, None)


def test_threshold_for_a_wanted_rate():
    assert CURVE.for_flag_rate(0.5) == CURVE.at(0.6)
    assert CURVE.for_flag_rate(0.4) == CURVE.at(0.9)  # both with 0.6 would be flagged
    assert CURVE.for_flag_rate(0.1) is None


def test_threshold_for_a_wanted_precision():
    assert CURVE.for_precision(0.9) == CURVE.at(0.9)
    assert CURVE.for_precision(0.75) == CURVE.at(0.3)
    assert Curve([0.9, 0.1], [False, True]).for_precision(0.6) is None


def test_without_comments_there_is_no_threshold():
    curve = Curve([], [])
    assert curve.positives == 0
    assert curve.at(0.5) == Choice(0.5, 0, None, None)
    assert curve.for_flag_rate(0.5) is None
    assert curve.for_precision(0.5) is None


@given(st.lists(st.tuples(st.sampled_from(SCORES), st.booleans()), min_size=1), st.floats(0.01, 1))
def test_what_was_wanted_is_kept(pairs: list[tuple[float, bool]], wanted: float):
    curve = Curve([score for score, _ in pairs], [value for _, value in pairs])
    for choice in (curve.for_flag_rate(wanted), curve.for_precision(wanted)):
        if choice is None:
            continue
        flagged = [value for score, value in pairs if score >= choice.threshold]
        assert choice.flagged == len(flagged) / len(pairs)
        assert choice.precision == sum(flagged) / len(flagged)
    rate, precise = curve.for_flag_rate(wanted), curve.for_precision(wanted)
    assert rate is None or rate.flagged <= wanted
    assert precise is None or (precise.precision or 0) >= wanted - 1e-9


def write(path: Path, header: list[str], rows: list[list[object]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_tables_of_the_labels_that_the_file_has(
    local: LocalService, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
):
    rows = [[n, text, n % 2, ""] for n, text in enumerate(comments(80))]
    rows[0][3] = 1
    labelled = write(tmp_path / "labelled.csv", ["id", "comment_text", "toxic", "insult"], rows)
    out = tmp_path / f"thresholds{suffix}"
    tune_thresholds(labelled, local.url, flag_rate="0.1", precision="0.9999", out=str(out))
    printed = capsys.readouterr().out
    assert "toxic: 80 comments, 40 of them labelled" in printed
    assert "insult: 1 comments, 1 of them labelled" in printed
    assert "obscene" not in printed
    assert "warning: insult: no threshold has the rate 0.1" in printed
    if suffix == ".json":
        found = json.loads(out.read_text())
    else:
        with out.open(newline="") as file:
            found = list(csv.DictReader(file))
    toxic = [row for row in found if row["label"] == "toxic"]
    assert [float(row["threshold"]) for row in toxic[:9]] == [n / 10 for n in range(1, 10)]
    (rate,) = [row for row in toxic if row["wanted"] == "rate 0.1"]
    assert 0 < float(rate["flagged"]) <= 0.1


def test_nothing_is_written_unless_asked(local: LocalService, tmp_path: Path):
    labelled = write(tmp_path / "labelled.csv", ["text", "toxic"], [["you", 1], ["are", 0]])
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    tune_thresholds(labelled, local.url, dry_run=True)
    assert local.asked == []
    tune_thresholds(labelled, local.url)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert [path.parent.name for path in written] == ["scores"]  # to continue a long run


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (["text", "spam"], ["you", 1], "no column of a label of the model"),
        (["body text", "toxic"], ["you", 1], "no column text among body text, toxic.*--column"),
        (["text", "toxic"], ["you", 2], "line 2: toxic is '2'"),
        (["text", "toxic"], ["you", 0.5], "line 2: toxic is '0.5', expected 0 or 1"),
    ],
)
def test_a_file_of_another_form_is_one_line(
    tmp_path: Path, header: list[str], row: list[object], words: str
):
    path = tmp_path / "labelled.csv"
    write(path, header, [row])
    with pytest.raises(DeployError, match=words):
        read_labelled(path, None, ["toxic"])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("you, are,1\nare,0\n", "line 2 has 3 cells, the header has 2: put texts with"),
        ("you,1\nare", "line 3 has 1 cells, the header has 2"),
        ('you,1\n"are,0\nmy,1\n', "line 3 cannot be read .*correct the quotation marks there"),
        ('you,1\n"are"!,0\n', "line 3 cannot be read .*correct the quotation marks there"),
    ],
)
def test_no_row_of_labelled_comments_is_left_out(tmp_path: Path, rows: str, words: str):
    path = tmp_path / "labelled.csv"
    path.write_text("text,toxic\n" + rows)
    with pytest.raises(DeployError, match=f"labelled.csv: {words}"):
        read_labelled(path, None, ["toxic"])


def test_a_labelled_comment_may_be_long(tmp_path: Path):
    long = "you " * 40_000
    write(tmp_path / "labelled.csv", ["text", "toxic"], [[long, 1], ["are", 0]])
    found = read_labelled(tmp_path / "labelled.csv", None, ["toxic"])
    assert found == {long: {"toxic": True}, "are": {"toxic": False}}


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("gone.csv")
    for path, words in ((tmp_path, "is a directory"), (tmp_path / "link.csv", "is a link to gone")):
        with pytest.raises(DeployError, match=words):
            tune_thresholds(str(path), "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flag_rate": "2"}, "--flag-rate is 2"),
        ({"precision": "nan"}, "--precision is nan"),
        ({"out": "x.txt"}, r"--out is .*x\.txt"),
        ({}, "does not exist: see `fab --help tune-thresholds`"),
    ],
)
def test_wrong_options_are_one_line(tmp_path: Path, options: dict[str, str], words: str):
    path = tmp_path / "labelled.csv"
    if options:
        path.write_text("")
    with pytest.raises(DeployError, match=words):
        tune_thresholds(str(path), "http://127.0.0.1:9", **options)  # type: ignore[arg-type]  # of any case
