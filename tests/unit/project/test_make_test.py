"""`make test` runs every part, reports the result of each, and never counts a skip as passed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
WITHOUT_CONTAINER = ["lint", "test-programs", "test-roles"]
NO_ENGINE = "there is no container engine (tried podman and docker)"


@dataclass
class Checkout:
    """A checkout whose commands are fakes: each records its call and exits as configured."""

    root: Path

    def fake(self, path: str, script: str) -> None:
        program = self.root / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def make(self, **codes: int) -> None:
        """Let `make <target>` exit with these codes, 0 for a target that is not named."""
        cases = "".join(
            f"*\\ {target.replace('_', '-')}*) exit {code} ;;\n" for target, code in codes.items()
        )
        self.fake("bin/make", f'echo "make $*" >>"{self.root}/ran"\ncase " $*" in\n{cases}esac')

    def check(self, code: int, answer: str) -> None:
        """Let `python -m controller.nanode check` exit with this code and output."""
        self.fake(
            ".venv/bin/python",
            f'echo "check $*" >>"{self.root}/ran-checks"\n'
            f'[ "$*" = "-m controller.nanode check" ] && echo "{answer}"\n'
            'case "$*" in\n'
            f'"-m controller.nanode check --system "*) echo "{answer}" ;;\n'
            "esac\n"
            f"exit {code}",
        )

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value for name, value in os.environ.items() if name not in ("CI", "SCENARIOS")
        }
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(  # noqa: S603 (the script under test)
            [str(self.root / "scripts/test")],
            env=kept | {"PATH": path, "SCENARIOS": "default"} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def ran(self) -> list[str]:
        file = self.root / "ran"
        targets = (
            [line.split()[2] for line in file.read_text().splitlines()] if file.exists() else []
        )
        # Lint and unit tests run beside the scenarios and each other.
        beside = sorted(target for target in targets if target in WITHOUT_CONTAINER)
        return beside + [target for target in targets if target not in beside]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(CHECKOUT / "scripts/test", tmp_path / "scripts/test")
    shutil.copy(CHECKOUT / "scripts/utf8.sh", tmp_path / "scripts/utf8.sh")
    made.fake("scripts/venv", "exit 0")
    made.make()
    made.check(0, "Yes, with podman.")
    return made


def summary(done: subprocess.CompletedProcess[str]) -> list[str]:
    return done.stdout.partition("== Summary\n")[2].splitlines()


def test_all_parts_pass(checkout):
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert summary(done) == [
        "PASSED default",
        "PASSED lint",
        "PASSED programs",
        "PASSED roles",
        "4 passed, 0 failed, 0 skipped",
    ]
    assert checkout.ran() == [*WITHOUT_CONTAINER, "test-molecule"]


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("lint", "lint"),
        ("test_programs", "programs"),
        ("test_roles", "roles"),
        ("test_molecule", "default"),
    ],
)
def test_after_a_failure_the_other_parts_run_and_the_result_is_a_failure(checkout, target, part):
    checkout.make(**{target: 2})
    done = checkout.run()
    assert done.returncode != 0
    assert f"FAILED {part}: exit code 2" in summary(done)
    assert summary(done)[-1] == "3 passed, 1 failed, 0 skipped"
    assert checkout.ran() == [*WITHOUT_CONTAINER, "test-molecule"]


def test_without_a_container_the_scenario_is_skipped_with_the_reason(checkout):
    checkout.check(3, NO_ENGINE)
    done = checkout.run()
    assert done.returncode == 0
    assert summary(done) == [
        f"SKIPPED default: {NO_ENGINE}",
        "PASSED lint",
        "PASSED programs",
        "PASSED roles",
        "3 passed, 0 failed, 1 skipped",
    ]
    assert checkout.ran() == WITHOUT_CONTAINER


@pytest.mark.parametrize("system", ["centos7", "el9", "arch"])
def test_a_system_with_an_image_has_a_check_of_its_own_and_is_skipped_with_the_reason(
    checkout, system
):
    checkout.check(3, "there is no image on this host")
    done = checkout.run(SCENARIOS=system, CI="true")
    assert done.returncode == 0
    assert f"SKIPPED {system}: there is no image on this host" in summary(done)
    assert f"--system {system}" in (checkout.root / "ran-checks").read_text()


def test_a_skip_does_not_hide_a_failure(checkout):
    checkout.check(3, NO_ENGINE)
    checkout.make(test_roles=1)
    done = checkout.run()
    assert done.returncode != 0
    assert summary(done)[-1] == "2 passed, 1 failed, 1 skipped"


def test_in_continuous_integration_a_skip_of_the_default_scenario_is_a_failure(checkout):
    checkout.check(3, NO_ENGINE)
    done = checkout.run(CI="true")
    assert done.returncode != 0
    assert summary(done) == [
        f"FAILED default: it must not be skipped with CI=true: {NO_ENGINE}",
        "PASSED lint",
        "PASSED programs",
        "PASSED roles",
        "3 passed, 1 failed, 0 skipped",
    ]
    checkout.check(0, "Yes, with podman.")
    assert checkout.run(CI="true").returncode == 0


def test_a_check_that_fails_is_no_reason_to_skip(checkout):
    checkout.check(1, "Traceback")
    done = checkout.run()
    assert done.returncode != 0
    assert "FAILED default: the check itself failed, exit code 1" in summary(done)
    assert "test-molecule" not in checkout.ran()


def test_without_the_environment_nothing_passes(checkout):
    checkout.fake("scripts/venv", "echo 'venv: no network' >&2; exit 1")
    done = checkout.run()
    assert done.returncode != 0
    assert "venv: no network" in done.stderr
    assert summary(done)[-1] == "0 passed, 4 failed, 0 skipped"
    assert checkout.ran() == []


def test_each_scenario_is_a_part(checkout):
    checkout.check(3, NO_ENGINE)
    done = checkout.run(CI="true", SCENARIOS="el9 default")
    assert f"SKIPPED el9: {NO_ENGINE}" in summary(done)
    assert summary(done)[-1] == "3 passed, 1 failed, 1 skipped"


def test_the_quick_selection_of_the_faults_is_a_part(checkout):
    checkout.fake("scripts/test-faults", f'echo "make faults $*" >>"{checkout.root}/ran"')
    done = checkout.run(SCENARIOS="faults", CI="true")
    assert done.returncode == 0, done.stderr
    assert summary(done) == [
        "PASSED faults",
        "PASSED lint",
        "PASSED programs",
        "PASSED roles",
        "4 passed, 0 failed, 0 skipped",
    ]
    assert "make faults --quick" in (checkout.root / "ran").read_text().splitlines()
    checkout.fake("scripts/test-faults", "exit 1")
    assert "FAILED faults: exit code 1" in summary(checkout.run(SCENARIOS="faults"))
    checkout.check(3, NO_ENGINE)
    assert checkout.run(SCENARIOS="faults").returncode == 0
    done = checkout.run(SCENARIOS="faults", CI="true")
    assert f"FAILED faults: it must not be skipped with CI=true: {NO_ENGINE}" in summary(done)


def test_lint_and_unit_tests_run_beside_the_scenarios(checkout):
    checkout.fake(
        "bin/make",
        f"""cd "{checkout.root}"
