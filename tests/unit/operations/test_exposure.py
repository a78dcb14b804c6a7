"""Role exposure: where it connects to, and what it says about the answers."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import VARIANTS, evaluate, variables
from role_tasks import evaluate_assert, role, roles_in_order, task

SSH = ["user deploy", "hostname 203.0.113.7", "port 2222", "proxyjump gate.example.org"]
SERVER = "installed\nconfirmed\nport 22\naddressfamily any"


def given(**more: Any) -> dict[str, Any]:
    values = variables(role("exposure"), "debian12", VARIANTS[0])
    facts: dict[str, Any] = dict(values["ansible_facts"])  # type: ignore[call-overload]  # it is a dict
    facts["default_ipv4"] = {"address": "10.88.0.7", "interface": "eth0"}
    return {
        **values,
        "ansible_facts": facts,
        "inventory_hostname": "nanode",
        "__exposure_ssh": "\n".join(SSH),
        "__exposure_server": {"stdout": SERVER, "stdout_lines": SERVER.splitlines()},
        **more,
    }


def value(name: str, **more: Any) -> Any:
    return evaluate("{{ " + name + " }}", given(**more))


def where(**more: Any) -> tuple[str, int]:
    return value("__exposure_address", **more), int(value("__exposure_ssh_port", **more))


def test_a_real_server_is_seen_at_the_address_and_port_of_ssh():
    """Also for an alias of ~/.ssh/config, which only ssh can resolve."""
    assert where() == ("203.0.113.7", 2222)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1"])
def test_a_container_is_seen_at_its_own_address_and_port(name: str):
    """A port of this computer that leads to it would not show its firewall."""
    lines = [f"hostname {name}", "port 2222"]
    assert where(__exposure_ssh="\n".join(lines)) == ("10.88.0.7", 22)


def test_an_address_may_be_given():
    assert where(exposure_address="192.0.2.9") == ("192.0.2.9", 22)


def test_without_ssh_on_this_computer_the_inventory_decides():
    """As with a connection other than ssh."""
    assert where(__exposure_ssh="", ansible_host="192.0.2.1") == ("192.0.2.1", 22)
    assert where(__exposure_ssh="")[0] == "nanode"


@pytest.mark.parametrize(
    ("line", "indirect"),
    [
        ("proxyjump gate.example.org", True),
        ("proxycommand ssh -W %h:%p gate", True),
        ("proxycommand none", False),
        ("user deploy", False),
    ],
)
def test_a_server_without_new_connections_fails_unless_the_way_is_another(
    line: str, indirect: bool
):
    more = given(
        __exposure_ssh=f"hostname 203.0.113.7\nport 22\n{line}",
        __exposure_found={"states": {"22": "no answer"}, "lines": ["203.0.113.7 22/tcp ssh: ..."]},
        ansible_check_mode=False,
    )
    check = task("exposure", "Check that ssh accepts new connections")
    conditions = [f"({one})" for one in check.data["when"]]
    assert evaluate("{{ " + " and ".join(conditions) + " }}", more) != indirect
    assert not evaluate("{{ " + check.arguments["that"] + " }}", more)
    report = task("exposure", "Report that the server cannot be seen from here")
    conditions = [f"({one})" for one in report.data["when"]]
    assert evaluate("{{ " + " and ".join(conditions) + " }}", more) == indirect


def test_the_database_is_open_to_its_sources_only():
    def database(**more: Any) -> list[str]:
        (found,) = [one for one in value("__exposure_ports", **more) if one["name"] == "database"]
        assert found["expected"] == "closed"
        return found["sources"]

    sources = {"mongodb_remote_sources": ["203.0.113.0/24"]}
    assert database(**sources) == []
    assert database(**sources, mongodb_remote_access=True) == ["203.0.113.0/24"]


@pytest.mark.parametrize(
    ("status", "live", "words", "passes"),
    [
        (200, True, ": 200, ready", True),
        (503, True, ": 503, although a model is live", False),
        (503, False, ": 503, no model was deployed yet (fab deploy-model)", True),
        (-1, True, ": no answer (timed out), although a model is live", False),
        (-1, False, ": no answer (timed out)", False),
    ],
)
def test_the_answer_of_the_service(status: int, live: bool, words: str, passes: bool):
    lines = SERVER if live else SERVER.replace("confirmed\n", "")
    more = {
        "__exposure_server": {"stdout": lines, "stdout_lines": lines.splitlines()},
        "__exposure_ready": {
            "status": status,
            "msg": "Status code was -1 and not [200, 503]: timed out",
        },
        "ansible_check_mode": False,
    }
    answer = "http://203.0.113.7:80/readyz" + words
    assert value("__exposure_answer", **more) == answer
    verdict = evaluate_assert(task("exposure", "Check that the service answers"), given(**more))
    assert verdict.passed == passes
    assert verdict.message == f"{answer}: `fab status` shows the reason and the next command"


ENDED = "secantusdb.service loaded activating auto-restart SecantusDB"


def test_failed_units_and_those_that_are_to_be_started_again_are_read():
    script = task("exposure", "Read what is installed and the ports of sshd").arguments["cmd"]
    assert "systemctl list-units --type=service --state=failed,auto-restart " in script


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ("", []),
        (ENDED, ["secantusdb.service"]),
        (
            f"{ENDED}\nnginx.service loaded activating auto-restart nginx",
            ["secantusdb.service", "nginx.service"],
        ),
        ("mongod.service     loaded activating auto-restart x", ["mongod.service"]),
        ("firewalld.service loaded failed failed firewalld", ["firewalld.service"]),
        # Somebody else's.
        ("nginxy.service loaded activating auto-restart y", []),
        ("app.service loaded activating auto-restart z", []),
    ],
)
def test_a_service_that_ended_after_its_start_ends_the_run(lines: str, named: list[str]):
    out = f"{SERVER}\n{lines}"
    server = {"stdout": out, "stdout_lines": out.splitlines()}
    more = given(__exposure_server=server, ansible_check_mode=False)
    assert evaluate("{{ __exposure_ended }}", more) == named
    verdict = evaluate_assert(task("exposure", "Check that no service ended after its start"), more)
    assert verdict.passed == (not named)
    if named:
        assert verdict.message == (
            f"{', '.join(named)} ended on nanode after its start. "
            f"`sudo journalctl -n 50 -u {named[0]}` there shows why; then run this again"
        )


@pytest.mark.parametrize("check_mode", [True, False])
def test_check_mode_reports_and_never_fails(check_mode: bool):
    more = given(
        __exposure_found={"unexpected": ["203.0.113.7 27017/tcp database: open, expected closed"]},
        ansible_check_mode=check_mode,
    )
    verdict = evaluate_assert(task("exposure", "Check that nothing else is exposed"), more)
    assert verdict.passed == check_mode
    if not check_mode:
        assert "27017/tcp database: open, expected closed. Compare with" in verdict.message
        assert "`ansible-playbook site.yml --tags firewalld,nginx,balancer,mongodb,exposure`" in (
            verdict.message
        )


def test_it_is_the_last_playbook():
    assert roles_in_order("verify.yml") == ["exposure"]
