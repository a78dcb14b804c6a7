"""Sentences that name groups: which files of them are read, and how groups are compared."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from controller.model_card.bias import Sentences, read_sentences, term_figures
from controller.model_card.markdown import number
from controller.model_card.sections import bias_section
from controller.model_train.errors import TrainError


def test_terms_are_compared_with_the_other_sentences() -> None:
    # "old" alone counts as toxic for this model, "new" hides what is toxic.
    terms = np.array(["", "", "old", "old", "new", "new"])
    toxic = np.array([True, False] * 3)
    old, new = term_figures(Sentences(["x"] * 6, toxic, terms), [0.6, 0.2, 0.9, 0.7, 0.1, 0.05])
    assert (old.term, old.subgroup, old.bpsn, old.bnsp) == ("new", 1.0, 1.0, 0.0)
    assert (new.term, new.bpsn, new.bnsp) == ("old", 0.0, 1.0)
    assert (new.sentences, new.decision.over) == (2, 1.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        ("text,label\nx,1\n", "not sentences with the columns text, label"),
        ("text,label,subgroup\nx,yes,a\n", "not sentences with the columns text, label"),
        ("", "not sentences with the columns text, label"),
        ("text,label,subgroup\n", "no sentence names a group in subgroup: name another file"),
        ("text,label,subgroup\nx,1,\ny,0,\n", "no sentence names a group in subgroup"),
        ("text,label,subgroup\nx,1,a\ny,0\n", "line 3 has 2 cells, the header has 3: put texts"),
        ('text,label,subgroup\nx,1,a\n"y,0,a\n', "line 3 cannot be read .*the quotation marks"),
    ],
)
def test_other_sentences_are_one_line(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "bias.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TrainError, match=words):
        read_sentences(path)


def test_sentences_of_a_spreadsheet_of_any_length_and_packed_are_read(tmp_path: Path) -> None:
    content = f"text,label,subgroup\n{'word ' * 30_000},1,old\nx,0,\n".encode("utf-8-sig")
    (tmp_path / "bias.csv").write_bytes(content)
    (tmp_path / "bias.csv.gz").write_bytes(gzip.compress(content))
    for name in ("bias.csv", "bias.csv.gz"):
        found = read_sentences(tmp_path / name)
        assert [len(text) for text in found.texts] == [150_000, 1]
        assert found.toxic.tolist() == [True, False]
        assert found.terms.tolist() == ["old", ""]


@pytest.mark.parametrize("at", [0, 12, 40, -8])
def test_damaged_packed_sentences_are_one_line(tmp_path: Path, at: int) -> None:
    content = bytearray(gzip.compress(bytes(range(256)) * 4))
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path = tmp_path / "bias.csv.gz"
    for damaged in (bytes(content), bytes(content[:60])):
        path.write_bytes(damaged)
        with pytest.raises(TrainError, match="name another file") as caught:
            read_sentences(path)
        assert len(str(caught.value).splitlines()) == 1


def test_a_group_of_one_kind_is_compared_by_what_exists() -> None:
    terms = np.array(["", "", "old", "new", "new"])
    toxic = np.array([True, False, True, True, False])
    found = term_figures(Sentences(["x"] * 5, toxic, terms), [0.9, 0.1, 0.5, 0.2, 0.6])
    assert [one.term for one in found] == ["new", "old"]
    assert math.isnan(found[1].subgroup)
    assert math.isnan(found[1].bpsn)
    assert found[1].worst == found[1].bnsp
    text = "\n".join(bias_section("toxic", 0.5, found[::-1]))
    assert f"the worst BPSN is {number(found[0].bpsn)} (new)" in text
