"""ansible-lint, as .ansible-lint configures it, finds what the conventions of the roles forbid.

The rules below tests/lint_rules are the project's own. The second table shows that ansible-lint's
rules are enabled which cover the other conventions.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansiblelint.app import get_app
from ansiblelint.cli import get_config
from ansiblelint.file_utils import Lintable
from ansiblelint.rules import RulesCollection
from project_rule import ProjectRule
from role_tree import PROJECT
from sample_tree import FILES, write_sample

MAIN = "roles/web/tasks/main.yml"
LOG = "roles/web/tasks/log.yml"
LIMITS = "roles/web/tasks/limits.yml"
SPEC = "roles/web/meta/argument_specs.yml"
DEFAULTS = "roles/web/defaults/main.yml"
VARS = "roles/web/vars/main.yml"
HANDLERS = "roles/web/handlers/main.yml"
PLAY = "playbooks/serve.yml"
CONF = "templates/etc/web/web.conf.j2"
JSON = "templates/etc/web/users.json.j2"
HEADER = "{{ ansible_managed | comment }}\n"
WHEN = "when: __web_installed is not failed"
NOT_HEADER = "the template does not begin with the managed header"

# Rule: the file, what is replaced in it (once) by what, the file that is reported (the same where
# it is not named), and the message.
OWN: dict[str, list[tuple[str, str, str, str]]] = {
    "option-description": [
        (SPEC, "        elements: str\n", "", "web_users does not specify its elements"),
        (SPEC, "TCP port.", "TCP port", "the description of web_port is not a sentence"),
        (SPEC, "        type: int\n", "", "web_port has no type"),
        (SPEC, "web_release:", "release:", "release does not begin with web_"),
    ],
    "defaults-match-specification": [
        (SPEC, "default: 80", "default: 8080", "web_port is 80 in defaults/main.yml, here 8080"),
        (SPEC, "default: 80", "default: '80'", "web_port is 80 in defaults/main.yml, here '80'"),
        (SPEC, "        default: 80\n", "", "web_port has a default in defaults/main.yml only"),
        (SPEC, "web_port:", "web_prot:", "web_port of defaults/main.yml is not specified"),
        (
            SPEC,
            "the system's.\n",
            "the system's.\n        default: one\n",
            "web_release is missing",
        ),
    ],
    "private-variable-prefix": [
        (MAIN, "register: __web_installed", "register: installed", "installed does not begin with"),
        (MAIN, "register: __web_installed", "register: web_installed", "web_installed does not"),
        (MAIN, "  tags: [web]", "  vars: {_etc: /etc}", "_etc does not begin with __web_"),
        (
            MAIN,
            "  register: __web_installed",
            "  loop: [1]\n  loop_control: {loop_var: one}",
            "one does not begin with __web_",
        ),
        (
            "roles/web/tasks/proxy.yml",
            'ansible.builtin.debug:\n    msg: "{{ __web_proxy }}"',
            "ansible.builtin.set_fact:\n    proxy: one",
            "proxy does not begin with __web_",
        ),
        (VARS, "__web_etc", "web_etc", "web_etc does not begin with __web_"),
    ],
    "template-header": [
        (CONF, HEADER, "", NOT_HEADER),
        (CONF, HEADER, "\n" + HEADER, NOT_HEADER),
        (JSON, '  "managed_by": ansible_managed,\n', "", NOT_HEADER),
    ],
    "template-validation": [
        (MAIN, "    # The program has no checker.\n", "", "no validate, and no comment above"),
        (MAIN, "no checker.\n", "no checker.\n\n", "no validate, and no comment above"),
        (MAIN, "json.tool %s", "json.tool", "validate does not name the file"),
        (MAIN, 'mode: "0644"', 'mode: "0644"\n        validate: "{{ __web_etc }}"', "(%s)"),
        (LIMITS, "      # The program has no checker.\n", "", "no validate, and no comment above"),
        (LIMITS, "json.tool %s", "json.tool", "validate does not name the file"),
    ],
    "role-tags": [
        (PLAY, "[web]", "[web, server]", "the tag server is not the name of a role"),
        (PLAY, "[always]", "[show]", "the tag show is not the name of a role"),
        (PLAY, "tags: proxy", "tags: [web]", "the role proxy does not have its name as a tag"),
        (PLAY, "{role: proxy, tags: proxy}", "proxy", "the role proxy does not have its name"),
        (MAIN, "tags: [web]", "tags: install", "the tag install is not the name of a role"),
    ],
    "system-facts": [
        (MAIN, WHEN, "when: ansible_facts['os_family'] == 'Debian'", "tests os_family"),
        (MAIN, WHEN, "when: ansible_facts.distribution == 'Rocky'", "tests distribution"),
        (MAIN, WHEN, "when: ansible_os_family == 'Debian'", "tests os_family"),
        (
            MAIN,
            "that: __web_release",
            "that: ansible_facts['distribution_major_version']",
            "tests distribution_major_version",
        ),
        (
            MAIN,
            "{{ __web_packages }}",
            "{{ 'a' if ansible_facts['distribution_version'] is version('8') else 'b' }}",
            "tests distribution_version",
        ),
        (
            CONF,
            "port",
            "{% if ansible_facts['os_family'] == 'Debian' %}{% endif %}port",
            "tests os_family",
        ),
    ],
    "mode-format": [
        (MAIN, 'mode: "0644"', "mode: 0644", "the mode 420 is not four digits in quotes"),
        (MAIN, 'mode: "0644"', 'mode: "644"', "the mode '644' is not four digits in quotes"),
        (MAIN, 'mode: "0644"', "mode: u=rw", "the mode 'u=rw' is not four digits in quotes"),
        (LIMITS, 'mode: "0640"', "mode: '640'", "the mode '640' is not four digits in quotes"),
        (LIMITS, '        mode: "0640"\n', "", "the file has no mode"),
        (LIMITS, ', mode: "0755"', "", "the file has no mode"),
    ],
}
# Conventions that ansible-lint's own rules cover: the rule's tag, and a fault.
BUILT_IN: list[tuple[str, str, str, str]] = [
    ("schema[role-arg-spec]", SPEC, "type: int", "type: number"),
    ("name[casing]", MAIN, "- name: Install the server", "- name: install the server"),
    ("name[missing]", MAIN, "- name: Install the server\n ", "-"),
    ("name[play]", PLAY, "- name: Serve\n ", "-"),
    ("name[casing]", HANDLERS, "name: Restart the server", "name: restart the server"),
    ("fqcn[action-core]", MAIN, "ansible.builtin.package:", "package:"),
    ("fqcn[action-core]", PLAY, "ansible.builtin.debug:", "debug:"),
    ("risky-octal", MAIN, 'mode: "0644"', "mode: 644"),
    ("var-naming[no-role-prefix]", DEFAULTS, "web_users", "users: []\nweb_users"),
    ("jinja-template-extension", MAIN, "src: etc/web/web.conf.j2", "src: etc/web/web.conf"),
]


@pytest.fixture(scope="module")
def rules() -> Iterator[RulesCollection]:
    """The rules that `make lint` applies."""
    beside_python = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # Tests that evaluate templates in this process import collections without Ansible's own finder,
    # which cannot use what they imported.
    for name in [name for name in sys.modules if name.split(".")[0] == "ansible_collections"]:
        del sys.modules[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        patch.setenv("PATH", beside_python)
        options = get_config(["--offline", "-c", str(PROJECT / ".ansible-lint")])
        yield RulesCollection(
            app=get_app(offline=True),
            rulesdirs=options.rulesdirs,
            options=options,
            profile_name=options.profile,
        )


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    write_sample(tmp_path)
    return tmp_path


def found(rules: RulesCollection, path: Path) -> list[tuple[str, str]]:
    """Return the tag and the message of each violation in the file."""
    return [(match.tag, match.message) for match in rules.run(Lintable(path))]


def replace(path: Path, good: str, bad: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert good in text
    path.write_text(text.replace(good, bad, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("rule", "file", "good", "bad", "message"),
    [(rule, *case) for rule, cases in OWN.items() for case in cases],
)
def test_a_rule_of_the_project_finds_the_fault(
    rules: RulesCollection, sample: Path, rule: str, file: str, good: str, bad: str, message: str
):
    replace(sample / file, good, bad)
    assert any(tag == rule and message in said for tag, said in found(rules, sample / file))


@pytest.mark.parametrize("file", FILES)
def test_a_sample_without_a_fault_passes(rules: RulesCollection, sample: Path, file: str):
    covered = {*OWN, *(tag for tag, *_ in BUILT_IN)}
    assert [one for one in found(rules, sample / file) if one[0] in covered] == []


@pytest.mark.parametrize(("tag", "file", "good", "bad"), BUILT_IN)
def test_a_rule_of_ansible_lint_finds_the_fault(
    rules: RulesCollection, sample: Path, tag: str, file: str, good: str, bad: str
):
    replace(sample / file, good, bad)
    assert tag in [one for one, _ in found(rules, sample / file)]


def test_a_role_without_a_specification_is_found(rules: RulesCollection, sample: Path):
    shutil.rmtree(sample / "roles/web/meta")
    assert "role-argument-spec" in [tag for tag, _ in found(rules, sample / "roles/web")]


def test_every_rule_of_the_project_is_enabled_and_has_a_fault(rules: RulesCollection):
    assert {rule.id for rule in rules if isinstance(rule, ProjectRule)} == set(OWN)
    assert {rule.id for rule in ProjectRule.__subclasses__()} == set(OWN)


def test_an_error_in_a_rule_is_not_ignored(rules: RulesCollection, sample: Path):
    (sample / SPEC).write_text("argument_specs: [", encoding="utf-8")
    with pytest.raises(Exception, match="expected the node content"):
        rules.run(Lintable(sample / SPEC))
