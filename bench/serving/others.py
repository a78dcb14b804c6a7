"""The other systems: how each is started, in an environment of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.serving import BenchError
from bench.serving.environments import python_of, version_of
from bench.serving.programs import Program

_SERVERS = "bench.serving.servers"


@dataclass(frozen=True)
class Setting:
    """What the systems are given.

    Attributes:
        checkout: this one.
        state: directory of the environments.
        bundle: of the model.
        h5: the model itself.
        word_index: of the model.
        mongodb_uri: of the stand-in database.
        suffix: of the systems' names, for this model.
    """

    checkout: Path
    state: Path
    bundle: Path
    h5: Path
    word_index: Path
    mongodb_uri: str
    suffix: str = ""

    def name(self, system: str) -> str:
        """A system's key in the figures."""
        return f"{system}{self.suffix}"

    def environment(self, **added: str) -> dict[str, str]:
        """The variables of a system: this checkout's modules, and no other Python's."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
        path = f"{self.checkout}:{self.checkout / 'app'}"
        return {**kept, "PYTHONPATH": path, **added}

    def python(self, name: str) -> Path:
        """The interpreter of a system's environment."""
        lock = self.checkout / "requirements/bench" / f"{name}.txt"
        return python_of(name, lock, self.state)


# A program, and the versions of what is compared.
Other = Callable[[Setting], tuple[Program, dict[str, str]]]


def litserve(setting: Setting) -> tuple[Program, dict[str, str]]:
    """LitServe with one worker."""
    python = setting.python("litserve")

    def command(listener: socket.socket) -> list[str]:
        words = [str(python), "-m", f"{_SERVERS}.litserve_app", str(setting.bundle)]
        return [*words, _port(listener)]

    program = Program(setting.name("litserve"), command, setting.environment())
    return program, {"LitServe": version_of(python, "litserve")}


def bentoml(setting: Setting) -> tuple[Program, dict[str, str]]:
    """BentoML with one worker, in production mode, and without its messages to its makers."""
    python = setting.python("bentoml")

    def command(listener: socket.socket) -> list[str]:
        words = [str(python.with_name("bentoml")), "serve", f"{_SERVERS}.bentoml_app:Toxicity"]
        return [*words, "--host", "127.0.0.1", "--port", _port(listener)]

    environment = setting.environment(
        BENCH_BUNDLE=str(setting.bundle),
        BENTOML_DO_NOT_TRACK="True",
        BENTOML_HOME=str(setting.state / "bentoml"),
    )
    program = Program(setting.name("bentoml"), command, environment)
    return program, {"BentoML": version_of(python, "bentoml")}


def article(setting: Setting) -> tuple[Program, dict[str, str]]:
    """The article's stack in gunicorn, with its collection."""
    python = setting.python("article")
    program = _article(setting, "article", setting.h5)
    fill = [str(python), "-m", f"{_SERVERS}.article_words", setting.mongodb_uri]
    done = subprocess.run([*fill, str(setting.word_index)], env=program.environment, check=False)  # noqa: S603 (built here, no shell)
    if done.returncode:
        raise BenchError("the article's collection cannot be filled: see above")

    versions = {name: version_of(python, name.lower()) for name in ("Flask", "Keras")}
    versions["TensorFlow"] = version_of(python, "tensorflow-cpu")
    return program, versions


def whole_model(setting: Setting, h5: Path) -> Program:
    """The article's stack with another model."""
    return _article(setting, "article_large", h5)


def _article(setting: Setting, name: str, h5: Path) -> Program:
    python = setting.python("article")

    def command(listener: socket.socket) -> list[str]:
        address = f"127.0.0.1:{_port(listener)}"
        words = [str(python), "-m", "gunicorn", f"{_SERVERS}.article_app:application"]
        return [*words, "--bind", address, "--timeout", "120", "--keep-alive", "60"]

    environment = setting.environment(
        BENCH_H5=str(h5),
        BENCH_MONGODB_URI=setting.mongodb_uri,
        CUDA_VISIBLE_DEVICES="",
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    return Program(name, command, environment)


def _port(listener: socket.socket) -> str:
    return str(listener.getsockname()[1])


OTHERS: Mapping[str, Other] = {"litserve": litserve, "bentoml": bentoml, "article": article}
# Those that keep all vectors in memory, and are measured with the larger model too.
KEEPING = ("litserve", "bentoml")
