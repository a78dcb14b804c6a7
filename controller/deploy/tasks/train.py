"""`fab train`: its options, the environment with Keras, and what is made of the trained model."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from controller.deploy.cli import DRY_RUN
from controller.deploy.errors import DeployError
from controller.deploy.paths import BUILD, ROOT, absolute, user_path
from controller.model_build.errors import file_problem
from toxctl import signals

__all__ = ["HELP", "train"]

ENVIRONMENT = ROOT / ".venv-training"
MODEL = BUILD / "trained"
HELP = {
    "data": "CSV of comments (column comment_text) with a column of 0 to 1 for each label",
    "vectors": "GloVe or word2vec vectors of the comments' language, also .gz or .zip",
    "out": f"directory of the model (default: {MODEL.relative_to(ROOT)})",
    "member": "the file to read from a .zip that holds several",
    "labels": "columns, separated by commas (default: every column of numbers from 0 to 1)",
    "text_column": "of the comments (default: comment_text)",
    "language": "of the comments, or several separated by commas (default: en)",
    "name": "of the model, [a-z0-9_-] (default: model)",
    "epochs": "at most (default: by the number of comments)",
    "vocabulary": "words that the model knows (default: 70,000)",
    "length": "words of a comment that the model sees at once (default: 100)",
    "seed": "of every random choice (default: 1)",
    "resume": "go on with a training that was interrupted",
    **DRY_RUN,
}


def train(
    data: str | None = None,
    vectors: str | None = None,
    out: str | None = None,
    member: str | None = None,
    labels: str | None = None,
    text_column: str | None = None,
    language: str | None = None,
    name: str | None = None,
    epochs: int = 0,
    vocabulary: int = 0,
    length: int = 0,
    seed: int = 0,
    resume: bool = False,
    dry_run: bool = False,
) -> None:
    """Train a model on labelled comments of your own, here, and write a card of its figures."""
    directory = user_path(out, MODEL)
    files: dict[str, Path] = {}
    for option, typed in (("data", data), ("vectors", vectors)):
        if typed is None:
            raise DeployError(f"--{option} is missing: see `fab --help train`")
        files[option] = absolute(typed)
    for option, path in files.items():
        problem = file_problem(path)
        if problem:
            raise DeployError(f"{path} {problem}: set it with --{option}")
    given = {
        **files,
        "out": directory,
        "member": member,
        "labels": labels,
        "text_column": text_column,
        "language": language,
        "name": name,
        "epochs": epochs,
        "vocabulary": vocabulary,
        "length": length,
        "seed": seed,
    }
    words = [
        word
        for option, value in given.items()
        if value
        for word in (f"--{option.replace('_', '-')}", str(value))
    ]
    if resume:
        words.append("--resume")
    check_options(words, say=print if dry_run else _not)
    if dry_run:
        made = "" if ENVIRONMENT.is_dir() else f", after making {ENVIRONMENT.name} with Keras"
        print(f"would train with {shlex.join(words)}{made}")
        return
    make_environment()
    run_training(words, directory)
    write_results(directory)


def check_options(words: list[str], say: Callable[[str], None]) -> None:
    """Check what the training is called with, and read the comments: before Keras is installed.

    Raises DeployError: an option is wrong, or nothing can be trained on the comments.
    """
    # Imported here: NumPy, which no other task should wait for.
    from controller.model_train.data import check, read_comments
    from controller.model_train.errors import TrainError
    from controller.model_train.options import read_options
    from controller.model_train.outputs import refuse_directory

    try:
        options = read_options(words)
        refuse_directory(options.out, options.resume)
        comments, names = read_comments(options.data, options.labels, options.text_column, say)
        check(comments, names, str(options.data))
    except TrainError as error:
        raise DeployError(str(error)) from None
    say(f"{options.data}: {len(comments)} comments, labels {', '.join(names)}")


def _not(line: str) -> None:
    """The training itself says it again."""


def make_environment() -> None:
    """Create the environment with Keras, unless it is there. Raises DeployError: it cannot be."""
    done = subprocess.run([ROOT / "scripts" / "venv-training"], check=False)  # noqa: S603 (own script)
    if done.returncode:
        raise DeployError(
            "the environment with Keras cannot be made (see above): mend it, then rerun `fab train`"
        )


def run_training(words: list[str], directory: Path) -> None:
    """Run the training, whose output is shown as it comes.

    Raises:
        DeployError: it failed, or was interrupted; the epochs that are done are kept.
    """
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "app", "server"))
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "controller.model_train", *words]
    with signals.held() as release:
        # A group of its own: Ctrl-C reaches this process, which ends the training and waits for it.
        running = subprocess.Popen(  # noqa: S603 (own program, words are no shell text)
            command,
            env={**os.environ, "PYTHONPATH": paths},
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        try:
            release()
            _, problem = running.communicate()
        except KeyboardInterrupt:
            running.terminate()
            running.communicate()
            raise DeployError(_go_on(directory, "interrupted")) from None
        finally:
            if running.poll() is None:
                running.kill()
    if running.returncode:
        lines = [line for line in problem.splitlines() if line.startswith("error: ")]
        if lines:
            raise DeployError(lines[-1].removeprefix("error: "))
        reason = f"the training ended with code {running.returncode}"
        raise DeployError(_go_on(directory, reason), problem)


def _go_on(directory: Path, reason: str) -> str:
    from controller.model_train.state import STATE_FILE

    if not (directory / STATE_FILE).is_file():
        return f"{reason} before the first epoch was done: rerun `fab train`"
    return f"{reason}: the epochs that are done are kept: rerun `fab train --resume`"


def write_results(directory: Path) -> None:
    """Build the model once, to check it against Keras, and write its card from the bundle.

    Raises DeployError: the builder refuses it, or the comments that were held out are missing.
    """
    from controller.model_build.build import build
    from controller.model_build.errors import BuildError
    from controller.model_card.card import CardInput, write_card
    from controller.model_card.scorer import Scorer
    from controller.model_train.data import read_comments
    from controller.model_train.errors import TrainError
    from controller.model_train.outputs import H5_FILE, HELD_OUT_FILE, WORDS_FILE

    model = directory / H5_FILE
    try:
        with tempfile.TemporaryDirectory() as work:
            bundle = Path(work, "bundle")
            build(model, directory / WORDS_FILE, bundle, say=_not)
            scorer = Scorer(bundle)
        comments, _ = read_comments(directory / HELD_OUT_FILE, scorer.labels, say=_not)
        write_card(directory / "CARD.md", scorer, CardInput({"Held out": comments}), say=print)
    except (BuildError, TrainError) as error:
        raise DeployError(str(error)) from None
    print(f"next: fab build-model --h5 {shlex.quote(str(model))} restore-embeddings deploy-model")
