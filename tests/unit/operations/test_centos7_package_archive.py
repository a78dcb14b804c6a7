"""CentOS 7 installs packages from its archive, because its mirrors are gone.

The baseurl is vault.centos.org/7.9.2009 without a mirrorlist, and it is set before the first yum
task. The scenario centos7 converges it on a real CentOS 7 userland.
"""

from __future__ import annotations

import pytest
from parsers import yum_repositories
from rendering import VARIANTS, Variant, render
from role_tasks import PACKAGE_MODULES, TREE, role, roles_in_order

BASE = "etc/yum.repos.d/CentOS-Base.repo.j2"


def repositories(**inventory: object):
    variant = Variant("inventory", inventory)
    return yum_repositories(render(BASE, role("package_sources"), "centos7", variant))


def test_packages_come_from_the_archive_and_are_signed():
    found = repositories()
    assert found.sections() == ["base", "updates", "extras"]
    for name, path in (("base", "os"), ("updates", "updates"), ("extras", "extras")):
        expected = f"https://vault.centos.org/7.9.2009/{path}/$basearch/"
        assert found[name]["baseurl"] == expected
        assert found[name]["gpgcheck"] == "1"
        assert found[name]["gpgkey"].endswith("RPM-GPG-KEY-CentOS-7")


def test_no_mirror_list_is_used():
    text = render(BASE, role("package_sources"), "centos7", VARIANTS[0])
    assert "mirrorlist" not in text


def test_the_file_with_the_mirrors_is_replaced():
    (destination,) = {
        one.arguments["dest"]
        for one in role("package_sources").template_tasks
        if "CentOS" in one.arguments["src"]
    }
    assert destination == "/etc/yum.repos.d/CentOS-Base.repo"


@pytest.mark.parametrize("playbook", ["bootstrap.yml", "secure.yml"])
def test_the_repositories_are_configured_before_any_package_task(playbook: str):
    assert roles_in_order(playbook)[0] == "package_sources"
    for name in ("package_sources", "preflight"):
        assert not [one for one in role(name).tasks if one.module in PACKAGE_MODULES]


def test_site_yml_installs_no_package_before_the_repositories_are_configured():
    imports = [
        play.data["ansible.builtin.import_playbook"]
        for play in TREE.plays
        if play.file.name == "site.yml"
    ]
    assert imports[:2] == ["playbooks/preflight.yml", "playbooks/secure.yml"]
    assert roles_in_order("preflight.yml") == ["preflight"]


def test_the_mirror_and_the_proxy_are_variables():
    found = repositories(
        package_sources_centos_url="http://mirror.example.org/7.9",
        package_sources_extras_url="",
        package_sources_proxy="http://proxy.example.org:3128",
    )
    assert found.sections() == ["base", "updates"]
    assert found["base"]["baseurl"] == "http://mirror.example.org/7.9/os/$basearch/"
    assert found["base"]["proxy"] == "http://proxy.example.org:3128"
