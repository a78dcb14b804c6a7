"""Languages of the Perspective API: requested, detected, and those of the model's manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_database import FakeDatabase
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import TinyBundle
from werkzeug.test import TestResponse

from tox_com_det.http.routes import create_app
from tox_com_det.perspective.detector import MODEL, Detector
from tox_com_det.perspective.settings import PerspectiveSettings, PerspectiveSettingsError
from tox_com_det.settings import Settings

ENGLISH = "You clearly have no idea what you are talking about."
GERMAN = "Du hast doch überhaupt keine Ahnung, wovon du redest."
UNCLEAR = "lol"
NO_LETTER = "!!! 123 😀"
DETECTOR = Detector()


def send(client: FlaskClient, text: str, **more: Any) -> TestResponse:
    body = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}, **more}
    return client.post("/v1alpha1/comments:analyze", json=body)


def found(client: FlaskClient, text: str, **more: Any) -> tuple[list[str], list[str] | None]:
    """The languages of a response, and the detected ones; None: the field is not there."""
    response = send(client, text, **more)
    assert response.status_code == 200, response.text
    answer = response.get_json()
    assert "TOXICITY" in answer["attributeScores"]
    return answer["languages"], answer.get("detectedLanguages")


def refused(client: FlaskClient, text: str) -> dict[str, Any]:
    response = send(client, text)
    assert response.status_code == 400, response.text
    return response.get_json()["error"]


def test_the_detected_language_is_named(client: FlaskClient):
    assert found(client, ENGLISH) == (["en"], ["en"])
    assert found(client, ENGLISH, languages=["en-GB"]) == (["en-GB"], ["en"])
    assert found(client, f"{ENGLISH}\n\n{ENGLISH}\t\x00") == (["en"], ["en"])
    assert found(client, ENGLISH.upper()) == (["en"], ["en"])


@pytest.mark.parametrize("text", [UNCLEAR, NO_LETTER, "\ud83d", "\x00", "a"])
def test_what_is_not_clear_is_scored_and_not_named(client: FlaskClient, text: str):
    assert found(client, text) == (["en"], None)


def test_a_comment_in_another_language_is_scored_and_named(client: FlaskClient):
    assert found(client, GERMAN) == (["en"], ["de"])


def test_without_detection_nothing_is_named(make_client: Callable[..., FlaskClient]):
    settings = PerspectiveSettings(detect_languages=False, refuse_other_languages=True)
    client = make_client(perspective=settings)
    for text in (ENGLISH, GERMAN, NO_LETTER):
        assert found(client, text) == (["en"], None)


def test_other_languages_are_refused_where_configured(make_client: Callable[..., FlaskClient]):
    client = make_client(perspective=PerspectiveSettings(refuse_other_languages=True))
    assert found(client, ENGLISH) == (["en"], ["en"])
    assert found(client, UNCLEAR) == (["en"], None)
    assert found(client, GERMAN, languages=["en"]) == (["en"], ["de"])
    error = refused(client, GERMAN)
    assert error["message"] == "Attribute TOXICITY does not support request languages: de"
    (detail,) = error["details"]
    assert detail["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert detail["languageNotSupportedByAttributeError"] == {
        "detectedLanguages": ["de"],
        "attribute": "TOXICITY",
    }
    error = refused(client, NO_LETTER)
    assert error["message"] == "Unable to detect language"
    assert error["details"][0]["errorType"] == "LANGUAGE_DETECTION_FAILED"
    dropped = send(client, GERMAN, dropUnsupportedAttributes=True).get_json()
    assert dropped["attributeScores"] == {}


def test_suggestions_name_the_detected_language(client: FlaskClient):
    body = {
        "comment": {"text": GERMAN},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
    }
    answer = client.post("/v1alpha1/comments:suggestscore", json=body)
    assert answer.get_json() == {"detectedLanguages": ["de"]}


def test_the_languages_are_those_of_the_manifest(tmp_path: Path):
    bundle = TinyBundle(more={"languages": ["de", "fr"]})
    model = bundle.write(tmp_path / "german")

    def client(**settings: Any) -> FlaskClient:
        perspective = PerspectiveSettings(refuse_other_languages=True, **settings)
        app = create_app(Settings(model=model, perspective=perspective), FakeDatabase(bundle))
        return app.test_client()

    of_manifest, of_inventory = client(), client(languages=("en",))
    assert found(of_manifest, GERMAN) == (["de"], ["de"])
    assert found(of_manifest, UNCLEAR, languages="fr") == (["fr"], None)
    assert found(of_manifest, UNCLEAR) == (["de"], None)
    assert "languages: en" in refused(of_manifest, ENGLISH)["message"]
    assert found(of_inventory, ENGLISH) == (["en"], ["en"])
    assert "languages: de" in refused(of_inventory, GERMAN)["message"]


def test_a_flag_that_is_none_is_refused():
    with pytest.raises(PerspectiveSettingsError, match=r"DETECT_LANGUAGES is 'yes', expected 0 or"):
        PerspectiveSettings.from_environment({"SLOT_PERSPECTIVE_DETECT_LANGUAGES": "yes"})


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_has_at_most_one_language(text: str):
    assert len(DETECTOR.languages(text)) <= 1


def test_the_model_is_the_one_whose_origin_is_documented():
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    assert digest in MODEL.with_suffix(".txt").read_text(encoding="utf-8")
