"""Keras' recorded scores: another form is a one-line error that shows the right one."""

from __future__ import annotations

import json

import pytest

from controller.model_build.errors import BuildError
from controller.model_build.reference import read_reference


def written(tmp_path, content):
    path = tmp_path / "reference.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_scores_are_read_by_text(tmp_path):
    content = {"texts": ["a", "b"], "scores": [[0, 1], [0.5, 0.25]]}
    reference = read_reference(written(tmp_path, content), 2)
    assert reference.scores == {"a": [0.0, 1.0], "b": [0.5, 0.25]}
    assert reference.keras == "unknown"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        [],
        {"texts": ["a"]},
        {"texts": ["a"], "scores": [[0.5]]},
        {"texts": ["a", "b"], "scores": [[0.5, 0.5]]},
        {"texts": [1], "scores": [[0.5, 0.5]]},
        '{"texts": ["a"], "scores": [[NaN, 0.5]]}',
        {"texts": ["a"], "scores": [["x", 0.5]]},
    ],
)
def test_invalid_reference_shows_the_form(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(BuildError, match="the form must be") as error:
        read_reference(path, 2)
    assert str(error.value).startswith(f"{path}: not a reference (")
    assert "\n" not in str(error.value)


def test_a_number_too_long_to_read_is_said_plainly(tmp_path):
    path = written(tmp_path, '{"texts": ["a"], "scores": [[' + "1" * 5000 + ", 0.5]]}")
    with pytest.raises(BuildError, match="a number has 5000 digits, the limit is 4300"):
        read_reference(path, 2)
