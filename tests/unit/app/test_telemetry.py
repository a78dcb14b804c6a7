"""No telemetry: nothing about a request or the server is collected."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = """
import {package}
import onnxruntime
from onnx import TensorProto, helper

graph = helper.make_graph(
    [helper.make_node("Identity", ["x"], ["y"])],
    "identity",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
onnxruntime.InferenceSession(model.SerializeToString()).run(None, {{"x": [1.0]}})
"""


def files_left_behind(package: str, home: Path) -> list[str]:
    """Files that ONNX Runtime wrote to an empty home directory after it scored something."""
    # Without the variables of continuous integration, where ONNX Runtime collects nothing.
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", LOAD.format(package=package)]
    subprocess.run(command, env=environment, check=True)  # noqa: S603 (built here)
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("package", ["tox_com_det", "controller.model_build"])
def test_onnx_runtime_collects_nothing(tmp_path, package):
    assert files_left_behind(package, tmp_path) == []


def test_telemetry_would_be_found_in_the_home_directory(tmp_path):
    assert files_left_behind("onnxruntime", tmp_path) != []