case " $* " in
*" lint "*) until [ -e scenario ]; do sleep 0.05; done; echo said by lint ;;
*" test-programs "*) touch unit; echo said by programs ;;
*" test-roles "*) echo said by roles ;;
*) touch scenario; until [ -e unit ]; do sleep 0.05; done; echo said by scenario ;;
esac""",
    )
    done = checkout.run()
    assert done.returncode == 0
    said = [line for line in done.stdout.splitlines() if line.startswith("said by ")]
    assert said == [
        "said by scenario",
        "said by lint",
        "said by programs",
        "said by roles",
    ]


def test_the_summary_names_the_tests_that_failed(checkout):
    checkout.fake(
        "bin/make",
        """case " $* " in
*" test-programs "*) echo "FAILED tests/unit/a/test_b.py::test_c[d e] - assert 1 == 2" ;;
*" test-m"*) printf '| \\033[31mFAILED\\033[0m molecule/default/tests/test_e.py::test_f[g]\\n' ;;
esac
exit 1""",
    )
    done = checkout.run()
    assert summary(done) == [
        "FAILED default: exit code 1",
        "    FAILED molecule/default/tests/test_e.py::test_f[g]",
        "FAILED lint: exit code 1",
        "FAILED programs: exit code 1",
        "    FAILED tests/unit/a/test_b.py::test_c[d",
        "FAILED roles: exit code 1",
        "0 passed, 4 failed, 0 skipped",
    ]


def test_the_end_of_a_failed_log_is_shown_after_everything_else(checkout):
    checkout.fake(
        "bin/make",
        """case " $* " in
*" test-m"*) seq 1000 | sed "s/^/said /"; printf '\\033[31mbroken\\033[0m\\n'; exit 1 ;;
esac""",
    )
    done = checkout.run()
    end = done.stdout.partition("== the end of build/test/default.log\n")[2].splitlines()
    assert end[58:60] == ["said 1000", "broken"]
    assert "the end of build/test/roles.log" not in done.stdout


def test_the_end_of_a_failed_scenario_is_what_came_before_the_container_was_destroyed(checkout):
    checkout.fake(
        "bin/make",
        """case " $* " in
