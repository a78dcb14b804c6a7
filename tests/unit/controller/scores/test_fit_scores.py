"""`fab fit-scores`: the map, its report on other comments, and what becomes of the bundle."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_service import LocalService, comments, running

from controller.deploy.bundle import load_bundle
from controller.deploy.errors import DeployError
from controller.deploy.tasks.fit_scores import fit_scores, remove_score_maps
from controller.model_build.score_maps import set_maps
from controller.scores import fit
from controller.scores.fit import LEAST_PAIRS, TOLERANCE, Unusable, fit_attribute, quantile_map
from controller.scores.joined import without_versions
from controller.scores.model_scores import model_scores
from controller.scores.service import Service
from controller.scores.table import read_scores
from tox_com_det.model.score_map import MOST_POINTS, ScoreMap


def scale(score: float) -> float:
    """What this Google makes of a score of ours."""
    return round(min(1.0, 2.5 * score), 6)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="module")
def ours(local: LocalService, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The model's score `toxic` of many comments."""
    directory = tmp_path_factory.mktemp("scores")
    found = model_scores(Service(local.url), comments(600), directory)
    return {text: scores["toxic"] for text, scores in found.items()}


@pytest.fixture
def bundle(local: LocalService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the service's bundle; what the task writes by default is below `tmp_path`."""
    monkeypatch.setattr("controller.deploy.tasks.fit_scores.SCORES", tmp_path / "scores")
    copy = tmp_path / "copied"
    copy.mkdir()
    for name in ("manifest.json", "head.onnx"):
        (copy / name).write_bytes((local.bundle / name).read_bytes())
    return copy


def write(path: Path, rows: Sequence[Sequence[object]], *more: str) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "attribute", "score", "problem", *more), *rows])
    return str(path)


def run(local: LocalService, bundle: Path, pairs: str, **options: object) -> None:
    plot = str(bundle.parent / "plot.svg")
    fit_scores(pairs, bundle=str(bundle), url=local.url, plot=plot, **options)  # type: ignore[arg-type]  # of any case


