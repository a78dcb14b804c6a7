"""Reads the repository's documents: their links, headings, code spans and command lines."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
OWN = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob(".github/**/*.md")),
    ROOT / "sample_model" / "MODEL_CARD.md",
]
DOCUMENTS = [*OWN, *sorted(ROOT.glob("roles/*/README.md"))]
FORMS = sorted(ROOT.glob(".github/**/*.yml"))

FENCE = re.compile(r"^[ \t]*```(\w*)\n(.*?)^[ \t]*```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELL_LANGUAGES = ("", "console", "sh", "bash")
PROMPT = re.compile(r"^\s*[$#] ")


@dataclass(frozen=True)
class Command:
    """A command line that a document names, without its prompt and its comment."""

    document: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}: {' '.join(self.words)}"


def name_of(path: Path) -> str:
    """Return the document's name for the names of tests."""
    return path.relative_to(ROOT).as_posix()


def links(text: str) -> list[str]:
    """Return the targets of the links, without those in code blocks."""
    return LINK.findall(FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def spans(text: str) -> list[str]:
    """Return the contents of inline code, each on one line."""
    return [" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text))]


def commands(path: Path, program: str) -> list[Command]:
    """Return the command lines of `program` in a document, from inline code and code blocks."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        return [*_of(path, program, spans(text))]
    lines = spans(text)
    for language, block in FENCE.findall(text):
        if language in SHELL_LANGUAGES:
            lines += block.replace("\\\n", " ").splitlines()
    return _of(path, program, lines)


def _of(path: Path, program: str, lines: list[str]) -> list[Command]:
    found = []
    for line in lines:
        for part in re.split(r"\s*(?:\||&&|;)\s*", PROMPT.sub("", line)):
            words = _words(part)
            # A word in front, such as SCENARIOS=..., sets the program's environment.
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if words and words[0] == program:
                found.append(Command(path, tuple(words[1:])))
    return found


def _words(line: str) -> list[str]:
    """Split a line as a shell does; prose that only looks like one has no words."""
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return []
