"""Every rule holds for the project, and every rule finds the fault that it is there for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from role_rules import RULES, Rule
from role_tree import PROJECT, Tree
from sample_tree import write_sample

# A finding that stands for now, and why. One that is gone has to go from here as well.
WAIVED: dict[str, str] = {}
MAIN = "roles/web/tasks/main.yml"
SPEC = "roles/web/meta/argument_specs.yml"
DEFAULTS = "roles/web/defaults/main.yml"
PLAY = "playbooks/serve.yml"
CONF = "templates/etc/web/web.conf.j2"
JSON = "templates/etc/web/users.json.j2"
INVENTORY = "inventory/local/group_vars/all.yml"

# By rule: the file, what is replaced in it (once) with what, and what the finding says.
FAULTS: dict[str, list[tuple[str, str, str, str]]] = {
    "every_option_says_what_it_is": [
        (SPEC, "type: int", "type: number", "web_port has no type of"),
        (SPEC, "        elements: str\n", "", "web_users does not say what its elements are"),
        (SPEC, "TCP port.", "TCP port", "web_port is not described in a sentence"),
    ],
    "specification_and_defaults_agree": [
        (DEFAULTS, "web_port: 80", "web_port: 8080", "web_port is 8080, in the specification 80"),
        (DEFAULTS, "web_port: 80", "web_port: '80'", "web_port is '80', in the specification 80"),
        (DEFAULTS, "web_port: 80\n", "", "web_port is missing"),
        (DEFAULTS, "web_port: 80", "web_prot: 80", "web_prot has no specification"),
        (DEFAULTS, "web_users", "web_release: '1'\nweb_users", "web_release has no default in the"),
    ],
    "values_have_the_type_and_are_of_the_choices_specified": [
        (INVENTORY, "system", "conda", "value of python_provider must be one of: own, system"),
        ("inventory/local/hosts.yml", "81", "http", "web_port is 'http', which is no int"),
        ("inventory/local/hosts.yml", "81", "true", "web_port is True, which is no int"),
        (SPEC, "default: 80", "default: '80'", "web_port is '80', which is no int"),
    ],
    "site_wide_options_are_specified_alike": [
        (SPEC, "default: own", "default: system", "python_provider is specified in different ways"),
        (
            "roles/proxy/meta/argument_specs.yml",
            "python_prov",
            "web_port: &port {type: int}\n      python_prov",
            "web_port is specified by 2 roles",
        ),
    ],
    "a_default_that_is_repeated_elsewhere_is_the_specified_one": [
        (MAIN, "default('own')", "default('system')", "is 'own' by default, here 'system'"),
        (PLAY, "{{ web_port }}", "{{ web_port | default(8080) }}", "is 80 by default, here 8080"),
    ],
    "public_names_begin_with_the_role": [
        (DEFAULTS, "web_users", "users: []\nweb_users", "users does not begin with web_"),
    ],
    "internal_names_begin_with_the_role": [
        (MAIN, "register: __web_installed", "register: installed", "installed does not begin with"),
        ("roles/web/vars/main.yml", "__web_etc", "web_etc", "web_etc does not begin with __web_"),
        (MAIN, "  tags: [web]", "  vars: {_etc: /etc}", "_etc does not begin with __web_"),
    ],
    "variables_that_are_set_exist": [
        (INVENTORY, "web_users", "web_user", "web_user is no role's variable"),
        ("inventory/local/hosts.yml", "web_port", "web_prot", "web_prot is no role's variable"),
        ("inventory/local/hosts.yml", "ansible_host", "ansible_hots", "ansible_hots is no role's"),
        (
            PLAY,
            "__serve_started: true",
            "started: true",
            "started is no variable of a role or of the",
        ),
        ("roles/proxy/tasks/main.yml", "web_port", "web_prot", "web_prot is no role's variable"),
    ],
    "variables_that_inventories_and_plays_use_exist": [
        (PLAY, "{{ web_port }}", "{{ web_prot }}", "web_prot is used, but nobody specifies it"),
        (PLAY, " | default('root')", "", "bootstrap_user is not always given"),
        ("molecule/default/port.yml", "{{ port }}", "{{ prot }}", "prot is used, but nobody"),
        (INVENTORY, "vault_user", "user", "user is used, but nobody specifies it"),
    ],
    "variables_that_a_role_uses_are_defined_in_it": [
        (CONF, "{{ web_port }}", "{{ web_prot }}", "web.conf.j2: web_prot is not defined"),
        (MAIN, "__web_installed is not", "__web_instaled is not", "__web_instaled is not defined"),
        ("roles/web/vars/Debian.yml", "__web_packages: [web]", "", "not defined for Debian"),
        (MAIN, "python_provider | default('own')", "python_provider", "may be undefined here"),
        (
            "roles/web/vars/main.yml",
            "web_release | default(__web_system_release)",
            "web_release",
            "web_release may be undefined here, so it needs a default",
        ),
    ],
    "internal_variables_are_used": [
        (
            "roles/web/vars/main.yml",
            "__web_etc",
            "__web_old: 1\n__web_etc",
            "__web_old is not used",
        ),
    ],
    "options_are_used": [(CONF, "port {{ web_port }}\n", "", "web_port is used nowhere")],
    "templates_begin_with_the_managed_header": [
        (CONF, "{{ ansible_managed | comment }}\n", "", "web.conf.j2 does not begin with the"),
        (
            CONF,
            "{{ ansible_managed | comment }}\n",
            "\n{{ ansible_managed | comment }}\n",
            "web.conf.j2 does not begin with the",
        ),
        (JSON, '  "managed_by": ansible_managed,\n', "", "users.json.j2 does not begin with the"),
    ],
    "templates_are_checked_or_the_task_says_why_not": [
        (
            MAIN,
            "    # The program has no checker of its own.\n",
            "",
            "main.yml:17: no validate, and",
        ),
        (MAIN, "of its own.\n", "of its own.\n\n", "no validate, and no comment above"),
        (MAIN, "json.tool %s", "json.tool", "validate does not name the file"),
    ],
    "templates_lie_where_they_land": [
        (MAIN, '/web.conf"', '/httpd.conf"', "etc/web/web.conf.j2 lands at /etc/web/httpd.conf"),
        ("roles/web/vars/main.yml", "/etc/web", "/etc/httpd", "lands at /etc/httpd/web.conf"),
        (MAIN, "src: etc/web/web.conf.j2", "src: web.conf.j2", "there is no templates/web.conf.j2"),
        (
            "roles/web/vars/Debian.yml",
            "/etc/web/log",
            "/etc/log",
            "log.conf.j2 lands at /etc/log.conf",
        ),
    ],
    "every_template_is_used_by_exactly_one_task": [
        (
            MAIN,
            "src: etc/web/web.conf.j2",
            "src: etc/web/users.json.j2",
            "web.conf.j2 is used by 0",
        ),
        (
            MAIN,
            "src: etc/web/web.conf.j2",
            "src: etc/web/users.json.j2",
            "users.json.j2 is used by 2",
        ),
    ],
    "every_handler_is_notified": [
        (MAIN, "      notify: Use the new settings\n", "", "nobody notifies 'Restart the server'"),
    ],
    "every_notification_has_a_handler": [
        (
            MAIN,
            "notify: Use the new settings",
            "notify: Restart web",
            "no handler of the role hears",
        ),
    ],
    "tags_are_the_names_of_roles": [
        (PLAY, "[web]", "[web, server]", "the tag server is no role's name"),
        (PLAY, "[always]", "[tell]", "the tag tell is no role's name"),
        (PLAY, "tags: proxy", "tags: [web]", "the role proxy does not have its tag"),
        (MAIN, "tags: [web]", "tags: install", "the tag install is no role's name"),
    ],
    "every_role_is_in_a_playbook": [
        (PLAY, "    - {role: proxy, tags: proxy}\n", "", "roles/proxy is in no playbook"),
    ],
    "systems_are_told_apart_by_variables_only": [
        (
            MAIN,
            "when: __web_installed is not failed",
            "when: ansible_facts['os_family'] == 'Debian'",
            "asks for os_family",
        ),
        (
            MAIN,
            "when: __web_installed is not failed",
            "when: ansible_facts.distribution == 'Rocky'",
            "asks for distribution",
        ),
        (
            MAIN,
            "when: __web_installed is not failed",
            "when: ansible_os_family == 'Debian'",
            "asks for os_family",
        ),
        (
            MAIN,
            "that: __web_release",
            "that: ansible_facts['distribution_major_version']",
            "asks for distribution_major_version",
        ),
        (
            MAIN,
            "{{ __web_packages }}",
            "{{ 'a' if ansible_facts['distribution_version'] is version('8') else 'b' }}",
            "asks for distribution_version",
        ),
        (
            CONF,
            "port",
            "{% if ansible_facts['os_family'] == 'Debian' %}{% endif %}port",
            "asks for os_family",
        ),
    ],
    "names_are_sentences": [
        (
            MAIN,
            "- name: Install the server",
            "- name: install the server",
            "name 'install the server'",
        ),
        (MAIN, "- name: Configure the server\n  when", "- when", "the name None does not begin"),
        (PLAY, "- name: Serve\n ", "-", "the name None does not begin"),
        (
            "roles/web/handlers/main.yml",
            "name: Restart the",
            "name: restart the",
            "'restart the ser",
        ),
    ],
    "modes_are_quoted": [
        (MAIN, 'mode: "0644"', "mode: 0644", "the mode 420 is not four digits in quotes"),
        (MAIN, 'mode: "0644"', 'mode: "644"', "the mode '644' is not four digits in quotes"),
        (MAIN, 'mode: "0644"', "mode: u=rw", "the mode 'u=rw' is not four digits in quotes"),
    ],
    "modules_have_their_full_names": [
        (MAIN, "ansible.builtin.package:", "package:", "package is not a module's full name"),
        (PLAY, "ansible.builtin.debug:", "debug:", "debug is not a module's full name"),
    ],
}


def _remove_the_specification(root: Path) -> None:
    shutil.rmtree(root / "roles/web/meta")


def _copy_the_templates(root: Path) -> None:
    (root / "roles/web/templates").unlink()
    shutil.copytree(root / "templates", root / "roles/web/templates")


# Faults that are not in a file's text.
OTHER_FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "every_role_has_a_specification": (_remove_the_specification, "roles/web has no meta/argument"),
    "roles_reach_the_templates_by_a_link": (
        _copy_the_templates,
        "roles/web/templates is not a link",
    ),
}
THE_PROJECT = Tree(PROJECT)
BY_NAME = {rule.__name__: rule for rule in RULES}


CASES = [
    pytest.param(BY_NAME[name], *case, id=f"{name}: {case[-1]}")
    for name, cases in FAULTS.items()
    for case in cases
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Rule):
    found = [finding for finding in rule(THE_PROJECT) if finding not in WAIVED]
    assert not found, "\n".join(found)


def test_nothing_is_waived_that_no_rule_finds():
    found = {finding for rule in RULES for finding in rule(THE_PROJECT)}
    assert set(WAIVED) <= found, "remove it from WAIVED"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sample_without_a_fault_keeps_the_rule(tmp_path: Path, rule: Rule):
    write_sample(tmp_path)
    assert list(rule(Tree(tmp_path))) == []


@pytest.mark.parametrize(("rule", "file", "good", "bad", "finding"), CASES)
def test_the_rule_finds_the_fault(
    tmp_path: Path, rule: Rule, file: str, good: str, bad: str, finding: str
):
    write_sample(tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert good in text
    (tmp_path / file).write_text(text.replace(good, bad, 1), encoding="utf-8")
    assert finding in "\n".join(rule(Tree(tmp_path)))


@pytest.mark.parametrize("name", OTHER_FAULTS)
def test_the_rule_finds_the_missing_part(tmp_path: Path, name: str):
    write_sample(tmp_path)
    break_it, finding = OTHER_FAULTS[name]
    break_it(tmp_path)
    assert finding in "\n".join(BY_NAME[name](Tree(tmp_path)))


def test_every_rule_was_seen_to_fail():
    assert set(FAULTS) | set(OTHER_FAULTS) == set(BY_NAME)
