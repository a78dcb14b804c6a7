"""The training data of the sample model: labels, tweets without user names, the split."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parents[4]


@pytest.fixture
def corpus(monkeypatch):
    """The module, which is imported from the checkout: it is not part of an installation."""
    monkeypatch.syspath_prepend(PROJECT)
    return importlib.import_module("sample_model.corpus")


def test_repeated_comments_are_kept_once(corpus, tmp_path):
    path = tmp_path / "comments.csv"
    header = ",".join(["id", "comment_text", *corpus.LABELS])
    path.write_text(f'{header}\n1,"you, idiot",1,0,0,0,1,0\n2,"you, idiot",0,0,0,0,0,0\n')
    comments = corpus.read_comments(path)
    assert comments.texts == ["you, idiot"]
    assert comments.targets.tolist() == [[1, 0, 0, 0, 1, 0]]


def test_tweets_contain_no_user_names_and_links(corpus, tmp_path):
    path = tmp_path / "tweets.csv"
    path.write_text("class,tweet\n0,RT @ada: you &amp; me http://t.co/x1\n2,hello\n")
    tweets = corpus.read_tweets(path)
    assert tweets.texts == [": you & me", "hello"]
    assert tweets.targets.tolist() == [[1, 1], [0, 0]]


def test_split_gives_each_part_some_texts_of_each_label(corpus):
    targets = np.zeros((400, len(corpus.LABELS)), np.float32)
    for label in range(len(corpus.LABELS)):
        targets[label * 20 : label * 20 + 20, label] = 1
    parts = corpus.split(targets, seed=1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(400))
    assert [len(part) for part in parts] == [260, 60, 80]
    assert all((targets[part].sum(axis=0) > 0).all() for part in parts)


def test_empty_texts_are_harmless(corpus):
    insult = corpus.Corpus(["idiot"], np.ones((1, len(corpus.LABELS)), np.float32))
    filled = insult.with_empty_texts()
    assert set(filled.texts[1:]) == {""}
    assert filled.targets[1:].sum() == 0


def test_golden_texts_need_no_package_of_the_controller():
    """The training program imports them in an environment with Keras alone."""
    command = [sys.executable, "-S", "-c", "import controller.model_build.golden_texts"]
    environment = os.environ | {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'app'}"}
    done = subprocess.run(command, env=environment, check=False)  # noqa: S603 (own code)
    assert done.returncode == 0
