"""EPEL 7 comes from Fedora's archive: an explicit repository file, no package epel-release."""

from __future__ import annotations

from parsers import yum_repositories
from rendering import VARIANTS, Variant, evaluate, render, variables
from role_tasks import PROJECT, role

EPEL = "etc/yum.repos.d/epel.repo.j2"


def epel(variant: Variant = VARIANTS[0]):
    return yum_repositories(render(EPEL, role("package_sources"), "centos7", variant))["epel"]


def test_epel_comes_from_its_archive_and_is_signed():
    found = epel()
    assert found["baseurl"] == "https://dl.fedoraproject.org/pub/archive/epel/7/$basearch/"
    assert found["gpgcheck"] == "1"
    assert found["gpgkey"].endswith("RPM-GPG-KEY-EPEL-7")


def test_its_address_is_a_variable():
    own = Variant("own", {"package_sources_epel_url": "http://mirror.example.org/epel/"})
    assert epel(own)["baseurl"] == "http://mirror.example.org/epel/"


def test_nothing_installs_epel_release():
    named = [
        str(path.relative_to(PROJECT))
        for path in [*PROJECT.glob("roles/*/*/*.yml"), *PROJECT.glob("playbooks/*.yml")]
        for line in path.read_text(encoding="utf-8").splitlines()
        if "epel-release" in line
        and "name: Configure the EPEL" not in line
        and "description:" not in line
    ]
    assert named == []


def test_nginx_and_htop_which_only_epel_has_are_installed():
    assert "htop" in role("base").defaults["base_packages"]
    values = variables(role("nginx"), "centos7", VARIANTS[0])
    assert evaluate(values["__nginx_packages"], values) == ["nginx"]
