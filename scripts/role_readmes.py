"""Write the README of every role from what Ansible itself reads: `make docs`.

Usage: python scripts/role_readmes.py [--check]

The variables come from meta/argument_specs.yml, the files from the tasks that use a template, the
handlers from handlers/main.yml. With --check nothing is written; READMEs that are out of date are
named, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parent.parent
NOTE = (
    "<!-- Written by scripts/role_readmes.py from the role itself: "
    "change meta/argument_specs.yml, then run `make docs`. -->"
)
TEMPLATE_MODULE = "ansible.builtin.template"
# Of this project: several files in one task.
FILES_MODULE = "files"
# Ansible's markup in descriptions: C(code), V(value), O(option), U(address).
MARKUP = re.compile(r"\b([CVOU])\(((?:[^()]|\([^()]*\))*)\)")


def main(arguments: list[str] | None = None, project: Path = PROJECT) -> int:
    """Write the READMEs, or with --check compare them and return 1 if one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing, name the READMEs that are out of date"
    )
    check = parser.parse_args(arguments).check
    stale = 0
    for role in roles_of(project):
        readme, text = role / "README.md", readme_of(role)
        if readme.is_file() and readme.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            where = readme.relative_to(project)
            print(f"{where} is out of date: run `make docs`", file=sys.stderr)
        else:
            readme.write_text(text, encoding="utf-8")
            print(f"wrote {readme.relative_to(project)}")
    return 1 if check and stale else 0


def roles_of(project: Path) -> list[Path]:
    """Return the directories of the project's roles, by name."""
    return sorted(path.parent for path in (project / "roles").glob("*/meta"))


def readme_of(role: Path) -> str:
    """Return the README's text for the role in this directory."""
    entries = _load(role / "meta" / "argument_specs.yml")["argument_specs"]
    parts = [NOTE, f"# {role.name}"]
    if "main" in entries:
        parts += _main(role, entries["main"])
    else:
        parts += _entry_points(entries)
    templates = [
        (f"`/{source.removesuffix('.j2')}`", f"`templates/{source}`", checked)
        for source, checked in sorted(_templates(role))
    ]
    if templates:
        head = ("file on the server", "template", "validated before installation")
        parts += ["## Files", _table(head, templates)]
    handlers = _load(role / "handlers" / "main.yml") or []
    if handlers:
        rows = (
            (handler["name"], ", ".join(_lines(handler.get("listen", handler["name"]))))
            for handler in handlers
        )
        parts += ["## Handlers", _table(("handler", "notified as"), rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _main(role: Path, entry: dict) -> list[str]:
    """Return the sections of a role with an entry point main."""
    playbook = _played(role.parents[1]).get(role.name)
    if playbook == "site.yml":
        use = f"Run it alone: `ansible-playbook site.yml --tags {role.name}`."
    elif playbook:
        use = f"It is not part of `site.yml`: `ansible-playbook {playbook}` runs it."
    else:
        use = "Other roles depend on it or include it; it has no tag of its own."
    return [
        _prose(entry["short_description"]) + ".",
        _description(entry),
        use,
        *_variables("## Variables", entry),
    ]


def _played(project: Path) -> dict[str, str]:
    """Return the playbook of each role that has a tag, of a playbook or as a dependency.

    Those of site.yml count as its own.
    """
    whole = {play.get("ansible.builtin.import_playbook") for play in _load(project / "site.yml")}
    played = {}
    for path in sorted((project / "playbooks").glob("*.yml")):
        name = f"playbooks/{path.name}"
        for entry in (entry for play in _load(path) for entry in play.get("roles", [])):
            if name in whole or entry["role"] not in played:
                played[entry["role"]] = "site.yml" if name in whole else name
    for path in (project / "roles").glob("*/meta/main.yml"):
        dependencies = (_load(path) or {}).get("dependencies") or []
        for entry in dependencies:
            if entry["role"] in entry.get("tags", []):
                played[entry["role"]] = "site.yml"
    return played


def _entry_points(entries: dict[str, dict]) -> list[str]:
    """Return the sections of a role that only other roles include."""
    parts = ["Other roles include it (`include_role` with `tasks_from`)."]
    for name, entry in entries.items():
        parts += [
            f"## {name}",
            _prose(entry["short_description"]) + ".",
            _description(entry),
            *_variables("", entry),
        ]
    return parts


def _description(entry: dict) -> str:
    return _prose(" ".join(_lines(entry.get("description", []))))


def _variables(title: str, entry: dict) -> list[str]:
    options = entry.get("options", {})
    if not options:
        return []
    rows = (_option(name, option) for name, option in options.items())
    return [title, _table(("name", "type", "default", "meaning"), rows)]


def _option(name: str, option: dict) -> tuple[str, str, str, str]:
    kind = option["type"]
    if kind == "list" and "elements" in option:
        kind = f"list of {option['elements']}"
    if "default" in option:
        default = f"`{_value(option['default'])}`"
    else:
        default = "required" if option.get("required") else "not set"
    meaning = _prose(" ".join(_lines(option["description"])))
    if "choices" in option:
        meaning += " One of " + ", ".join(f"`{_value(choice)}`" for choice in option["choices"])
        meaning += "."
    return f"`{name}`", kind, default, meaning


def _templates(role: Path) -> Iterator[tuple[str, str]]:
    """Yield each template's path below templates/, and whether its file is checked first."""
    variables = _load(role / "vars" / "main.yml") or {}
    for path in sorted((role / "tasks").glob("*.yml")):
        for task in _tasks(_load(path) or []):
            entries = (task.get(FILES_MODULE) or {}).get("files") or []
            for arguments in [task.get(TEMPLATE_MODULE) or {}, *entries]:
                if "src" not in arguments:
                    continue
                source = arguments["src"]
                for name, value in variables.items():
                    source = source.replace("{{ " + name + " }}", str(value))
                yield source, "yes" if "validate" in arguments else "no checker"


def _tasks(tasks: list[dict]) -> Iterator[dict]:
    for task in tasks:
        yield task
        for branch in ("block", "rescue", "always"):
            yield from _tasks(task.get(branch) or [])


def _load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


def _lines(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _prose(text: str) -> str:
    def plain(match: re.Match) -> str:
        return f"<{match[2]}>" if match[1] == "U" else f"`{match[2]}`"

    return MARKUP.sub(plain, text)


def _value(value: object) -> str:
    """Return the value as an inventory would contain it."""
    if isinstance(value, str) and "{{" in value:
        return value
    if value == "":
        return '""'
    text = yaml.safe_dump(value, default_flow_style=True, width=sys.maxsize)
    return text.strip().removesuffix("...").strip().replace("'", '"')


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


if __name__ == "__main__":
    raise SystemExit(main())
