"""What the documents name exists: links, files, commands, options and variables."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from documents import DOCUMENTS, FORMS, OWN, ROOT, Command, anchors, commands, links, name_of, spans
from from_file import from_file
from invoke import Collection
from invoke.parser import Argument

from controller.deploy.predict import ARTICLE_EXAMPLE, EXAMPLES
from toxctl.cli import parser as toxctl_parser

PLACEHOLDER = re.compile(r"[A-Z]+|<[a-z]+>|\.\.\.")
FAB_OPTIONS = ("--list", "--help", "-i")
TOP_LEVEL = tuple(
    entry.name for entry in ROOT.iterdir() if entry.is_dir() and entry.name not in (".git", ".venv")
)
# Examples of directories that the reader makes.
MADE_BY_READERS = ("inventory/mine", "build/")


def every_command(program: str) -> list[Command]:
    return [command for path in (*OWN, *FORMS) for command in commands(path, program)]


def each(program: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.parametrize("command", every_command(program), ids=str)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_relative_links_lead_to_a_file_and_a_heading(document: Path) -> None:
    for link in links(document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("document", OWN, ids=name_of)
def test_paths_in_the_repository_exist(document: Path) -> None:
    missing = [
        span
        for span in spans(document.read_text(encoding="utf-8"))
        if span.partition("/")[0] in TOP_LEVEL
        and re.fullmatch(r"[\w./<> *-]+", span)
        and not span.startswith(MADE_BY_READERS)
        and " " not in span
        and not list(ROOT.glob(re.sub(r"<[^>]+>", "*", span.rstrip("/"))))
    ]
    assert missing == []


@pytest.mark.parametrize("document", OWN, ids=name_of)
def test_python_files_named_without_their_directory_exist(document: Path) -> None:
    known = {
        path.name
        for directory in ("app", "controller", "server", "tests", "scripts", "bench")
        for path in (ROOT / directory).rglob("*.py")
    }
    known |= {path.name for path in ROOT.glob("*.py")}
    named = {
        span
        for span in spans(document.read_text(encoding="utf-8"))
        if re.fullmatch(r"\w+\.py", span)
    }
    assert named - known == set()


@each("make")
def test_make_targets_exist(command: Command) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {word for word in command.words if "=" not in word} <= targets


@pytest.fixture(scope="module")
def tasks() -> Collection:
    return Collection.from_module(from_file("fabfile.py"))


@each("fab")
def test_fab_tasks_and_their_options_exist(command: Command, tasks: Collection) -> None:
    options: dict[str, Argument] = {}
    needed: list[Argument] = []
    words = iter(command.words)
    for word in words:
        if word in FAB_OPTIONS or PLACEHOLDER.fullmatch(word):
            continue
        if needed and "." in word:  # a file
            needed.pop()
            continue
        if word.startswith("[") or word.endswith("]"):  # `rollback [--release]`
            word = word.strip("[]")
        if word.startswith("--"):
            assert word in options, word
            if options[word].takes_value:
                next(words, None)
            continue
        assert word in tasks.task_names, word
        needed = [one for one in tasks[word].get_arguments() if one.positional]
        options = {
            f"--{name}".replace("_", "-"): argument
            for argument in tasks[word].get_arguments()
            for name in argument.names
        }


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Return toxctl's verbs and their parsers."""
    (action,) = (
        action
        for action in toxctl_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(action.choices)


@each("toxctl")
def test_toxctl_verbs_and_their_options_exist(command: Command) -> None:
    parser = toxctl_parser()
    for word in command.words:
        if PLACEHOLDER.fullmatch(word):
            continue
        if word.startswith("-"):
            assert word in parser._option_string_actions, word
        elif word in verbs():
            parser = verbs()[word]


def test_toxctls_page_describes_every_verb_and_every_option() -> None:
    page = (ROOT / "docs" / "toxctl.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    assert sections.keys() == verbs().keys()
    for verb, parser in verbs().items():
        for option in set(parser._option_string_actions) - {"-h", "--help"}:
            assert re.search(rf"{option}\b", sections[verb]), f"{verb} {option}"
        assert f"# toxctl {verb}" in sections[verb] or f"toxctl --json {verb}" in sections[verb]


@each("python")
def test_modules_that_are_run_exist(command: Command) -> None:
    if command.words[0] == "-m":
        assert find_spec(command.words[1]) is not None
    elif command.words[0].endswith(".py"):
        assert (ROOT / command.words[0]).is_file()


@each("ansible-playbook")
def test_playbooks_and_their_tags_exist(command: Command) -> None:
    words = list(command.words)
    played: set[str] = set()
    for place, word in enumerate(words):
        if word.endswith(".yml"):
            assert (ROOT / word).is_file(), word
            played |= tags_of(ROOT / word)
        if word == "--tags" and not PLACEHOLDER.fullmatch(words[place + 1]):
            assert words[place + 1] in played, words[place + 1]


def tags_of(playbook: Path) -> set[str]:
    """The tags of a playbook's roles and of their dependencies, and of those it imports."""
    tags: set[str] = set()
    for play in yaml.safe_load(playbook.read_text(encoding="utf-8")):
        if imported := play.get("ansible.builtin.import_playbook"):
            tags |= tags_of(playbook.parent / imported)
        entries = list(play.get("roles", []))
        for entry in entries:
            tags |= set(entry.get("tags", []))
            meta = (ROOT / "roles" / entry["role"] / "meta/main.yml").read_text(encoding="utf-8")
            entries += yaml.safe_load(meta)["dependencies"]
    return tags


# The changelog also names variables that were renamed.
@pytest.mark.parametrize("document", sorted({*OWN} - {ROOT / "CHANGELOG.md"}), ids=name_of)
def test_variables_of_roles_exist(document: Path) -> None:
    specified: set[str] = set()
    roles = [path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml")]
    for role in roles:
        path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            specified |= entry.get("options", {}).keys()
    unknown = {
        name
        for span in spans(document.read_text(encoding="utf-8"))
        if (name := span.partition(":")[0]).startswith(tuple(f"{role}_" for role in roles))
        and re.fullmatch(r"[a-z0-9_]+", name)
        and name not in specified | set(roles)
    }
    assert unknown == set()


def test_readme_shows_the_comments_that_make_up_scores() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^(?: +\d\.\d{3}){6}  (.+)$", text, re.MULTILINE)
    assert tuple(rows) == EXAMPLES


def test_articles_comment_is_only_on_the_model_card_which_has_a_content_note() -> None:
    found = [page for page in OWN if ARTICLE_EXAMPLE in page.read_text(encoding="utf-8")]
    assert [name_of(page) for page in found] == ["sample_model/MODEL_CARD.md"]
    assert "Content note" in found[0].read_text(encoding="utf-8")


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(links((ROOT / "README.md").read_text(encoding="utf-8")))
    for page in OWN:
        if page.parent == ROOT / "docs" or (page.parent == ROOT and page.name != "README.md"):
            assert name_of(page) in linked


def test_every_command_is_looked_for() -> None:
    counts = {
        program: len(every_command(program))
        for program in ("make", "fab", "toxctl", "python", "ansible-playbook")
    }
    assert min(counts.values()) >= 5, counts
