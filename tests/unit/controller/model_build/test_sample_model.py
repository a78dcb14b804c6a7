"""The sample model of the repository builds, equals Keras and gives plausible scores."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from controller.model_build.build import build
from controller.model_build.golden_texts import DEFAULT_TEXTS

SAMPLE = Path(__file__).parents[4] / "sample_model"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    out = tmp_path_factory.mktemp("build") / "bundle"
    h5, words = SAMPLE / "toxic_comment_detector.h5", SAMPLE / "word_index.json"
    return build(h5, words, out, say=lambda line: None).manifest


def toxic(manifest):
    return {case.text: case.scores[0] for case in manifest.golden_outputs.cases}


def test_scores_equal_keras(manifest):
    assert all(case.reference is not None for case in manifest.golden_outputs.cases)
    assert [case.text for case in manifest.golden_outputs.cases] == list(DEFAULT_TEXTS)
    assert manifest.golden_outputs.reference_max_difference <= 1e-5


def test_version_of_the_model_is_stable(manifest):
    """Servers have it live: neither the builder nor the manifest's form may change the version."""
    assert manifest.model_version == "6bdc296a035d"


def test_no_position_is_dead(manifest):
    assert manifest.dead_positions == ()


def test_layers_are_the_authors_with_padding_same_and_50_dimensions(manifest):
    layers = [one["class_name"] for one in manifest.architecture["config"]["layers"]]
    assert layers[-9:] == [
        "Embedding",
        *["Conv1D", "MaxPooling1D", "Conv1D", "MaxPooling1D", "Conv1D"],
        *["GlobalMaxPooling1D", "Dense", "Dense"],
    ]
    padding = [one["config"].get("padding") for one in manifest.architecture["config"]["layers"]]
    assert {one for one in padding if one} == {"same"}
    assert (manifest.embedding.dimension, manifest.sequence.length) == (50, 100)


def test_insults_score_far_above_polite_texts(manifest):
    scores = toxic(manifest)
    insults = ["idiot", "stupid", "you are an idiot"]
    polite = ["thanks", "thank you for your help", "?!", "qzxvkj wqpfzj"]
    assert min(scores[text] for text in insults) > 0.5
    assert max(scores[text] for text in polite) < 0.2


def test_last_word_of_a_comment_affects_its_score(manifest):
    scores = toxic(manifest)
    assert scores["idiot"] > scores["?!"] + 0.3  # the author's network gives both the same score


def test_files_stay_below_8_mb():
    assert sum(path.stat().st_size for path in SAMPLE.iterdir() if path.is_file()) < 8e6


def test_model_card_states_the_measured_numbers():
    metrics = json.loads((SAMPLE / "metrics.json").read_text())
    card = (SAMPLE / "MODEL_CARD.md").read_text()
    for label, auc in metrics["held_out_auc"].items():
        row = re.search(rf"\| {label} \|.*", card)[0]
        positives = metrics["positives_held_out"][label]
        assert f"| {positives} |" in row
        assert f"| {auc:.3f} |" in row
