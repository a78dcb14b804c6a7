"""Score maps: in the manifest, and in the answers of the Perspective API alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_database import FakeDatabase
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import TinyBundle

from tox_com_det.http.routes import create_app
from tox_com_det.model.manifest import Manifest, ManifestError
from tox_com_det.model.score_map import ScoreMap
from tox_com_det.settings import Settings

TEXT = "You are great. Awful work!"
POINTS = {"x": [0, 0.25, 0.75, 1], "y": [0, 0.125, 0.125, 1]}
MAP = ScoreMap(POINTS["x"], POINTS["y"])


def mapped_client(directory: Path, maps: dict[str, Any], **more: Any) -> FlaskClient:
    bundle = TinyBundle(more={"score_maps": maps, **more})
    settings = Settings(model=bundle.write(directory))
    return create_app(settings, FakeDatabase(bundle)).test_client()


def analyze(client: FlaskClient, **more: Any) -> dict[str, Any]:
    names = ("TOXICITY", "TOXICITY@6", "INSULT", "OBSCENE")
    body = {"comment": {"text": TEXT}, "requestedAttributes": {one: {} for one in names}, **more}
    response = client.post("/v1alpha1/comments:analyze", json=body)
    assert response.status_code == 200, response.text
    return response.get_json()["attributeScores"]


def values(scores: dict[str, Any]) -> list[float]:
    """The summary score and those of the spans."""
    return [
        scores["summaryScore"]["value"],
        *(span["score"]["value"] for span in scores["spanScores"]),
    ]


@pytest.mark.parametrize(
    ("score", "expected"), [(0, 0), (0.125, 0.0625), (0.25, 0.125), (0.5, 0.125), (0.875, 0.5625)]
)
def test_a_map_is_linear_between_its_points(score: float, expected: float):
    assert MAP(score) == expected


def test_a_map_ends_at_its_ends():
    narrow = ScoreMap((0.2, 0.8), (0.3, 0.9))
    assert [narrow(score) for score in (0, 0.2, 0.8, 1)] == [0.3, 0.3, 0.9, 0.9]


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_map_keeps_the_order_and_the_range(one: float, other: float):
    low, high = sorted((one, other))
    assert 0 <= MAP(low) <= MAP(high) <= 1


def test_the_perspective_api_maps_summary_and_span_scores(client: FlaskClient, tmp_path: Path):
    plain = analyze(client, spanAnnotations=True)
    mapped = analyze(mapped_client(tmp_path / "m", {"TOXICITY": POINTS}), spanAnnotations=True)
    assert len(values(plain["TOXICITY"])) == 3
    for name in ("TOXICITY", "TOXICITY@6"):
        assert values(mapped[name]) == [MAP(value) for value in values(plain[name])]
        assert values(mapped[name]) != values(plain[name])
    for name in ("INSULT", "OBSCENE"):
        assert mapped[name] == plain[name]


def test_a_threshold_is_compared_with_the_mapped_score(client: FlaskClient, tmp_path: Path):
    score = values(analyze(client)["TOXICITY"])[0]
    low = {"x": [0.0, 1.0], "y": [0.0, score / 2]}
    mapped = mapped_client(tmp_path / "m", {"TOXICITY": low})
    wanted = {"TOXICITY": {"scoreThreshold": score * 0.75}}
    assert "TOXICITY" in analyze(client, requestedAttributes=wanted)
    assert analyze(mapped, requestedAttributes=wanted) == {}


def test_predict_and_its_golden_outputs_are_not_mapped(client: FlaskClient, tmp_path: Path):
    mapped = mapped_client(tmp_path / "m", {"TOXICITY": POINTS})
    body = {"text": TEXT}
    plain = client.post("/predict", json=body).get_json()["scores"]
    assert mapped.post("/predict", json=body).get_json()["scores"] == plain
    assert mapped.get("/readyz").get_json()["checks"]["golden_outputs"] == "ok"


def test_maps_and_languages_are_read_and_written_as_they_are():
    data = TinyBundle(more={"score_maps": {"TOXICITY": POINTS}, "languages": ["de"]}).manifest()
    manifest = Manifest.from_dict(data)
    assert manifest.score_maps == {"TOXICITY": ScoreMap(tuple(POINTS["x"]), tuple(POINTS["y"]))}
    assert manifest.languages == ("de",)
    assert manifest.to_dict() == data
    assert Manifest.from_dict(manifest.to_dict()) == manifest


def test_without_them_a_manifest_is_one_that_older_apps_read():
    plain = TinyBundle().manifest()
    assert Manifest.from_dict(plain).languages == ("en",)
    stated = TinyBundle(more={"score_maps": {}, "languages": ["en"]}).load()
    assert stated.to_dict() == plain


@pytest.mark.parametrize("more", [{"score_maps": {"TOXICITY": POINTS}}, {"languages": ["de"]}])
def test_they_change_the_version(more: dict[str, Any]):
    version = TinyBundle().load().model_version
    assert TinyBundle(more=more).load().model_version != version


X, Y = [0, 0.5, 1], [0, 0.5, 1]


@pytest.mark.parametrize(
    "maps",
    [
        [],
        {"toxic": POINTS},
        {"TOXICITY": []},
        {"TOXICITY": {"x": X}},
        {"TOXICITY": {"x": X, "y": Y, "z": Y}},
        {"TOXICITY": {"x": X, "y": Y[1:]}},
        {"TOXICITY": {"x": [0.5], "y": [0.5]}},
        {"TOXICITY": {"x": [0, 0, 1], "y": Y}},
        {"TOXICITY": {"x": [0, 1, 0.5], "y": Y}},
        {"TOXICITY": {"x": X, "y": [0, 1, 0.5]}},
        {"TOXICITY": {"x": X, "y": [0, 0.5, 1.01]}},
        {"TOXICITY": {"x": [-0.1, 0.5, 1], "y": Y}},
        {"TOXICITY": {"x": X, "y": [0, None, 1]}},
        {"TOXICITY": {"x": X, "y": [0, "0.5", 1]}},
        {"TOXICITY": {"x": X, "y": [0, float("nan"), 1]}},
        {"TOXICITY": {"x": X, "y": [False, 0.5, True]}},
        {"TOXICITY": {"x": [n / 200 for n in range(101)], "y": [n / 200 for n in range(101)]}},
    ],
)
def test_a_damaged_map_is_refused_with_its_place(maps: Any):
    with pytest.raises(ManifestError, match=r"^score_maps") as error:
        TinyBundle(more={"score_maps": maps}).load()
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("languages", [[], "en", ["EN"], ["en", "en"], [1], ["en_GB"], None])
def test_damaged_languages_are_refused(languages: Any):
    with pytest.raises(ManifestError, match=r"^languages"):
        TinyBundle(more={"languages": languages}).load()
