"""The current version of toxctl and the newest other one stay; a new one is verified before use."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from ansible_run import load, run_tasks
from rendering import VARIANTS, evaluate, variables
from role_tasks import role, task
from role_tree import PROJECT

from controller.deploy import toxctl_release
from controller.deploy.toxctl_release import ToxctlRelease

DIRECTORY = "/opt/tox_com_det/toxctl"


def removed(current: str, **installed: float) -> list[str]:
    """Return the versions that the role removes; `installed` are names and times."""
    values = {
        **variables(role("toxctl"), "debian12", VARIANTS[0]),
        "__toxctl_build": {"stdout": json.dumps({"version": current})},
        "__toxctl_installed": {
            "files": [
                {"path": f"{DIRECTORY}/{name}", "mtime": mtime} for name, mtime in installed.items()
            ]
        },
    }
    found = evaluate("{{ __toxctl_superseded }}", values)
    assert isinstance(found, list)
    return [path.removeprefix(f"{DIRECTORY}/") for path in found]


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({}, []),  # check mode on a new server
        ({"new": 3.0}, []),
        ({"new": 3.0, "old": 1.0}, []),
        ({"old": 1.0, "new": 3.0, "middle": 2.0, "oldest": 0.5}, ["old", "oldest"]),
    ],
)
def test_the_newest_two_versions_stay(installed: dict[str, float], expected: list[str]):
    assert removed("new", **installed) == expected


def test_the_current_version_stays_even_if_it_was_installed_first():
    assert removed("a", a=1.0, b=2.0, c=3.0) == ["b"]


def test_a_version_is_started_before_it_gets_its_name_and_the_link():
    names = [one.name for one in role("toxctl").tasks if one.file.name == "install.yml"]
    verify = names.index("Verify that this version starts")
    assert names.index("Unpack this version") < verify < names.index("Give this version its name")
    install = task("toxctl", "Install this version")
    # One of module files, which is read as a task for each of its files.
    switch = min(
        one.line for one in role("toxctl").tasks if one.name.startswith("Switch to this version")
    )
    assert install.line < switch


def test_a_slot_with_the_old_programs_is_replaced_before_they_are_removed():
    """Of version 0.1. An interrupted run removes them later, because nothing is recorded yet."""
    assert [one.name for one in role("flask_app").handlers] == [
        "Reload systemd",
        "Read the slots' memory limit",
        "Require the slots' memory limit",
        "Switch to the idle slot",
        "Require a successful switch",
        "Remove the programs of version 0.1",
        "Record the applied slot configuration",
    ]
    assert {one.data["listen"] for one in role("flask_app").handlers} == {
        "Apply the slot configuration"
    }


@pytest.fixture
def installed(tmp_path: Path) -> ToxctlRelease:
    """A version as the role installs it, in `versions`."""
    return toxctl_release.build(tmp_path / "versions")


def is_installed_again(directory: Path, release: ToxctlRelease, *options: str) -> bool:
    """Run the role's own tasks and condition, with a task that changes in place of the install."""
    main = {one["name"]: one for one in load(PROJECT / "roles/toxctl/tasks/main.yml")}
    install = {
        "name": "Install",
        "ansible.builtin.debug": {"msg": "installed"},
        "changed_when": True,
        "when": main["Install this version"]["when"],
    }
    path = directory / "run/roles/toxctl/tasks/compare.yml"
    path.parent.mkdir(parents=True)
    tasks = [main["List installed versions"], main["Read the content of this version"], install]
    path.write_text(yaml.safe_dump(tasks))
    values = {
        "__toxctl_build": {"stdout": json.dumps(asdict(release))},
        "__toxctl_versions": str(directory / "versions"),
    }
    code, changed, output = run_tasks(directory / "run", "toxctl", "compare", values, *options)
    assert code == 0, output
    return changed == 1


def compiled(path: Path) -> None:
    """What Python leaves behind, if someone runs it without -B."""
    (path / "toxctl/__pycache__").mkdir()
    (path / "toxctl/__pycache__/cli.cpython-311.pyc").write_bytes(b"compiled")


def gone(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (compiled, False),
        (lambda path: (path / "toxctl/cli.py").write_bytes(b""), True),
        (lambda path: (path / "toxctl/cli.py").unlink(), True),
        (lambda path: (path / "toxctl/json.py").touch(), True),
        (gone, True),
    ],
    ids=["compiled", "emptied", "missing", "one more", "not installed"],
)
def test_a_version_that_is_not_whole_is_installed_again(
    tmp_path: Path, installed: ToxctlRelease, change: Callable[[Path], object], again: bool
):
    """A power cut may leave empty files under the final name."""
    change(Path(installed.path))
    assert is_installed_again(tmp_path, installed) is again


def test_a_damaged_version_is_found_in_check_mode(tmp_path: Path, installed: ToxctlRelease):
    (Path(installed.path) / "__main__.py").write_bytes(b"")
    assert is_installed_again(tmp_path, installed, "--check")


@pytest.mark.parametrize("left", [[], ["path"], ["path", "damaged"], ["damaged"]], ids=str)
def test_a_version_gets_its_name_also_in_place_of_a_damaged_one(tmp_path: Path, left: list[str]):
    """`damaged` is left by a run that was interrupted between the two renames."""
    for name in ("new", *left):
        (tmp_path / name / "toxctl").mkdir(parents=True)
        (tmp_path / name / "toxctl/cli.py").write_text(name)
    values = {
        **variables(role("toxctl"), "debian12", VARIANTS[0]),
        **{f"__toxctl_{name}": str(tmp_path / name) for name in ("new", "path", "damaged")},
    }
    words = task("toxctl", "Give this version its name").arguments["argv"]
    command = [str(evaluate(word, values)) for word in words]
    assert "sync" in command[2].split("mv")[0]
    subprocess.run(command, check=True)  # noqa: S603 (words of the role, directories of the test)
    assert [path.name for path in tmp_path.iterdir()] == ["path"]
    assert (tmp_path / "path/toxctl/cli.py").read_text() == "new"
