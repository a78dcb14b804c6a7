"""A login shell that is not installed is refused before the sudo user is changed."""

from __future__ import annotations

import pytest
from role_tasks import evaluate_assert, role, task

REQUIRE = task("sudo_user", "Require the login shell")


@pytest.mark.parametrize(
    ("stat", "passed"),
    [
        ({"exists": True, "isreg": True, "executable": True}, True),
        ({"exists": False}, False),
        # sshd refuses both of them too.
        ({"exists": True, "isreg": True, "executable": False}, False),
        ({"exists": True, "isreg": False, "isdir": True, "executable": True}, False),
    ],
)
def test_the_shell_is_a_program_of_the_server(stat: dict[str, bool], passed: bool):
    given = {
        "sudo_user_shell": "/usr/bin/fish",
        "__sudo_user_shell_file": {"stat": stat},
        # Those of the block: it runs where something changes.
        "ansible_check_mode": False,
        "__sudo_user_changes": True,
    }
    said = evaluate_assert(REQUIRE, given)
    assert said.passed is passed
    assert said.message == (
        "/usr/bin/fish is not installed on nanode: install its package there (site.yml installs "
        "base_extra_packages before this, bootstrap.yml does not), or choose another "
        "sudo_user_shell"
    )


def test_it_is_required_before_the_guard_is_armed():
    order = [one.name for one in role("sudo_user").tasks if one.file.name == "main.yml"]
    assert order.index("Check whether the user would change") < order.index(REQUIRE.name)
    assert order.index(REQUIRE.name) < order.index("Arm the lockout guard")
