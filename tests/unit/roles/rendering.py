"""Render the project's templates as ansible-playbook does, for every system, without a server.

Variables have Ansible's order of precedence: defaults of the role and its dependencies, inventory,
their vars with those of the system (tasks/set_vars.yml), facts. An undefined variable is an error.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.template import generate_ansible_template_vars
from cross_checks.lookup import per_system
from role_tree import PROJECT, Role, Tree
from templating import evaluate, render_text

__all__ = ["SYSTEMS", "TREE", "VARIANTS", "evaluate", "render", "render_text"]

# The facts that the roles use, as the setup module returns them.
SYSTEMS: dict[str, dict[str, object]] = {
    "centos7": {
        "distribution": "CentOS",
        "distribution_major_version": "7",
        "distribution_release": "Core",
        "distribution_version": "7.9",
        "os_family": "RedHat",
        "pkg_mgr": "yum",
        "all_ipv6_addresses": ["fe80::1"],
    },
    "el9": {
        "distribution": "Rocky",
        "distribution_major_version": "9",
        "distribution_release": "Blue Onyx",
        "distribution_version": "9.4",
        "os_family": "RedHat",
        "pkg_mgr": "dnf",
        "all_ipv6_addresses": ["fe80::1"],
    },
    "debian12": {
        "distribution": "Debian",
        "distribution_major_version": "12",
        "distribution_release": "bookworm",
        "distribution_version": "12.5",
        "os_family": "Debian",
        "pkg_mgr": "apt",
        "all_ipv6_addresses": ["fe80::1"],
    },
    "debian13": {
        "distribution": "Debian",
        "distribution_major_version": "13",
        "distribution_release": "trixie",
        "distribution_version": "13.3",
        "os_family": "Debian",
        "pkg_mgr": "apt",
        "all_ipv6_addresses": ["fe80::1"],
    },
    "arch": {
        "distribution": "Archlinux",
        "distribution_major_version": "NA",
        "distribution_release": "NA",
        "distribution_version": "NA",
        "os_family": "Archlinux",
        "pkg_mgr": "pacman",
        "all_ipv6_addresses": ["fe80::1"],
    },
}
DEBIAN = tuple(name for name, facts in SYSTEMS.items() if facts["os_family"] == "Debian")
# Results that tasks register before the templates are rendered.
REGISTERED: dict[str, object] = {
    "__balancer_build": {"stdout": "Available services : prometheus-exporter"},
    "__hardening_container": {"rc": 1},
    "__hardening_sshd": {"stdout": "port 22\nport 2222\naddressfamily any"},
    "__sshd_defaults": {
        "stdout": "port 22\nciphers aes256-ctr,3des-cbc\nmacs hmac-sha2-256-etm@openssh.com\n"
        "kexalgorithms curve25519-sha256,diffie-hellman-group1-sha1"
    },
    "__sshd_session": {"stdout": "/etc/pam.d/common-session"},
    "__firewalld_sshd": {"stdout": "port 22\nport 2222\naddressfamily any\npermitrootlogin no"},
}


@dataclass(frozen=True)
class Variant:
    """Variables of an inventory, and facts that differ from the usual ones."""

    name: str
    inventory: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    systems: tuple[str, ...] = tuple(SYSTEMS)


CLUSTER = {
    "groups": {
        "tox_com_det": ["app1", "app2.example.org", "lb1"],
        "app": ["app1", "app2.example.org", "of-another-product"],
        "database": ["lb1"],
        "balancer": ["lb1"],
    },
    "hostvars": {
        "app1": {"cluster_address": "192.0.2.11"},
        "app2.example.org": {"cluster_address": "2001:db8::12"},
        "lb1": {"cluster_address": "192.0.2.13"},
    },
}
REPLICA_SET: dict[str, Any] = {
    "groups": {
        "tox_com_det": ["app1", "db1", "db2", "db3"],
        "app": ["app1"],
        "database": ["db1", "db2", "db3", "of-another-product"],
    },
    "hostvars": {
        "app1": {"cluster_address": "192.0.2.11"},
        "db1": {"cluster_address": "192.0.2.13"},
        "db2": {"cluster_address": "2001:db8::14"},
        "db3": {"cluster_address": "192.0.2.15"},
    },
    "group_names": ["database", "tox_com_det"],
    "cluster_address": "192.0.2.13",
    "mongodb_remote_access": True,
    "mongodb_remote_bind_ip": "192.0.2.13",
    "mongodb_replica_set": "toxic",
    "mongodb_replica_set_key": "A" * 40,
}
VARIANTS = [
    Variant("defaults"),
    Variant(
        "system_python", {"python_provider": "system"}, systems=("el9", "debian12", "debian13")
    ),
    Variant("secantusdb", {"mongodb_provider": "secantusdb"}),
    Variant("gunicorn", {"flask_app_server": "gunicorn"}),
    Variant("mongodb_4.4", {"mongodb_version": "4.4"}),
    Variant("mongodb_7.0", {"mongodb_version": "7.0"}),
    Variant("mongodb_8.0", {"mongodb_version": "8.0"}, systems=("el9", "debian12")),
    Variant("mongodb_9.0", {"mongodb_version": "9.0"}, systems=("el9", "debian13")),
    Variant(
        "mongodb_remote",
        {
            "mongodb_remote_access": True,
            "mongodb_remote_sources": ["203.0.113.7", "2001:db8::/64"],
            "mongodb_remote_bind_ip": "198.51.100.4",
            "mongodb_tls_certificate_key": "a key",
            "mongodb_tls_ca": "an authority",
        },
    ),
    Variant("no_ipv6", facts={"all_ipv6_addresses": []}),
    Variant(
        "own_choices",
        {
            "firewalld_extra_ports": ["8443/tcp", "60000-61000/udp"],
            "flask_app_mongodb_uri": "mongodb://user:pass%2Fword@127.0.0.1:27018/?authSource=admin",
            "flask_app_perspective_attributes": [
                {"attribute": "TOXICITY", "label": "toxic"},
                {"attribute": "SPAM", "label": "spam"},
            ],
            "flask_app_perspective_languages": ["en", "de"],
            "flask_app_perspective_drop_unsupported": True,
            "flask_app_perspective_detect_languages": False,
            "flask_app_perspective_refuse_other_languages": True,
            "flask_app_request_timeout": 60,
            "flask_app_require_key": True,
            "hardening_fail2ban_ignore": ["192.0.2.0/24", "2001:db8::7"],
            "miniconda_prefix": "/opt/python",
            "mongodb_cache_size_gb": 0.5,
            "nginx_log_refused_percent": 0,
            "nginx_public_url": "https://toxic.example.org/",
            "nginx_metrics_allowed": ["192.0.2.7", "2001:db8::/32"],
            "nginx_readiness_per_second": 7,
            "nginx_worker_connections": 2048,
            "nginx_server_name": "toxic.example.org www.toxic.example.org",
            "sshd_modern_algorithms": True,
            "sshd_password_authentication": True,
            "sshd_permit_root_login": "prohibit-password",
            "sudo_user_nopasswd": True,
        },
    ),
    Variant("tls_selfsigned", {"tls_mode": "selfsigned", "tls_listen_port": 8443}),
    Variant(
        "tls_acme",
        {
            "tls_mode": "acme",
            "tls_names": ["toxic.example.org", "203.0.113.7"],
            "tls_accept_terms": True,
            "tls_hsts_seconds": 63072000,
            "tls_acme_ca_file": "/etc/ca.pem",
            "nginx_server_name": "toxic.example.org",
        },
    ),
    Variant("tls_files", {"tls_mode": "files", "firewalld_services": []}),
    Variant(
        "backups",
        {
            "backup_repository": "sftp://backup@192.0.2.9:2022//srv/tox",
            "backup_password": "a password",
            "backup_ssh_private_key": "a key",
            "backup_ssh_known_hosts": ["192.0.2.9 ssh-ed25519 AAAA"],
        },
    ),
    Variant("backups_in_a_directory", {"backup_repository": "/var/backups/tox"}),
    Variant(
        "balancer",
        {
            "balancer_app_hosts": [
                {"name": "app1", "address": "192.0.2.11", "port": 80},
                {"name": "app2", "address": "2001:db8::12", "port": 8080},
            ],
            "tls_mode": "files",
            "tls_listen_port": 8443,
            "tls_hsts_seconds": 63072000,
        },
    ),
    Variant("database_elsewhere", {"flask_app_mongodb_uri": "mongodb://user:pass@192.0.2.9/"}),
    Variant("sessions_of_sshd", {"__sshd_session": {"stdout": ""}}),
    Variant("behind_a_balancer", {**CLUSTER, "group_names": ["app", "tox_com_det"]}),
    Variant(
        "balancer_and_database",
        {
            **CLUSTER,
            "group_names": ["balancer", "database", "tox_com_det"],
            "mongodb_remote_access": True,
            "mongodb_remote_bind_ip": "192.0.2.13",
            "tls_mode": "selfsigned",
            "tls_hsts_seconds": 300,
        },
    ),
    Variant(
        "balancer_with_acme",
        {
            **CLUSTER,
            "group_names": ["balancer", "tox_com_det"],
            "tls_mode": "acme",
            "tls_accept_terms": True,
            "tls_names": ["toxic.example.org"],
        },
    ),
    Variant("replica_set", REPLICA_SET, systems=("debian12", "debian13", "arch")),
    Variant("bare_lists", {"firewalld_services": [], "base_packages": []}),
]

TREE = Tree(PROJECT)


def owners(tree: Tree = TREE) -> dict[str, Role]:
    """Return the role of each template."""
    return {
        source: role
        for role in tree.roles
        for task in role.template_tasks
        for (source,) in per_system(role, task, "src")
    }


def variables(role: Role, system: str, variant: Variant) -> dict[str, object]:
    """Return the variables of the role on the system, not yet templated."""
    facts = {**SYSTEMS[system], **variant.facts}
    family = facts["os_family"]
    merged: dict[str, object] = {}
    for one in (*role.all_dependencies, role):
        merged.update(one.defaults)
    merged.update({**REGISTERED, **variant.inventory})
    for one in (*role.all_dependencies, role):
        for stem in ("main", family, f"{family}_{facts['distribution_major_version']}"):
            merged.update(one.vars.get(one.path / "vars" / f"{stem}.yml", {}))
    merged["ansible_facts"] = facts
    merged["inventory_hostname"] = "server"
    merged["role_path"] = str(role.path)
    return merged


def managed_text() -> str:
    """Return `ansible_managed` of ansible.cfg, independent of the working directory."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(PROJECT / "ansible.cfg", encoding="utf-8")
    return config["defaults"]["ansible_managed"]


def render(template: str, role: Role, system: str, variant: Variant) -> str:
    """Return the file that the template becomes on the system."""
    path = PROJECT / "templates" / template
    values = variables(role, system, variant)
    values.update(generate_ansible_template_vars(template, str(path), values.get("dest")))
    values["ansible_managed"] = managed_text()
    return render_text(path.read_text(encoding="utf-8"), values)
