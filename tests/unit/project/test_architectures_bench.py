"""The folds and the table of bench.architectures; tests/train trains its networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import architectures
from controller.model_train.data import Comments
from controller.model_train.split import Parts
from controller.model_train.vectors import WordVectors


def comments(name: str, number: int) -> Comments:
    targets = np.zeros((number, 6), np.float32)
    targets[::2] = 1
    return Comments([f"{name} {one}" for one in range(number)], targets, np.ones(number, "f4"))


def test_each_natural_training_comment_is_in_one_fold_and_the_others_always_train() -> None:
    natural, other = comments("natural", 30), comments("other", 7)
    kept_apart = natural.take(np.arange(20, 30))
    training = natural.take(np.arange(20)).joined(other)
    parts = Parts(training, kept_apart, comments("held out", 5))
    folds = [architectures.fold_parts(parts, natural, number, 3) for number in range(3)]
    assert sorted(text for _, fold in folds for text in fold.texts) == sorted(natural.texts[:20])
    for rest, fold in folds:
        assert set(rest.training.texts) | set(fold.texts) == set(training.texts)
        assert not set(rest.training.texts) & set(fold.texts)
        assert set(other.texts) <= set(rest.training.texts)
        assert rest.validation is kept_apart


def test_a_network_without_all_folds_is_not_in_the_table(tmp_path: Path) -> None:
    for name, folds in (("today", 3), ("GRU alone", 2)):
        for fold in range(folds):
            path = architectures.scores_path(tmp_path, "data", name, fold)
            np.save(path, np.full((2, 6), fold, np.float32))
    found = architectures.read_scores(tmp_path, "data")
    assert list(found) == ["today"]
    assert found["today"][:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    assert architectures.read_scores(tmp_path, "other data") == {}


def test_names_of_networks_make_different_files(tmp_path: Path) -> None:
    networks = architectures.NETWORKS
    names = {architectures.scores_path(tmp_path, "data", name, 0) for name in networks}
    assert len(names) == len(networks)


def test_scores_of_other_settings_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = architectures.scores_path(tmp_path, "data", "today", 0)
    longer = replace(architectures.NETWORKS["today"].recipe, epochs=5)
    monkeypatch.setitem(architectures.NETWORKS, "today", architectures.Network(longer))
    assert architectures.scores_path(tmp_path, "data", "today", 0) != before


@pytest.mark.parametrize("other", ["text", "label", "vector", "validation"])
def test_other_data_have_another_fingerprint(other: str) -> None:
    def fingerprint(changed: str = "") -> str:
        training, validation = comments("training", 6), comments("validation", 4)
        rows = np.ones((2, 3), np.float32)
        if changed == "text":
            training.texts[1] = "changed"
        if changed == "label":
            training.targets[1, 0] = 1
        if changed == "validation":
            validation.targets[1, 0] = 1
        if changed == "vector":
            rows[1, 1] = 2
        parts = Parts(training, validation, comments("held out", 5))
        return architectures.data_fingerprint(parts, WordVectors(["a", "b"], rows))

    assert fingerprint() == fingerprint()
    assert fingerprint() != fingerprint(other)


def test_differences_are_those_to_the_first_network(capsys: pytest.CaptureFixture[str]) -> None:
    targets = comments("any", 200).targets
    chance = np.random.default_rng(1).normal(size=targets.shape).astype(np.float32)
    worse, better = targets + 2 * chance, targets + chance
    architectures.print_table(targets, {"today": worse, "GRU alone": better, "same": worse})
    rows = capsys.readouterr().out.splitlines()[2:]
    toxic = architectures.aucs(targets, worse)[0], architectures.aucs(targets, better)[0]
    assert rows[0].startswith(f"| today | {toxic[0]:.4f} | ")
    assert f"| GRU alone | {toxic[1]:.4f} (+{toxic[1] - toxic[0]:.4f} ± 0.0" in rows[1]
    assert rows[2].count("(+0.0000 ± 0.0000)") == 2


def test_a_label_that_a_comment_lacks_does_not_count() -> None:
    targets = comments("any", 6).targets
    scores = targets.copy()
    scores[0] = -1
    lacking = targets.copy()
    lacking[0] = np.nan
    assert architectures.aucs(targets, scores)[0] < 1
    assert architectures.aucs(lacking, scores).tolist() == [1, 1]


def test_the_first_network_is_that_of_the_sample_model() -> None:
    recipe = architectures.NETWORKS["today"].recipe
    base = architectures.RECIPE
    same = replace(recipe, name=base.name, epochs=base.epochs, patience=2, drawn=base.drawn)
    assert same == base


def test_wrong_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(tmp_path), "--vectors", "none", "--out", str(tmp_path / "out")]
    assert architectures.main(words) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "give the directory of the data" in error
