"""Run the linters: `make lint`, or some of them with `python scripts/lint.py ruff mypy`.

Every linter runs, also after another one failed. The exit status is 1 if any of them failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from lint_files import PROJECT, files_of

BIN = Path(sys.executable).parent
# Checked with --strict by the settings in pyproject.toml; everything else by those of RELAXED.
STRICT = ("app/tox_com_det/", "controller/", "server/toxctl/", "fabfile.py")
RELAXED = Path(__file__).with_name("mypy_relaxed.ini")
TESTS = ("molecule/", "tests/")
# Tests pass fakes in place of the real class, and use results that may be None or any JSON: a wrong
# one fails the test anyway.
IN_TESTS = "arg-type index operator union-attr var-annotated"


class Linters:
    """The linters for the files below one directory, each as a method that returns success."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.python = [str(path) for path in files_of("python", root)]

    def ruff(self) -> bool:
        """Format and rules of Python."""
        formatted = self._run("ruff", "format", "--check", *self.python)
        return self._run("ruff", "check", *self.python) and formatted

    def mypy(self) -> bool:
        """Types: strict for the three packages, relaxed for programs and tests."""
        strict = [path for path in self.python if path.startswith(STRICT)]
        good = not strict or self._run("mypy", *strict)
        for directory, paths in self._relaxed().items():
            # A cache of its own: it goes by the module's name, and each has a module conftest.
            cache = Path(".mypy_cache", directory.replace("/", "-"))
            words = ["--config-file", str(RELAXED), "--cache-dir", str(cache)]
            if paths[0].startswith(TESTS):
                words += [f"--disable-error-code={code}" for code in IN_TESTS.split()]
            # `from conftest import ...` in a test means the file beside the test.
            good = self._run("mypy", *words, *paths, MYPYPATH=directory) and good
        return good

    def _relaxed(self) -> dict[str, list[str]]:
        """Return the files outside of the packages by the directory of their conftest.py.

        One run of mypy cannot hold two modules of the same name.
        """
        found: dict[str, list[str]] = {}
        for path in self.python:
            if path.startswith(STRICT):
                continue
            above = [
                str(one)
                for one in Path(path).parents
                if (self.root / one / "conftest.py").is_file()
            ]
            default = "tests" if path.startswith(TESTS) else "scripts"
            found.setdefault(above[0] if above else default, []).append(path)
        return found

    def shellcheck(self) -> bool:
        """Shell programs."""
        return self._run("shellcheck", *(str(path) for path in files_of("shell", self.root)))

    def codespell(self) -> bool:
        """Spelling, in every text file."""
        return self._run("codespell", *(f"./{path}" for path in files_of("text", self.root)))

    def yamllint(self) -> bool:
        """Form of YAML."""
        return self._run("yamllint", "--strict", ".")

    def ansible_lint(self) -> bool:
        """Roles and playbooks: profile production and the rules in tests/lint_rules."""
        return self._run("ansible-lint", "--offline")

    def role_readmes(self) -> bool:
        """The roles' READMEs match their specifications."""
        return self._run("python", "scripts/role_readmes.py", "--check")

    def layer_table(self) -> bool:
        """The table of layers in docs/models.md matches the recorded models."""
        return self._run("python", "scripts/layer_table.py", "--check")

    def _run(self, program: str, *arguments: str, **environment: str) -> bool:
        done = subprocess.run(  # noqa: S603 (words of this file and names of files, no shell)
            [BIN / program, *arguments],
            cwd=self.root,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment},
            check=False,
        )
        return done.returncode == 0


NAMES: dict[str, Callable[[Linters], bool]] = {
    "ruff": Linters.ruff,
    "shellcheck": Linters.shellcheck,
    "codespell": Linters.codespell,
    "yamllint": Linters.yamllint,
    "role-readmes": Linters.role_readmes,
    "layer-table": Linters.layer_table,
    "mypy": Linters.mypy,
    "ansible-lint": Linters.ansible_lint,
}


def main(arguments: list[str], root: Path = PROJECT) -> int:
    """Run the linters that the arguments name, or all."""
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        print(f"lint: {unknown[0]} is not one of {', '.join(NAMES)}", file=sys.stderr)
        return 2
    linters = Linters(root)
    failed = []
    for name in arguments or NAMES:
        print(f"-- {name}", flush=True)
        if not NAMES[name](linters):
            failed.append(name)
    if failed:
        print(f"lint: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
