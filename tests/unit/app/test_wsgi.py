"""The module that uWSGI imports, in a separate process with its own environment."""

import os
import subprocess
import sys

import pytest

CODE = (
    "from tox_com_det.wsgi import application as a; "
    "print(a.test_client().get('/livez').json['slot'])"
)


def start(**environment):
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", CODE],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_app_starts_while_the_database_is_down(model):
    done = start(
        TOX_COM_DET_MODEL=str(model),
        TOX_COM_DET_SLOT="green",
        TOX_COM_DET_MONGODB_URI="mongodb://127.0.0.1:9",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "green\n", "")


@pytest.mark.parametrize("fault", ["no setting", "unknown setting", "head", "manifest"])
def test_a_model_that_cannot_be_served_ends_the_start_with_one_line(model, fault):
    environment = {"TOX_COM_DET_MODEL": str(model)}
    if fault == "no setting":
        environment, words = {}, "TOX_COM_DET_MODEL is not set"
    elif fault == "unknown setting":
        environment, words = environment | {"TOX_COM_DET_MODLE": "x"}, "TOX_COM_DET_MODLE is not"
    elif fault == "head":
        (model / "head.onnx").write_bytes(b"x")
        words = "run `fab deploy-model` again"
    else:
        (model / "manifest.json").unlink()
        words = "manifest.json: No such file"
    done = start(**environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith("CRITICAL cannot start: ")
    assert words in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


def test_a_request_leaves_nothing_in_its_thread(model):
    """Small objects of each of hundreds of threads made a worker grow for hours."""
    code = (
        "from contextvars import copy_context; from tox_com_det.wsgi import application as a; "
        "client, before = a.test_client(), set(copy_context()); "
        "body = {'texts': ['hello', 'there']}; "
        "client.post('/predict', json=body); client.post('/v1/predict', json=body); "
        "client.get('/livez'); print(set(copy_context()) - before)"
    )
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code],
        env={
            "PATH": os.environ["PATH"],
            "TOX_COM_DET_MODEL": str(model),
            "TOX_COM_DET_MONGODB_URI": "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


def test_the_app_imports_nothing_of_the_laptop(model):
    code = CODE + "; import sys; print({'h5py', 'onnx', 'controller', 'toxctl'} & set(sys.modules))"
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "TOX_COM_DET_MODEL": str(model)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "none\nset()\n"