*" test-m"*) echo 'INFO default ➜ destroy: Executing'; seq 1000; echo "E  assert 1 == 2"
  echo 'INFO default ➜ destroy: Executing'; seq 100; exit 1 ;;
esac""",
    )
    done = checkout.run()
    end = done.stdout.partition("== the end of build/test/default.log\n")[2].splitlines()
    assert end[58:60] == ["1000", "E  assert 1 == 2"]
    assert "== Summary" in end[60:63]


def test_a_lane_that_is_free_takes_the_next_scenario(checkout):
    for name in ("faults", "upgrade"):
        ready = "" if name == "faults" else "[ -e unit-tested ] || exit 1; "
        checkout.fake(
            f"scripts/test-{name}",
            f'cd "{checkout.root}"\necho {name} >>ran-scenarios\n{ready}touch {name}\n'
            "until [ -e upgrade ]; do sleep 0.05; done",
        )
    checkout.fake(
        "bin/make",
        f"""cd "{checkout.root}"
case " $* " in
*" lint "*) until [ -e default ] && [ -e faults ]; do sleep 0.05; done ;;
*" test-programs "*) touch unit-tested ;;
*" test-roles "*) ;;
*) echo default >>ran-scenarios; touch default; until [ -e upgrade ]; do sleep 0.05; done ;;
esac""",
    )
    done = checkout.run(SCENARIOS="default faults upgrade")
    assert done.returncode == 0, done.stdout
    assert summary(done)[-1] == "6 passed, 0 failed, 0 skipped"
    ran = (checkout.root / "ran-scenarios").read_text().split()
    assert sorted(ran) == ["default", "faults", "upgrade"]


def test_an_interruption_ends_what_runs_in_the_other_lanes_too(checkout):
    waiting = f"""cd "{checkout.root}"
trap 'touch ended-$part; exit 1' TERM; touch begun-$part; while :; do sleep 0.05; done"""
    checkout.fake("scripts/test-faults", f"part=faults\n{waiting}")
    checkout.fake(
        "bin/make",
        f"""cd "{checkout.root}"
case " $* " in
*" lint "*) part=lint
{waiting} ;;
*" test-roles "*) ;;
*) until [ -e begun-lint ] && [ -e begun-faults ]; do sleep 0.05; done; kill -TERM "$(cat pid)" ;;
esac""",
    )
    script = checkout.root / "scripts/test"
    script.write_text(
        script.read_text().replace("set -u\n", f'set -u\necho $$ >"{checkout.root}/pid"\n', 1)
    )
    assert checkout.run(SCENARIOS="default faults").returncode == 130
    ended = [checkout.root / "ended-lint", checkout.root / "ended-faults"]
    until = time.monotonic() + 300
    while not all(path.exists() for path in ended) and time.monotonic() < until:
        time.sleep(0.05)
    assert [path.name for path in ended if not path.exists()] == []


def test_by_default_the_scenarios_and_the_faults_run(checkout):
    checkout.fake("scripts/test-faults", f'echo "make faults $*" >>"{checkout.root}/ran"')
    checkout.fake("scripts/test-upgrade", f'echo "make upgrade $*" >>"{checkout.root}/ran"')
    done = checkout.run(SCENARIOS="")
    assert done.returncode == 0, done.stderr
    *parts, counts = [line.removeprefix("PASSED ") for line in summary(done)]
    assert counts == f"{len(parts)} passed, 0 failed, 0 skipped"
    assert {"default", "faults", "upgrade", "lint", "programs", "roles"} <= set(parts)
    for name in set(parts) - {"faults", "upgrade", "lint", "programs", "roles"}:
        assert (CHECKOUT / f"molecule/{name}/molecule.yml").is_file()


def test_make_test_is_this_script():
    printed = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "test"],  # noqa: S607 (make itself)
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == "scripts/test\n"


def test_continuous_integration_runs_make_test_and_allows_no_skip(checkout):
    (checkout.root / ".ci").mkdir()
    shutil.copy(CHECKOUT / ".ci/run", checkout.root / ".ci/run")
    checkout.fake("bin/make", f'echo "$PWD $CI $*" >"{checkout.root}/called"; exit 7')
    done = subprocess.run(  # noqa: S603 (the script under test)
        [str(checkout.root / ".ci/run")],
        env={"PATH": f"{checkout.root / 'bin'}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode == 7
    assert (checkout.root / "called").read_text() == f"{checkout.root} true test\n"
