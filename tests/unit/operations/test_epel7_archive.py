"""EPEL 7 comes from Fedora's archive: an explicit repository file, no package epel-release."""

from __future__ import annotations

from parsers import yum_repositories
from rendering import VARIANTS, Variant, evaluate, render, variables
from role_tasks import PACKAGE_MODULES, TREE, role

EPEL = "etc/yum.repos.d/epel.repo.j2"


def epel(variant: Variant = VARIANTS[0]):
    return yum_repositories(render(EPEL, role("package_sources"), "centos7", variant))["epel"]


def test_epel_comes_from_its_archive_and_is_signed():
    found = epel()
    assert found["baseurl"] == "https://dl.fedoraproject.org/pub/archive/epel/7/$basearch/"
    assert found["gpgcheck"] == "1"
    assert found["gpgkey"].endswith("RPM-GPG-KEY-EPEL-7")


def test_the_address_is_a_variable():
    own = Variant("own", {"package_sources_epel_url": "http://mirror.example.org/epel/"})
    assert epel(own)["baseurl"] == "http://mirror.example.org/epel/"


def test_nothing_installs_epel_release():
    installed = []
    for of in TREE.roles:
        values = variables(of, "centos7", VARIANTS[0])
        installed += [value for name, value in values.items() if name.endswith("_packages")]
        for one in of.tasks:
            if one.module in PACKAGE_MODULES:
                installed.append(one.arguments.get("name"))
    assert len(installed) > 5
    assert "epel-release" not in str(installed)


def test_nginx_and_htop_are_installed_which_only_epel_has():
    assert "htop" in role("base").defaults["base_optional_packages"]
    values = variables(role("nginx"), "centos7", VARIANTS[0])
    assert evaluate(values["__nginx_packages"], values) == ["nginx"]
