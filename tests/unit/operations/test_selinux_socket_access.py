"""nginx may reach the slots' sockets under enforcing SELinux.

Otherwise it answers 502 and logs "13: Permission denied". The socket's directory below /run has a
label that the stock policy knows, and nginx may connect to the process behind it. The policy module
is compiled here, never enforced.
"""

from __future__ import annotations

import re
from pathlib import Path

import parsers
import pytest
from ansible_run import PROJECT, load, run_tasks
from rendering import VARIANTS, Variant, evaluate, owners, render, variables
from role_tasks import role

NGINX = "etc/nginx/nginx.conf.j2"
RULES = "usr/local/share/tox_com_det/selinux/tox_com_det.te.j2"
LABELS = "usr/local/share/tox_com_det/selinux/tox_com_det.fc.j2"
SYSTEMS = ("centos7", "el9")
GUNICORN = Variant("gunicorn", {"flask_app_server": "gunicorn"})


def text(template: str, system: str, variant: Variant = VARIANTS[0]) -> str:
    return render(template, owners()[template], system, variant)


@pytest.mark.parametrize("variant", [VARIANTS[0], GUNICORN], ids=lambda one: one.name)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_socket_of_nginx_has_a_label_that_it_may_write_to(system: str, variant: Variant):
    labels = parsers.file_contexts(text(LABELS, system))
    nginx = text(NGINX, system, variant)
    sockets = set(re.findall(r"unix:(/run/[^;\s]+);", nginx))
    assert len(sockets) == 2
    for socket in sockets:
        # The policy names /run by its old name /var/run.
        known = [kind for path, kind in labels.items() if re.fullmatch(path, f"/var{socket}")]
        assert known == ["httpd_var_run_t"]
    links = set(re.findall(r"unix:(/etc/[^;\s]+) ", nginx))
    (link,) = links
    assert [kind for path, kind in labels.items() if re.fullmatch(path, link)] == ["etc_t"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_nginx_may_connect_to_the_domains_that_the_service_runs_in(system: str):
    """The domain of services, or that of systemd if NoNewPrivileges= prevents the transition."""
    (domains,) = (
        what
        for who, what, kind, may in parsers.policy(text(RULES, system))
        if who == {"httpd_t"} and kind == "unix_stream_socket" and may == {"connectto"}
    )
    assert domains == {"init_t", "unconfined_service_t"}


def test_the_policy_is_loaded_before_nginx_and_the_service_start():
    (play,) = load(PROJECT / "playbooks/serve.yml")
    roles = [entry["role"] for entry in play["roles"]]
    assert roles.index("selinux") < roles.index("nginx") < roles.index("flask_app")


def test_the_probe_port_has_a_label():
    """The stock policy reserves 8081 for a transparent proxy, so nginx could not listen on it."""
    role = PROJECT / "roles/selinux"
    stock = load(role / "vars/main.yml")["__selinux_stock_ports"]
    nginx = load(PROJECT / "roles/nginx/defaults/main.yml")
    assert nginx["nginx_probe_port"] not in stock
    assert nginx["nginx_listen_port"] in stock
    named = load(role / "defaults/main.yml")["selinux_http_ports"]
    assert any("nginx_probe_port" in port for port in named)
    tasks = load(role / "tasks/policy.yml")
    (port,) = (
        task["community.general.seport"] for task in tasks if "community.general.seport" in task
    )
    assert port["setype"] == "http_port_t"


@pytest.mark.skipif(
    Path("/sys/fs/selinux/enforce").exists(), reason="this machine has SELinux: labels would change"
)
def test_without_selinux_nothing_is_changed(tmp_path: Path):
    variables = {"ansible_facts": {"os_family": "RedHat", "distribution_major_version": "7"}}
    code, changed, output = run_tasks(tmp_path, "selinux", "main.yml", variables)
    assert (code, changed) == (0, 0), output
    labelled = run_tasks(tmp_path, "selinux", "label.yml", {"__selinux_paths": ["/opt"]})
    assert labelled[:2] == (0, 0), labelled[2]


@pytest.mark.parametrize(
    ("system", "python"), [("centos7", "/usr/bin/python"), ("el9", "/usr/bin/python3")]
)
def test_bindings_are_those_of_the_systems_python(system: str, python: str):
    """With python3.11 installed Ansible runs modules by it, and seport finds no bindings there."""
    selinux = role("selinux")
    bound = [
        one
        for one in selinux.tasks
        if (one.module or "").rpartition(".")[2] in ("seport", "seboolean")
    ]
    # Two to set them, and one for the removal.
    assert len(bound) == 3
    values = variables(selinux, system, VARIANTS[0])
    for one in bound:
        chosen = one.data["vars"]["ansible_python_interpreter"]
        assert evaluate(chosen, values) == python
