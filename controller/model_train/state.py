"""What an interrupted training needs to go on: one file, replaced as a whole after each epoch."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.model_train.errors import TrainError

__all__ = ["STATE_FILE", "Epoch", "State", "load_state", "save_state"]

STATE_FILE = "training_state.npz"
Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean loss, validation ROC-AUC (mean of the labels), seconds."""

    loss: float
    auc: float
    seconds: float


@dataclass
class State:
    """The training after some epochs.

    Attributes:
        fingerprint: of recipe, comments and vectors (`Recipe.fingerprint`).
        epochs: those that are done.
        weights: of the network.
        optimizers: the variables of the optimizers.
        best: weights after the epoch with the highest validation AUC.
    """

    fingerprint: str
    epochs: list[Epoch] = field(default_factory=list)
    weights: Arrays = field(default_factory=list)
    optimizers: Arrays = field(default_factory=list)
    best: Arrays = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Number of the best epoch, counted from 0; -1 before the first."""
        return max(range(len(self.epochs)), key=lambda one: self.epochs[one].auc, default=-1)

    def finished(self, epochs: int, patience: int) -> bool:
        """Whether all epochs are done, or the last `patience` ones did not improve."""
        done = len(self.epochs)
        return done >= epochs or (done > 0 and done - 1 - self.best_epoch >= patience)


def save_state(directory: Path, state: State) -> None:
    """Write the state; the file is the new one or the one before."""
    about = {
        "fingerprint": state.fingerprint,
        "epochs": [asdict(one) for one in state.epochs],
    }
    parts = {"weights": state.weights, "optimizers": state.optimizers, "best": state.best}
    arrays: dict[str, Any] = {
        f"{name}_{number}": one for name, part in parts.items() for number, one in enumerate(part)
    }
    work = directory / f".{STATE_FILE}.{os.getpid()}"
    try:
        with work.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        work.replace(directory / STATE_FILE)
    finally:
        work.unlink(missing_ok=True)


def load_state(directory: Path, fingerprint: str) -> State:
    """Read the state of the same training.

    Raises:
        TrainError: none is there, it is damaged, or of other comments, vectors or options.
    """
    path = directory / STATE_FILE
    if not path.is_file():
        raise TrainError(f"{directory}: no training to go on with: leave out --resume")
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            state = State(
                about["fingerprint"],
                [Epoch(**one) for one in about["epochs"]],
                *(_arrays(file, name) for name in ("weights", "optimizers", "best")),
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise TrainError(
            f"{path}: damaged ({error}): remove {directory}, then start again without --resume"
        ) from None
    if state.fingerprint != fingerprint:
        raise TrainError(
            f"{directory}: its training has other comments, vectors, options or versions: give the "
            "same ones, or choose another --out"
        )
    return state


def _arrays(file: Any, name: str) -> Arrays:
    numbers = sorted(
        int(one.rpartition("_")[2]) for one in file.files if one.startswith(f"{name}_")
    )
    return [file[f"{name}_{number}"] for number in numbers]
