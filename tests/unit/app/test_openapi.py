"""GET /openapi.json and GET /docs."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import jsonschema
import pytest
from tiny_bundle import LABELS, TinyBundle

from tox_com_det.http.errors import TITLES
from tox_com_det.http.forms import predict_request, validated
from tox_com_det.http.routes import create_app
from tox_com_det.openapi.routes import CONTENT_SECURITY_POLICY
from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.settings import Settings


@pytest.fixture
def document(client):
    response = client.get("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    return response.json


def references(value):
    if isinstance(value, list):
        return {found for one in value for found in references(one)}
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own | {found for one in value.values() for found in references(one)}


def test_every_route_is_in_the_document_with_its_methods(client, document):
    routes: dict[str, set[str]] = {}
    for rule in client.application.url_map.iter_rules():
        if "<" not in rule.rule and not rule.endpoint.startswith("perspective"):
            routes.setdefault(rule.rule, set()).update(rule.methods - {"HEAD", "OPTIONS"})
    described = {path: {name.upper() for name in one} for path, one in document["paths"].items()}
    google = {path for path in described if re.match(r"/(v1alpha1|batch|\$)", path)}
    assert len(google) == 4
    assert {path: one for path, one in described.items() if path not in google} == routes


def test_every_reference_leads_somewhere_and_every_schema_is_used(document):
    found = references(document)
    for reference in found:
        part = document
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert {one for one in found if "/schemas/" in one} == schemas
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_limits_labels_and_model_are_those_of_the_server(make_client, bundle):
    document = make_client(max_texts=3, max_chars=50).get("/openapi.json").json
    assert bundle.load().model_version in document["info"]["description"]
    schemas = document["components"]["schemas"]
    for name in ("PredictRequest", "OldPredictRequest"):
        texts = schemas[name]["properties"]["texts"]
        assert (texts["maxItems"], texts["items"]["maxLength"]) == (3, 50)
        assert schemas[name]["additionalProperties"] is False
    assert schemas["Result"]["properties"]["scores"]["required"] == list(LABELS)
    asked = schemas["AnalyzeCommentRequest"]["properties"]["requestedAttributes"]
    assert re.match(asked["propertyNames"]["pattern"], "TOXICITY@6")


@pytest.mark.parametrize("required", [False, True])
def test_a_key_is_optional_unless_the_server_requires_one(make_client, required):
    paths = make_client(require_key=required).get("/openapi.json").json["paths"]
    for path in ("/v1/predict", "/predict", "/v1alpha1/comments:analyze", "/batch"):
        assert ({} in paths[path]["post"]["security"]) is not required
    assert ("401" in paths["/predict"]["post"]["responses"]) is required


def test_the_examples_are_valid_and_answered(client, document):
    count = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                example = content["application/json"]["example"]
                response = client.open(path, method=method, json=example)
                assert response.status_code == 200, response.text
                count += 1
    assert count == 4
    body = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert validated(body["example"], predict_request(32, 20_000)).explain is True


class Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []


def test_the_page_shows_every_operation_schema_and_code(client, document):
    response = client.get("/docs")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    for path in document["paths"]:
        assert f"</b> {path}</code>" in response.text
    anchors = Anchors()
    anchors.feed(response.text)
    assert len(anchors.ids) == len(set(anchors.ids))
    wanted = {f"error-{code}" for code in TITLES}
    wanted |= {f"schema-{name}" for name in document["components"]["schemas"]}
    assert wanted == set(anchors.ids)
    inside = {link[1:] for link in anchors.links if link.startswith("#")}
    assert inside <= wanted
    assert {link for link in anchors.links if not link.startswith("#")} == {"./", "openapi.json"}


def test_the_page_loads_nothing_and_its_policy_says_so(client):
    response = client.get("/docs")
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "script" not in CONTENT_SECURITY_POLICY + response.text
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "src=" not in response.text
    assert len(response.data) < 60_000


def test_the_page_escapes_values_of_the_model(tmp_path, database):
    model = TinyBundle(labels=("<script>alert(1)</script>", "b")).write(tmp_path / "odd")
    settings = replace(Settings(model=model), perspective=PerspectiveSettings(labels={"T": "b"}))
    client = create_app(settings, database).test_client()
    assert "<script>" not in client.get("/docs").text
    assert client.get("/openapi.json").status_code == 200


def test_both_are_made_once(client, monkeypatch):
    first = client.get("/docs").data, client.get("/openapi.json").data
    monkeypatch.setattr("tox_com_det.openapi.document.openapi_document", None)
    assert (client.get("/docs").data, client.get("/openapi.json").data) == first


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/v1alpha1/comments:analyze", "POST"), ("/batch", "POST"), ("/$discovery/rest", "GET, HEAD")],
)
def test_a_method_that_nobody_knows_is_405_with_the_allowed_ones(client, path, allowed):
    response = client.open(path, method="TRACE")
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)
    assert response.json["error"]["status"] == "UNIMPLEMENTED"
