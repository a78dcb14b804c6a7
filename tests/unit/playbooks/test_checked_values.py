"""A value that a program would not take stops every run before the first connection."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
# Nothing listens there, so a run that is not stopped cannot log in.
HOSTS = (
    "tox_com_det: {hosts: {x: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_user: deploy}}}\n"
)


def play(tmp_path: Path, variables: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook with these variables, on a host that cannot be reached."""
    (tmp_path / "group_vars").mkdir(exist_ok=True)
    (tmp_path / "hosts.yml").write_text(HOSTS)
    (tmp_path / "group_vars/all.yml").write_text(variables)
    return subprocess.run(  # noqa: S603 (built here)
        [Path(sys.executable).with_name("ansible-playbook"), "-i", str(tmp_path), *options],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def errors(stderr: str) -> list[str]:
    """The lines of the action, without what each ansible-core puts before an error."""
    lines = [re.match(r"(?:ERROR! |\[ERROR\]: )(.+)", line) for line in stderr.splitlines()]
    return [found[1] for found in lines if found and not found[1].startswith("Task failed: ")]


@pytest.mark.parametrize(
    "options",
    [
        ["site.yml"],
        ["site.yml", "--tags", "nginx"],
        ["site.yml", "--check"],
        ["playbooks/bootstrap.yml"],
        ["playbooks/bootstrap.yml", "--tags", "sudo_user"],
    ],
    ids=" ".join,
)
def test_each_wrong_value_is_a_line_with_its_file_before_anything_is_changed(
    tmp_path: Path, options: list[str]
) -> None:
    done = play(tmp_path, "flask_app_memory_max: 300MB\nnginx_listen_port: 99999\n", *options)
    assert done.returncode == 2
    where = tmp_path / "group_vars/all.yml"
    lines = errors(done.stderr)
    assert (
        "flask_app_memory_max is '300MB': it must be a size as a whole number with K, M, G "
        f"or T, such as 300M, at least 64M ({where}, line 1)"
    ) in lines
    port = "nginx_listen_port is 99999: it must be a port, 1 to 65535"
    assert f"{port} ({where}, line 2)" in lines
    assert "2 values are wrong, see above: nothing was changed. Correct the" in done.stdout
    shown = done.stdout.splitlines()
    tasks = [line.partition("]")[0] for line in shown if line.startswith("TASK [")]
    assert tasks[-1] == "TASK [preflight : Check the values of variables"
    assert "Traceback" not in done.stdout + done.stderr


# The first two carry out role preflight, which checks them; the last one changes nothing.
OTHERS = {"bootstrap", "preflight", "verify"}
ALONE = {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - OTHERS


def test_playbooks_that_are_run_alone_are_known() -> None:
    assert {"secure", "install", "serve", "uninstall", "upgrade_os"} <= ALONE


@pytest.mark.parametrize("name", sorted(ALONE))
def test_a_playbook_that_is_run_alone_checks_values_first_whatever_its_tags(name: str) -> None:
    (play,) = yaml.safe_load((ROOT / f"playbooks/{name}.yml").read_text())
    (task,) = play["pre_tasks"]
    assert "check_values" in task
    assert task["tags"] == ["always"]


def problems(tmp_path: Path, variables: Any, *options: str) -> str:
    done = play(tmp_path, json.dumps(variables), "site.yml", *options)
    assert "TASK [preflight : Check the values of variables]" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    lines = errors(done.stderr)
    assert bool(lines) == ("nothing was changed" in done.stdout)
    return "\n".join(lines)


def test_values_are_compared_as_they_are_evaluated(tmp_path: Path) -> None:
    """With defaults of roles and own variables; what needs facts is left to the server."""
    variables = {
        "preflight_own_variables": ["own_size", "own_address"],
        "own_size": "3 MB",
        "own_address": "{{ ansible_facts['default_ipv4']['address'] }}",
        "mongodb_memory_max": "{{ own_size }}",
        "mongodb_remote_bind_ip": "{{ own_address }}",
        "flask_app_mongodb_uri": "mongodb://127.0.0.1:{{ mongodb_port }}",
        "nginx_read_timeout": "{{ flask_app_request_timeout + 10 }}s",
        "nginx_server_name": "{{ nowhere }}",
        "base_swap_size": "{{ 1 +",
        "base_swap_path": "{{ lookup('file', '/not/there') }}",
    }
    found = problems(tmp_path, variables)
    assert "mongodb_memory_max is '3 MB'" in found
    assert "nginx_server_name cannot be evaluated: nowhere is not defined" in found
    # "template error" to ansible-core 2.16, "syntax error in template" to 2.19.
    assert re.search(r"base_swap_size cannot be evaluated: .*\btemplate\b", found)
    assert "base_swap_path cannot be evaluated: " in found
    for name in ("mongodb_remote_bind_ip", "flask_app_mongodb_uri", "nginx_read_timeout"):
        assert name not in found


def test_values_of_the_command_line_are_compared(tmp_path: Path) -> None:
    found = problems(tmp_path, {}, "-e", "nginx_listen_port=http base_swap_enabled=false")
    found += problems(tmp_path, {}, "-e", '{"preflight_disk_min_mb": -1}')
    assert "preflight_disk_min_mb is -1" in found
    assert "roles/preflight" not in found
    assert "nginx_listen_port is 'http'" in found
    assert "base_swap_enabled is 'false': it must be true or false without quotes" in found
    assert "(set in the inventory or with --extra-vars)" in found


def test_a_file_that_only_another_role_reads_may_be_missing(tmp_path: Path) -> None:
    variables = {"sudo_user_authorized_keys": ["{{ lookup('file', '/not/there.pub') }}"]}
    assert problems(tmp_path, variables, "--tags", "nginx") == ""
    assert "/not/there.pub" in problems(tmp_path, variables, "--tags", "nginx,sudo_user")
    assert "/not/there.pub" in problems(tmp_path, variables)


def test_tls_is_checked_before_anything_is_changed(tmp_path: Path) -> None:
    found = problems(tmp_path, {"tls_mode": "acme"})
    assert "tls_names is empty: add the server's host name or IP address" in found
    assert "tls_accept_terms is not true" in found
    variables = {"tls_mode": "files", "tls_certificate_file": "/not/there.pem"}
    found = problems(tmp_path, variables)
    assert "tls_certificate_file: /not/there.pem is missing on this computer" in found
    assert "tls_key_file is empty: set it to the path of a PEM file" in found
    # YAML reads off without quotes as false.
    assert problems(tmp_path, {"tls_mode": False}) == ""


def test_equal_ports_are_known_before_anything_is_changed(tmp_path: Path) -> None:
    found = problems(tmp_path, {"tls_mode": "selfsigned", "nginx_listen_port": 443})
    assert "nginx_listen_port and tls_listen_port are both 443: set one of them" in found


def test_what_was_valid_stays_valid(tmp_path: Path) -> None:
    variables = {
        "mongodb_memory_max": "50%",
        "nginx_client_max_body_size": "10m",
        "nginx_listen_port": "80",
    }
    assert problems(tmp_path, variables) == ""
