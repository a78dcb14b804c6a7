"""Every check passes for the project, and finds the fault that it is for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cross_checks import CHECKS, Check
from role_tree import PROJECT, Tree
from sample_tree import write_sample

MAIN = "roles/web/tasks/main.yml"
SPEC = "roles/web/meta/argument_specs.yml"
LIMITS = "roles/web/tasks/limits.yml"
VARS = "roles/web/vars/main.yml"
DEBIAN = "roles/web/vars/Debian.yml"
PROXY = "roles/proxy/tasks/main.yml"
PLAY = "playbooks/serve.yml"
CONF = "templates/etc/web/web.conf.j2"
HOSTS = "inventory/local/hosts.yml"
GROUP = "inventory/local/group_vars/all.yml"

# By check: the file, what is replaced in it (once) by what, and the finding.
FAULTS: dict[str, list[tuple[str, str, str, str]]] = {
    "values_match_their_specification": [
        (GROUP, "system", "conda", "value of python_provider must be one of: own, system"),
        (HOSTS, "81", "http", "web_port is 'http', not of type int"),
        (HOSTS, "81", "true", "web_port is True, not of type int"),
        (SPEC, "default: 80", "default: '80'", "web_port is '80', not of type int"),
    ],
    "shared_options_have_one_specification": [
        (SPEC, "default: own", "default: system", "the specifications of python_provider differ"),
        (
            "roles/proxy/meta/argument_specs.yml",
            "python_prov",
            "web_port: &port {type: int}\n      python_prov",
            "web_port is specified by 2 roles",
        ),
    ],
    "repeated_defaults_match_the_specification": [
        (MAIN, "default('own')", "default('system')", "python_provider is 'own', here 'system'"),
        (PLAY, "{{ web_port }}", "{{ web_port | default(8080) }}", "web_port is 80, here 8080"),
    ],
    "options_are_used": [(CONF, "port {{ web_port }}\n", "", "web_port is not used")],
    "set_variables_exist": [
        (GROUP, "web_users", "web_user", "web_user is not an option of a role"),
        (HOSTS, "web_port", "web_prot", "web_prot is not an option of a role"),
        (HOSTS, "ansible_host", "ansible_hots", "ansible_hots is not an option"),
        (PLAY, "__serve_started: true", "started: true", "started is no option and not private"),
        (PROXY, "web_port", "web_prot", "web_prot is not an option of a role"),
    ],
    "used_variables_exist": [
        (PLAY, "{{ web_port }}", "{{ web_prot }}", "web_prot is used, but not specified"),
        (PLAY, " | default('root')", "", "bootstrap_user is not always set"),
        ("molecule/default/port.yml", "{{ port }}", "{{ prot }}", "prot is used, but not"),
        (GROUP, "vault_user", "user", "user is used, but not specified"),
    ],
    "vault_examples_are_complete": [
        (GROUP, "vault_user", "vault_name", "vault_name is missing"),
        (GROUP, '"{{ vault_user }}"', "one", "vault_user is not used"),
    ],
    "role_variables_are_defined": [
        (CONF, "{{ web_port }}", "{{ web_prot }}", "web.conf.j2: web_prot is not defined"),
        (MAIN, "__web_installed is not", "__web_instaled is not", "__web_instaled is not defined"),
        (DEBIAN, "__web_packages: [web]", "", "__web_packages is not defined for Debian"),
        (MAIN, "python_provider | default('own')", "python_provider", "may be undefined here"),
        (
            VARS,
            "web_release | default(__web_system_release)",
            "web_release",
            "web_release may be undefined here, so it needs a default",
        ),
    ],
    "private_variables_are_used": [
        (VARS, "__web_etc", "__web_old: 1\n__web_etc", "__web_old is not used"),
    ],
    "template_paths_match_destinations": [
        (MAIN, '/web.conf"', '/httpd.conf"', "web/web.conf.j2 is installed as /etc/web/httpd.conf"),
        (VARS, "/etc/web", "/etc/httpd", "is installed as /etc/httpd/web.conf"),
        (MAIN, "etc/web/web.conf.j2", "web.conf.j2", "templates/web.conf.j2 does not exist"),
        (DEBIAN, "/etc/web/log", "/etc/log", "log.conf.j2 is installed as /etc/log.conf"),
        (LIMITS, "/etc/web/limits.conf", "/etc/l", "limits.conf.j2 is installed as /etc/l"),
    ],
    "each_template_has_one_task": [
        (MAIN, "etc/web/web.conf.j2", "etc/web/users.json.j2", "web.conf.j2 is used by 0 tasks"),
        (MAIN, "etc/web/web.conf.j2", "etc/web/users.json.j2", "users.json.j2 is used by 2 tasks"),
        (MAIN, "etc/web/web.conf.j2", "etc/web/limits.conf.j2", "limits.conf.j2 is used by 2"),
        (LIMITS, "etc/web/quota.json.j2", "etc/web/q", "quota.json.j2 is used by 0 tasks"),
    ],
    "handlers_are_notified": [
        (MAIN, "      notify: Restart web\n", "", "handler 'Restart the server' is not notified"),
    ],
    "notifications_have_handlers": [
        (MAIN, "notify: Restart web", "notify: Reload web", "listens to 'Reload web'"),
    ],
    "roles_are_used": [
        (PLAY, "    - {role: proxy, tags: proxy}\n", "", "no role uses roles/proxy"),
    ],
}
BY_NAME = {check.__name__: check for check in CHECKS}
CASES = [
    pytest.param(BY_NAME[name], *case, id=f"{name}: {case[-1]}")
    for name, cases in FAULTS.items()
    for case in cases
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_project_passes(check: Check):
    found = list(check(Tree(PROJECT)))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_sample_without_a_fault_passes(tmp_path: Path, check: Check):
    write_sample(tmp_path)
    assert list(check(Tree(tmp_path))) == []


@pytest.mark.parametrize(("check", "file", "good", "bad", "finding"), CASES)
def test_the_fault_is_found(
    tmp_path: Path, check: Check, file: str, good: str, bad: str, finding: str
):
    write_sample(tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert good in text
    (tmp_path / file).write_text(text.replace(good, bad, 1), encoding="utf-8")
    assert finding in "\n".join(check(Tree(tmp_path)))


def test_a_copy_of_the_templates_is_found(tmp_path: Path):
    write_sample(tmp_path)
    (tmp_path / "roles/web/templates").unlink()
    shutil.copytree(tmp_path / "templates", tmp_path / "roles/web/templates")
    found = list(BY_NAME["roles_link_to_the_templates"](Tree(tmp_path)))
    assert found == ["roles/web/templates is not a link to ../../templates"]


def test_every_check_has_a_fault():
    assert set(FAULTS) | {"roles_link_to_the_templates"} == set(BY_NAME)
