"""The card: figures of a bundle on labelled comments, as Markdown, plot and JSON."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import LABELS, TinyBundle

from controller.model_card.__main__ import main
from controller.model_card.card import CardInput, write_card
from controller.model_card.figures import DataSet, decide, label_figures
from controller.model_card.markdown import BEGIN, END, number, put, quote, table
from controller.model_card.scorer import Scorer
from controller.model_train.data import Comments
from controller.model_train.errors import TrainError

QUIET = {"say": lambda line: None}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return TinyBundle().write(tmp_path / "bundle")


@pytest.fixture
def comments() -> Comments:
    """Comments of the tiny bundle's words, about half of them labelled each."""
    random = np.random.default_rng(1)
    words = ("you", "are", "great", "awful", "and", "my", "work")
    texts = [f"{' '.join(random.choice(words, 4))} n{one}" for one in range(60)]
    targets = (random.random((60, 6)) < 0.4).astype(np.float32)
    targets[:5, 1] = np.nan
    return Comments(texts, targets, np.ones(60, np.float32))


def write_csv(path: Path, comments: Comments) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["comment_text", *LABELS])
        for text, target in zip(comments.texts, comments.targets, strict=True):
            writer.writerow([text, *("" if math.isnan(one) else int(one) for one in target)])
    return path


def write_sentences(path: Path) -> Path:
    lines = ["text,label,subgroup"]
    for term in ("", "old", "young"):
        lines += [f"you are {word} {term},{int(word == 'awful')},{term}" for word in
                  ("awful", "great", "awful", "great")]  # fmt: skip
    path.write_text("\n".join(lines))
    return path


def test_scores_are_those_of_the_service(bundle: Path) -> None:
    scorer = Scorer(bundle)
    scores = scorer.score(["you are great", "awful awful"], **QUIET)
    tiny = TinyBundle()
    assert scorer.labels == LABELS
    assert scores[0] == pytest.approx(tiny.scores(["you", "are", "great"]), abs=1e-6)
    assert scores[1] == pytest.approx(tiny.scores(["awful", "awful"]), abs=1e-6)
    assert scorer.score([], **QUIET).shape == (0, 6)
    sizes = scorer.sizes()
    assert (sizes.words, sizes.head) == (10, len(tiny.head()))
    assert sizes.milliseconds > 0


def test_damaged_bundle_is_one_line(bundle: Path, tmp_path: Path) -> None:
    next((bundle / "dump").rglob("*.bson")).write_bytes(b"\x07")
    with pytest.raises(TrainError, match=r"is damaged|cut off") as caught:
        Scorer(bundle)
    assert str(caught.value).endswith("build it with `fab build-model`")
    with pytest.raises(TrainError, match="build it with"):
        Scorer(tmp_path / "missing")


def known() -> DataSet:
    """Ten comments whose figures can be counted."""
    scores = np.array([0.95, 0.9, 0.8, 0.75, 0.6, 0.55, 0.4, 0.3, 0.2, 0.1])
    target = np.array([1, 1, 1, 0, 1, 0, 0, np.nan, 1, 0], np.float32)
    texts = [f"comment {one}" for one in range(10)]
    return DataSet(
        "known",
        ("toxic",),
        Comments(texts, target[:, None], np.ones(10, np.float32)),
        scores[:, None],
    )


def test_figures_of_known_scores() -> None:
    (found,) = label_figures(known(), rounds=20)
    assert (found.comments, found.positives) == (9, 5)
    # Of 5 positives and 4 negatives, pairs in order, by hand.
    assert found.auc.value == pytest.approx((4 + 4 + 4 + 3 + 1) / 20)
    assert found.precise is not None
    assert (found.precise.threshold, found.precise.recall) == (0.8, pytest.approx(3 / 5))
    half, higher = found.decisions
    assert (half.over, half.under) == (pytest.approx(2 / 4), pytest.approx(1 / 5))
    assert half.balanced_accuracy == pytest.approx((4 / 5 + 2 / 4) / 2)
    assert (higher.over, higher.under) == (pytest.approx(1 / 4), pytest.approx(2 / 5))


def test_class_without_comments_has_no_figure() -> None:
    found = decide(np.zeros(3, bool), np.array([0.1, 0.6, 0.7]), 0.5)
    assert found.over == pytest.approx(2 / 3)
    assert math.isnan(found.under)
    assert number(found.balanced_accuracy) == "-"


def test_quotes_are_no_markdown_and_short() -> None:
    assert quote("a|b\n# *c* <d> [e](f)") == "a\\|b \\# \\*c\\* \\<d\\> \\[e\\](f)"
    assert len(quote("word " * 90)) <= 90
    assert quote("word " * 90).endswith(" ...")


def test_lines_are_put_between_the_marks() -> None:
    document = f"# Title\n\n{BEGIN}\nold\n{END}\nafter\n"
    long = " ".join(["word"] * 40)
    text = put(document, [long, *table(("a",), [["b" * 120]])], "card")
    assert text.startswith(f"# Title\n\n{BEGIN}\n\nword")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert max(len(line) for line in text.splitlines() if "word" in line) <= 100
    assert f"| {'b' * 120} |" in text
    assert put(text, ["new"], "card") == put(document, ["new"], "card")