def test_the_map_is_fitted_and_the_bundle_has_another_version(
    local: LocalService,
    ours: dict[str, float],
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    before = load_bundle(bundle).version
    rows: list[tuple[object, ...]] = [
        (text, "TOXICITY", scale(score), "") for text, score in ours.items()
    ]
    rows += [(text, "FLIRTATION", 0.5, "") for text in ours]
    rows += [("foreign", "TOXICITY", "", "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE")]
    run(local, bundle, write(tmp_path / "pairs.csv", rows))
    out = capsys.readouterr().out
    manifest = load_bundle(bundle).manifest
    assert manifest.model_version != before
    assert f"model {manifest.model_version}, next: `fab deploy-model`" in out
    assert "left out, the model has no label for them: FLIRTATION" in out
    score_map = manifest.score_maps["TOXICITY"]
    for score in ours.values():
        # At the ends, beyond the scores that were seen, it is a line to 0 or 1.
        if np.quantile([*ours.values()], 0.02) < score < np.quantile([*ours.values()], 0.98):
            assert score_map(score) == pytest.approx(scale(score), abs=3 * TOLERANCE)
    rows_of = [line.split() for line in out.splitlines() if line.startswith("  TOXICITY")]
    assert [row[1] for row in rows_of] == ["0.5", "0.7", "0.8", "0.9"]
    assert all(float(row[-2]) >= 98 for row in rows_of), "agreement after"
    before_and_after = [sum(float(row[place]) for row in rows_of) for place in (-4, -2)]
    assert before_and_after[0] < before_and_after[1] - 10
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")
    remove_score_maps(str(bundle))
    assert load_bundle(bundle).version == before


def test_a_column_of_the_file_can_have_the_scores(
    ours: dict[str, float], bundle: Path, tmp_path: Path
):
    rows = [(text, "TOXICITY@6", scale(score), "", score) for text, score in ours.items()]
    pairs = write(tmp_path / "pairs.csv", rows, "mine")
    fit_scores(
        pairs, bundle=str(bundle), url="http://127.0.0.1:9", score_column="mine",
        plot=str(tmp_path / "plot.png"),
    )  # fmt: skip
    assert list(load_bundle(bundle).manifest.score_maps) == ["TOXICITY"]
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_dry_run_asks_nobody_and_writes_nothing(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    pairs = write(tmp_path / "pairs.csv", [("you", "TOXICITY", 0.5, "")])
    before = sorted(tmp_path.rglob("*"))
    fit_scores(pairs, bundle=str(bundle), url="http://127.0.0.1:9", dry_run=True)
    assert "would fit maps to 1 comments" in capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("you", "TOXICITY", "nan", "")], "line 2: score is 'nan', expected a number from 0 to 1"),
        ([("you", "TOXICITY", "1.5", "")], "line 2"),
        ([("you", "TOXICITY", "0.5", "")], "no attribute has enough pairs"),
        ([(f"you {n}", "TOXICITY", 0.5, "") for n in range(LEAST_PAIRS)], "no attribute has"),
    ],
)
def test_what_makes_no_map_leaves_the_bundle_as_it_was(
    local: LocalService, bundle: Path, tmp_path: Path, rows: list[tuple[object, ...]], words: str
):
    before = (bundle / "manifest.json").read_bytes()
    with pytest.raises(DeployError, match=words):
        run(local, bundle, write(tmp_path / "pairs.csv", rows))
    assert (bundle / "manifest.json").read_bytes() == before
    assert not (tmp_path / "plot.svg").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"plot": "plot.gif"}, r"--plot is .*\.png"),
        ({"labels": "TOXICITY"}, "--labels is TOXICITY, expected pairs such as TOXICITY=toxic"),
        ({"labels": "TOXICITY=other"}, "name them with --labels"),
        ({"url": "127.0.0.1"}, "--url is 127.0.0.1, expected one such as"),
        ({"bundle": "/nowhere"}, "there is no bundle in /nowhere: run `fab build-model`"),
    ],
)
def test_wrong_options_are_one_line(
    bundle: Path, tmp_path: Path, options: dict[str, str], words: str
):
    pairs = write(tmp_path / "pairs.csv", [("you", "TOXICITY", 0.5, "")])
    with pytest.raises(DeployError, match=words):
        fit_scores(pairs, **{"bundle": str(bundle), "url": "http://127.0.0.1:9", **options})  # type: ignore[arg-type]  # the same


def test_a_file_of_another_form_is_one_line(tmp_path: Path):
    path = tmp_path / "pairs.csv"
    with pytest.raises(DeployError, match="No such file or directory: run `fab collect-scores`"):
        read_scores(path)
    path.write_text("text,score\n")
    with pytest.raises(DeployError, match="no column attribute in its header"):
        read_scores(path)
    path.write_bytes(b"text,attribute,score\n\xff\n")
    with pytest.raises(DeployError, match="not UTF-8"):
        read_scores(path)


def test_the_later_of_two_scores_counts_and_a_cut_line_does_not(tmp_path: Path):
    path = tmp_path / "pairs.csv"
    path.write_text("text,attribute,score,problem\na,X@1,0.1,\na,X@2,0.2,\na,Y,,TOO_LONG\nb,X")
    assert without_versions(read_scores(path)) == {"a": {"X": 0.2}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a, b,X,0.1,\nb,X,0.2,\n", "line 2 has 5 cells, the header has 4: put texts with"),
        ("a,X,0.1,\nb,X\n", "line 3 has 2 cells, the header has 4: put texts with"),
        ("a,X,0.1,\nb,X,0.2,,\n", "line 3 has 5 cells"),
        ("a,X,0.1,\nb,X,0.2,,", "line 3 has 5 cells"),
        ('a,X,0.1,\n"b,X,0.2,\nc,X,0.3,\n', "line 3 cannot be read .*correct the quotation marks"),
        ('"a"b,X,0.1,\nb,X,0.2,\n', "line 2 cannot be read .*correct the quotation marks"),
    ],
)
def test_a_row_that_is_none_is_refused_with_its_line(tmp_path: Path, content: str, words: str):
    path = tmp_path / "pairs.csv"
    path.write_text("text,attribute,score,problem\n" + content)
    with pytest.raises(DeployError, match=f"pairs.csv: {words}"):
        read_scores(path)


