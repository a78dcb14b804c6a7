"""Every template, rendered for every system and choice, is a file that its program can read."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from parsers import PARSERS
from rendered_files import NGINX, parsed, rendered
from rendering import (
    CLUSTER,
    SYSTEMS,
    TREE,
    VARIANTS,
    Variant,
    evaluate,
    managed_text,
    owners,
    render,
    render_text,
    variables,
)

ZONE = "etc/firewalld/zones/public.xml.j2"
DEFAULTS = VARIANTS[0]
CASES = [
    pytest.param(template, system, variant, id=f"{template}-{system}-{variant.name}")
    for template in TREE.templates
    for variant in VARIANTS
    for system in variant.systems
]


def test_every_template_has_a_parser():
    assert sorted(PARSERS) == TREE.templates, "add its parser to PARSERS in parsers/__init__.py"


@pytest.mark.parametrize(("template", "system", "variant"), CASES)
def test_the_rendered_file_can_be_parsed(template: str, system: str, variant: Variant):
    text = rendered(template, system, variant.name)
    PARSERS[template](text)
    assert managed_text() in text
    assert text.endswith("\n")
    assert not text.startswith("\n")
    assert "\n\n\n" not in text


def test_an_undefined_variable_is_fatal():
    role = owners()[NGINX]
    values = variables(role, "debian12", DEFAULTS)
    del values["nginx_listen_port"]
    text = (role.path / "templates" / NGINX).read_text(encoding="utf-8")
    with pytest.raises(AnsibleUndefinedVariable, match="nginx_listen_port"):
        render_text(text, {**values, "ansible_managed": "here"})


@pytest.mark.parametrize("system", SYSTEMS)
def test_task_files_that_a_system_selects_exist(system: str):
    selected = 0
    for role in TREE.roles:
        for name, value in variables(role, system, DEFAULTS).items():
            if name.startswith(f"__{role.name}_") and name.endswith("_tasks"):
                assert (role.path / "tasks" / str(value)).is_file(), name
                selected += 1
    assert selected


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_computed_default_has_the_type_of_its_option(system: str):
    for role in TREE.roles:
        for variant in VARIANTS:
            values = variables(role, system, variant)
            for name in role.defaults:
                checked = ArgumentSpecValidator({name: role.spec[name]})
                value = evaluate(values[name], values)
                assert not checked.validate({name: value}).error_messages
                if role.spec[name]["type"] in ("bool", "int"):
                    assert type(value).__name__ == role.spec[name]["type"], name


def test_only_a_mongod_that_knows_the_journal_option_gets_it():
    for variant in VARIANTS:
        for system in variant.systems:
            version = variant.inventory.get(
                "mongodb_version", "4.0" if system == "centos7" else "8.0"
            )
            named = "storage.journal.enabled" in parsed("etc/mongod.conf.j2", system, variant.name)
            assert named == (float(str(version)) < 6.1)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_firewall_opens_the_ports_of_sshd(system: str):
    assert parsed(ZONE, system) == (
        ["http", "https"],
        ["22/tcp", "2222/tcp"],
    )


HTTP = ["http", "https"]
SSH = ["22/tcp", "2222/tcp"]


@pytest.mark.parametrize(
    ("inventory", "services", "ports"),
    [
        ({"nginx_listen_port": 8080}, HTTP, [*SSH, "8080/tcp"]),
        ({"firewalld_services": []}, [], [*SSH, "80/tcp"]),
        (
            {"nginx_listen_port": 8080, "firewalld_extra_ports": ["8080/tcp"]},
            HTTP,
            [*SSH, "8080/tcp"],
        ),
        (
            {"nginx_listen_port": 8080, "tls_mode": "selfsigned", "tls_listen_port": 8443},
            HTTP,
            [*SSH, "8080/tcp", "8443/tcp"],
        ),
        (
            {**CLUSTER, "group_names": ["balancer", "tox_com_det"], "balancer_listen_port": 8080},
            HTTP,
            [*SSH, "8080/tcp"],
        ),
        # For the balancer alone, by a rule.
        ({**CLUSTER, "group_names": ["app", "tox_com_det"], "nginx_listen_port": 8080}, [], SSH),
        ({**CLUSTER, "group_names": ["database", "tox_com_det"]}, [], SSH),
    ],
)
def test_the_firewall_opens_the_port_of_http(
    inventory: dict[str, object], services: list[str], ports: list[str]
):
    text = render(ZONE, owners()[ZONE], "debian12", Variant("own", inventory))
    assert PARSERS[ZONE](text) == (services, ports)


@pytest.mark.parametrize("system", SYSTEMS)
def test_sudo_finds_toxctl(system: str):
    """RHEL's own secure_path leaves /usr/local/sbin out."""
    (path,) = re.findall(r"secure_path=(\S+)", rendered("etc/sudoers.d/tox_com_det.j2", system))
    assert "/usr/local/sbin" in path.split(":")


def test_sudo_does_not_ignore_the_file():
    """sudo ignores files in sudoers.d whose name contains a dot or ends in ~."""
    names = [path for path in TREE.templates if "/sudoers.d/" in path]
    assert names
    assert not [path for path in names if "." in path.split("/")[-1].removesuffix(".j2")]