@pytest.mark.parametrize("document", ["", BEGIN, f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}{BEGIN}\n"])
def test_document_without_marks_is_refused(document: str) -> None:
    with pytest.raises(TrainError, match="has no place for the figures"):
        put(document, ["new"], "card")


def test_card_has_every_section_and_repeats(bundle: Path, tmp_path: Path, capsys) -> None:
    data = write_csv(tmp_path / "mine.csv", comments_of(bundle))
    bias = write_sentences(tmp_path / "bias.csv")
    card = tmp_path / "CARD.md"
    words = ["--bundle", bundle, "--data", data, "--bias", bias, "--out", card]
    assert main([str(word) for word in words]) == 0
    text = card.read_text()
    assert text.startswith("# Model card: tiny\n")
    for title in (
        "### mine.csv: 60 comments",
        "### Scores as probabilities",
        "### Thresholds for a precision of 0.9",
        "### Over- and under-moderation",
        "### Bias by the names of groups",
        "### Where it fails",
        "### Size and speed",
    ):
        assert f"\n{title}\n" in text
    beside = tmp_path / "card_files"
    assert f"]({beside.name}/reliability.png)" in text
    assert (beside / "reliability.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads((beside / "figures.json").read_text())
    assert figures["sets"]["mine.csv"]["toxic"]["positives"] > 0
    assert set(figures["bias"]) == {"overall", "old", "young"}
    # What people wrote stays; what a command wrote is written again.
    card.write_text(text.replace("Write here where", "From our forum. Write here where"))
    picture = (beside / "reliability.png").read_bytes()
    assert main([str(word) for word in words]) == 0
    again = card.read_text()
    assert "From our forum." in again
    assert again.count("### Where it fails") == 1
    assert (beside / "reliability.png").read_bytes() == picture
    assert json.loads((beside / "figures.json").read_text()) == figures


def comments_of(bundle: Path) -> Comments:
    """Comments whose first label follows the model's own score, so that figures exist."""
    random = np.random.default_rng(1)
    words = ("you", "are", "great", "awful", "and", "my", "work")
    texts = [f"{' '.join(random.choice(words, 4))} n{one}" for one in range(60)]
    scores = Scorer(bundle).score(texts, **QUIET)
    targets = (scores > np.median(scores, axis=0)).astype(np.float32)
    targets[:5, 1] = np.nan
    return Comments(texts, targets, np.ones(60, np.float32))


def test_missing_column_and_place_are_one_line(bundle: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "mine.csv").write_text("comment_text,toxic\nx,1\n")
    words = ["--bundle", str(bundle), "--data", str(tmp_path / "mine.csv"), "--out"]
    assert main([*words, str(tmp_path / "CARD.md")]) == 1
    assert "no column severe_toxic, obscene" in capsys.readouterr().err
    write_csv(tmp_path / "mine.csv", comments_of(bundle))
    assert main([*words, str(tmp_path / "mine.csv" / "CARD.md")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "choose another --out" in error


def test_files_of_one_name_are_measured_each(bundle: Path, tmp_path: Path, capsys) -> None:
    comments = comments_of(bundle)
    for name, rows in (("a", range(40)), ("b", range(20))):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name / "mine.csv", comments.take(np.array(rows)))
    files = [tmp_path / name for name in ("a/mine.csv", "b/mine.csv", "a/mine.csv", "c.csv")]
    write_csv(files[-1], comments)
    card = tmp_path / "CARD.md"
    words = ["--bundle", bundle, "--data", *files, "--out", card]
    assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    titles = [line for line in card.read_text().splitlines() if line.endswith(" comments")]
    assert titles == [
        f"### {files[0]}: 40 comments",
        f"### {files[1]}: 20 comments",
        "### c.csv: 60 comments",
    ]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("empty", [[0], [1, 5], [1, 2, 3, 4, 5]])
def test_a_label_whose_column_is_empty_has_no_figure(
    bundle: Path, tmp_path: Path, empty: list[int]
) -> None:
    comments = comments_of(bundle)
    comments.targets[:, empty] = np.nan
    given = CardInput({"mine": comments}, rounds=5)
    write_card(tmp_path / "CARD.md", Scorer(bundle), given, **QUIET)
    text = (tmp_path / "CARD.md").read_text()
    name = LABELS[empty[0]]
    assert f"| {name} | 0 | 0 | - (- to -) | - (- to -) | - |" in text
    assert f"| {name} | none | - | - | - |" in text
    figures = json.loads((tmp_path / "card_files/figures.json").read_text())
    assert figures["sets"]["mine"][name] == {
        "positives": 0,
        "auc": None,
        "average_precision": None,
        "calibration_error": None,
        "threshold": None,
    }


def test_a_card_that_is_not_utf_8_is_as_it_was(bundle: Path, tmp_path: Path, capsys) -> None:
    data = write_csv(tmp_path / "mine.csv", comments_of(bundle))
    card = tmp_path / "CARD.md"
    card.write_bytes(b"# \xe9\n")
    assert main(["--bundle", str(bundle), "--data", str(data), "--out", str(card)]) == 1
    error = f"error: {card}: not a card in UTF-8: choose another --out\n"
    assert capsys.readouterr().err == error
    assert card.read_bytes() == b"# \xe9\n"


def test_card_needs_comments(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no comments to measure with"):
        write_card(tmp_path / "CARD.md", Scorer(bundle), CardInput({}), **QUIET)


def test_further_sections_and_a_document_are_taken(
    bundle: Path, comments: Comments, tmp_path: Path
) -> None:
    given = CardInput({"mine": comments}, more=(lambda scorer: ["### More", ""],), rounds=5)
    document = f"# Mine\n\n{BEGIN}\n{END}\n"
    write_card(tmp_path / "CARD.md", Scorer(bundle), given, document, **QUIET)
    text = (tmp_path / "CARD.md").read_text()
    assert text.startswith("# Mine\n")
    assert "\n### More\n" in text
    assert "Bias" not in text