@pytest.mark.parametrize("tail", [b'"b\nc', b"b,X", b"\xe2\x82", b"\n\n"])
def test_what_is_half_written_or_blank_is_left_out(tmp_path: Path, tail: bytes):
    path = tmp_path / "pairs.csv"
    path.write_bytes(b"text,attribute,score,problem\na,X,0.1,\n" + tail)
    assert read_scores(path) == {"a": {"X": 0.1}}


def test_a_text_is_never_on_both_sides():
    texts = comments(400)
    held_out = [text for text in texts if fit.is_held_out(text)]
    assert 60 < len(held_out) < 140
    assert held_out == [text for text in reversed(texts) if fit.is_held_out(text)][::-1]
    pairs = {text: (n / 400, (n / 400) ** 2) for n, text in enumerate(texts)}
    found = fit_attribute(pairs)
    assert (found.trained, found.held_out) == (400 - len(held_out), len(held_out))


@pytest.mark.parametrize("position", [0, 1])
def test_scores_that_are_all_alike_make_no_map(position: int):
    pairs = {}
    for number, text in enumerate(comments(300)):
        pair = [number / 300, number / 300]
        pair[position] = 0.5
        pairs[text] = (pair[0], pair[1])
    with pytest.raises(Unusable, match="nearly all alike"):
        fit_attribute(pairs)


def test_scores_that_contradict_are_not_called_better():
    texts = comments(400)
    random = np.random.default_rng(1).permutation(400)
    pairs = {text: (n / 400, random[n] / 400) for n, text in enumerate(texts)}
    pairs |= {text: (n / 400, 1 - n / 400) for n, text in enumerate(texts)}
    opposite = fit_attribute(pairs)
    assert opposite.agreement[0].agree_after < 0.1
    steep = {text: (n / 400, (n / 400) ** 4) for n, text in enumerate(texts)}
    assert fit_attribute(steep).is_better


scores = st.lists(st.floats(0, 1), min_size=10, max_size=60)


@given(scores, st.randoms(use_true_random=False))
def test_any_scores_make_a_valid_map(ours: list[float], chance) -> None:
    google = [chance.choice([*ours, 0.0, 1.0]) for _ in ours]
    found = quantile_map(np.array(ours), np.array(google))
    assert 2 <= len(found.x) <= MOST_POINTS
    assert all(low < high for low, high in itertools.pairwise(found.x))
    assert all(low <= high for low, high in itertools.pairwise(found.y))
    assert (found.x[0], found.y[0], found.x[-1], found.y[-1]) == (0, 0, 1, 1)


def test_flagged_shares_are_kept_and_points_are_few():
    random = np.random.default_rng(5)
    ours = random.beta(0.2, 2, 20000)
    google = np.clip(ours**0.5 + random.normal(0, 0.1, 20000), 0, 1)
    found = quantile_map(ours, google)
    assert len(found.x) <= MOST_POINTS
    mapped = np.array([found(score) for score in ours])
    for threshold in fit.THRESHOLDS:
        assert (mapped >= threshold).mean() == pytest.approx(
            (google >= threshold).mean(), abs=0.005
        )


def test_a_full_disk_leaves_the_manifest_as_it_was(bundle: Path, monkeypatch: pytest.MonkeyPatch):
    before = (bundle / "manifest.json").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("controller.model_build.score_maps.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        set_maps(bundle, {"TOXICITY": ScoreMap((0, 1), (0, 1))})
    assert (bundle / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in bundle.iterdir()) == ["head.onnx", "manifest.json"]


@pytest.mark.parametrize("damage", [[0.1, 0.0], [0.0, 2.0], [0.0]])
def test_a_damaged_map_is_not_deployed(bundle: Path, damage: list[float]):
    set_maps(bundle, {"TOXICITY": ScoreMap((0.0, 1.0), (0.0, 1.0))})
    data = json.loads((bundle / "manifest.json").read_text())
    data["score_maps"]["TOXICITY"]["y"] = damage
    (bundle / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(DeployError, match=r"score_maps.*: run `fab build-model`"):
        load_bundle(bundle)
