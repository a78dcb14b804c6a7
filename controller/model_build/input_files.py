"""The input files of a build: those that are given, and those that are beside the model."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from controller.model_build.beside import find_beside, other_architectures
from controller.model_build.card_figures import FIGURES_FILES
from controller.model_build.downloads import check_input
from controller.model_build.errors import BuildError
from controller.model_build.keras_file import has_architecture
from controller.model_build.text_vectorization import holds_words

WORD_INDEX_FILE = "word_index.json"


@dataclass(frozen=True)
class InputFiles:
    """The input files of a build; no word index where the model holds its words."""

    h5: Path
    word_index: Path | None
    settings: Path | None
    reference: Path | None
    architecture: Path | None
    sample: Path | None = None
    figures: Path | None = None

    def check(self) -> None:
        """Refuse what is not a file.

        Raises:
            BuildError: the first of them, with its option.
        """
        for option, path in {**self.to_hash(), "settings": self.settings}.items():
            # Figures that cannot be read are left out.
            if path is not None and option != "figures":
                check_input(path, f"--{option.replace('_', '-')}")

    def to_hash(self) -> dict[str, Path | None]:
        """The files by name; settings count by their values, not by the file that has them."""
        return {
            "h5": self.h5,
            "word_index": self.word_index,
            "reference": self.reference,
            "architecture": self.architecture,
            "sample": self.sample,
            "figures": self.figures,
        }


def input_files(
    h5: Path,
    word_index: Path | None,
    settings: str | Path | None,
    reference: str | Path | None,
    architecture: str | Path | None,
    sample: str | Path | None = None,
) -> tuple[InputFiles, tuple[str, ...]]:
    """The input files, as given or found beside the model, and notes on what is not read.

    Raises:
        BuildError: an `.h5` with weights only, beside an architecture that nobody named.
    """
    found = find_beside(h5)
    notes = found.notes if settings is None else ()
    beside = found.architecture
    is_complete = architecture is None and has_architecture(h5)
    if architecture is None and beside is not None:
        if is_complete:
            notes += (f"{beside} is an architecture, and not read: {h5.name} has its own",)
            beside = None
        else:
            notes += (f"architecture from {beside}",)
    if architecture is None and beside is None and not is_complete:
        others = other_architectures(h5)
        if others:
            raise BuildError(
                f"{h5}: holds weights only, without the layers; {others[0].name} beside it is an "
                "architecture: give it with --architecture "
                f"{shlex.quote(str(others[0]))}, if it is this model's"
            )
    used = Path(architecture) if architecture is not None else beside
    if used is not None:
        # Before it is opened: what is no file, such as a pipe, may never end.
        check_input(used, "--architecture")
    if word_index == h5.parent / WORD_INDEX_FILE and holds_words(h5, used):
        notes += (f"{word_index} is not read: the model holds its words",)
        word_index = None
    figures = (h5.parent / name for name in FIGURES_FILES)
    files = InputFiles(
        h5,
        word_index,
        Path(settings) if settings is not None else found.settings,
        Path(reference) if reference is not None else found.reference,
        used,
        Path(sample) if sample is not None else None,
        next((one for one in figures if one.is_file()), None),
    )
    return files, notes
