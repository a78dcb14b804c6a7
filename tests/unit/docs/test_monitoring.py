"""docs/monitoring/: every metric that a rule, a panel or the page names exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tox_com_det.metrics.definitions import Metrics

DOCS = Path(__file__).parents[3] / "docs"
RULES = yaml.safe_load((DOCS / "monitoring/alerts.yml").read_text())
DASHBOARD = json.loads((DOCS / "monitoring/dashboard.json").read_text())
# What the names of a family's samples end with.
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}


@pytest.fixture(scope="module")
def names() -> set[str]:
    return {
        family.name + suffix
        for family in Metrics(["toxic"]).registry.collect()
        for suffix in SUFFIXES[family.type]
    }


def expressions() -> list[str]:
    rules = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    return rules + [one["expr"] for panel in DASHBOARD["panels"] for one in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_expressions_name_metrics_that_exist(expression, names):
    found = set(re.findall(r"\btox_com_det_[a-z_]+", expression))
    assert found <= names
    assert found or expression.startswith("up{")


def test_the_page_names_metrics_that_exist(names):
    found = set(re.findall(r"\btox_com_det_[a-z_]+", (DOCS / "monitoring.md").read_text()))
    assert found
    # The page names a histogram as a whole.
    histograms = {name.removesuffix("_bucket") for name in names if name.endswith("_bucket")}
    assert found <= names | histograms


def test_alerts_name_what_to_type():
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["summary"]
            assert rule["annotations"]["description"]


def test_panels_do_not_overlap():
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
