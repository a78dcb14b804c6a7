"""The commands of docs/migrating-from-perspective.md about thresholds do what it says."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from from_file import from_file
from invoke import Collection
from invoke.parser import Parser
from local_service import comments, running

from controller.deploy.bundle import load_bundle
from controller.deploy.paths import ROOT
from controller.deploy.tasks.fit_scores import fit_scores
from controller.deploy.tasks.tune_thresholds import tune_thresholds

GUIDE = ROOT / "docs" / "migrating-from-perspective.md"


def options(task: str) -> dict[str, Any]:
    """What is typed after `fab <task>` in the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    (line,) = re.findall(rf"^\$ fab ({task} .+)$", text, re.MULTILINE)
    contexts = Collection.from_module(from_file("fabfile.py")).to_contexts()
    (found,) = Parser(contexts=contexts).parse_argv(shlex.split(line))
    return dict(found.as_kwargs)


def test_commands_about_thresholds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in ("fit_scores", "tune_thresholds"):
        monkeypatch.setattr(f"controller.deploy.tasks.{name}.SCORES", tmp_path / "scores")
    monkeypatch.chdir(tmp_path)
    texts = comments(300)
    fit, tune = options("fit-scores"), options("tune-thresholds")
    Path(fit["pairs"]).parent.mkdir(parents=True)
    with Path(fit["pairs"]).open("w", newline="", encoding="utf-8") as file:
        rows = [(text, "TOXICITY", (n % 100) / 100, "") for n, text in enumerate(texts)]
        csv.writer(file).writerows([("text", "attribute", "score", "problem"), *rows])
    with Path(tune["labelled"]).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "toxic"), *((text, 1) for text in texts)])
    with running(tmp_path / "service") as local:
        own = {"url": local.url, "bundle": str(local.bundle), "plot": str(tmp_path / "plot.png")}
        fit_scores(**{**fit, **own})
        assert list(load_bundle(local.bundle).manifest.score_maps) == ["TOXICITY"]
        tune_thresholds(**{**tune, "url": local.url})
    printed = capsys.readouterr().out
    assert "rate 0.02" in printed
    assert "precision 0.9" in printed
