"""The hosts of a deploy, from the Ansible inventory and nothing else.

Asked through Ansible's public command line, `ansible <group> -m debug` (0.6 s; the in-process API
takes 0.2 s but is not stable between releases), because only Ansible itself reads every form of an
inventory: group_vars, templated values, vault, plugins. No host is contacted.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.deploy.errors import DeployError
from controller.deploy.inventory_errors import GROUP, no_hosts, vault_error
from controller.deploy.limits import refuse_limit_to_nothing
from controller.deploy.paths import ROOT, absolute
from controller.deploy.ssh_config import SshConfig, ask_ssh
from controller.deploy.ssh_options import ssh_options
from controller.deploy.variable_names import refuse_no_texts, refuse_unknown

__all__ = ["GROUP", "Host", "read_hosts", "refuse_empty"]

# Whether clients ask this host, and not a balancer in front or the app hosts (role firewalld).
PUBLIC = (
    "(group_names | intersect(['app', 'database', 'balancer']) == [] or 'balancer' in group_names "
    "or ('app' in group_names "
    f"and not groups['balancer'] | default([]) | intersect(groups['{GROUP}'])))"
)

# What is asked of each host: name -> Jinja expression.
ASKED = {
    # The callback sorts hosts by name.
    "place": f"groups['{GROUP}'].index(inventory_hostname)",
    "address": "ansible_host | default(ansible_ssh_host | default(inventory_hostname))",
    "port": "ansible_port | default(ansible_ssh_port | default(''))",
    "user": "ansible_user | default(ansible_ssh_user | default(''))",
    "key_file": "ansible_ssh_private_key_file | default(ansible_private_key_file | default(''))",
    "password": "ansible_password | default(ansible_ssh_pass | default(''))",
    "become_password": "ansible_become_password | default(ansible_become_pass | default(''))",
    "common_args": "ansible_ssh_common_args | default('')",
    "extra_args": "ansible_ssh_extra_args | default('')",
    "hooks_dir": "deploy_hooks_dir | default('')",
    # What the firewall lets in (role firewalld), for `fab doctor`.
    "firewall": "{'services': firewalld_services | default(['http', 'https']), "
    "'closed': ['http', 'https'] if 'app' in group_names "
    f"and groups['balancer'] | default([]) | intersect(groups['{GROUP}']) "
    "or group_names | intersect(['app', 'database', 'balancer']) == ['database'] else [], "
    "'ports': firewalld_extra_ports | default([]), "
    "'web': [(balancer_listen_port if 'balancer' in group_names else nginx_listen_port) "
    f"| default(80) | string] if {PUBLIC} else [], "
    # YAML reads off as false.
    "'tls': [tls_listen_port | default(443) | string] if "
    f"tls_mode | default('off') | string | lower not in ['off', 'false'] and {PUBLIC} else []}}",
    # Groups of a cluster (docs/scaling.md); those of other hosts do not count.
    "parts": "group_names | intersect(['app', 'database', 'balancer']) | sort",
    "cluster": "(groups['app'] | default([]) + groups['database'] | default([]) "
    f"+ groups['balancer'] | default([])) | intersect(groups['{GROUP}']) | length > 0",
    "balancers": f"groups['balancer'] | default([]) | intersect(groups['{GROUP}'])",
    "app_hosts": f"groups['app'] | default([]) | intersect(groups['{GROUP}']) | sort",
    # As role preflight asks; facts of a cache are not names that a user typed.
    "names": "hostvars[inventory_hostname] | list | difference(ansible_facts | default({}) | list)",
    "own_names": "preflight_own_variables | default([])",
}


NO_TEXTS = (
    "place", "firewall", "parts", "cluster", "balancers", "app_hosts", "names", "own_names",
)  # fmt: skip


@dataclass(frozen=True)
class Host:
    """How to log in to one server, and the inventory's settings for deploys to it.

    `known_hosts` empty: the user's own and the system's file. `hooks_dir` None: no hooks.
    `keys`: of ~/.ssh/config, where the inventory has no key file. `alias`: the name for ssh, where
    it is not the address. `proxy`: the command whose input and output are the connection.
    `host_key_alias`: the name in known_hosts, where it is not the address. `ssh_words`: the
    inventory's options for ssh, as words.
    `firewall`: the `services` and `ports` of the inventory as they are written there, which of the
    services are `closed` on this host, and the ports of `web` and `tls` that it opens.
    `parts`: of a cluster, the groups `app`, `database`, `balancer` it is in; a host without a
    cluster is all but the last. `balancers`, `app_hosts`: names of the cluster's.
    """

    name: str
    address: str
    port: int
    user: str
    key_file: Path | None = None
    known_hosts: tuple[Path, ...] = ()
    password: str | None = field(default=None, repr=False)
    become_password: str | None = field(default=None, repr=False)
    hooks_dir: Path | None = None
    keys: tuple[Path, ...] = ()
    alias: str = ""
    agent: str | None = None
    proxy: str | None = None
    host_key_alias: str = ""
    ssh_words: tuple[str, ...] = ()
    firewall: Mapping[str, Any] = field(default_factory=dict)
    in_cluster: bool = False
    parts: tuple[str, ...] = ("app", "database")
    balancers: tuple[str, ...] = ()
    app_hosts: tuple[str, ...] = ()


def read_hosts(inventory: str | None = None, limit: str | None = None) -> list[Host]:
    """Return the hosts of group tox_com_det in the inventory's order.

    `inventory`: path or comma-separated list as for ansible-playbook; None: ANSIBLE_INVENTORY or
    ansible.cfg's default. `limit`: an Ansible pattern. Raises DeployError: no such inventory, not
    readable, no vault password, no host, a host without an address, an unknown variable, a limit
    that names nothing.
    """
    source = inventory_source(inventory)
    if limit is not None:
        refuse_limit_to_nothing(limit)
    done = subprocess.run(  # noqa: S603 (built here, no shell)
        ansible_command(source, limit),
        env=environment(os.environ),
        cwd=ROOT,  # where ansible.cfg is
        capture_output=True,
        text=True,
        check=False,
    )
    where = source or os.environ.get("ANSIBLE_INVENTORY") or "the default inventory"
    answers = parse_answers(done.stdout)
    if not answers:
        raise no_hosts(where, limit, done.returncode, done.stderr)
    hosts = [host_of(name, answer, where) for name, answer in answers.items()]
    return [host for _, host in sorted(hosts, key=lambda placed: placed[0])]


def inventory_source(inventory: str | None) -> str | None:
    """Return the inventory as Ansible takes it from any directory; DeployError if it is missing.

    A relative path is looked up in the current directory, then in the checkout.
    """
    if inventory is None:
        return None
    refuse_empty(inventory)
    if "," in inventory:
        return inventory
    for path in (absolute(inventory), ROOT / inventory):
        if os.path.exists(path):
            return str(path)
    raise DeployError(
        f"the inventory {inventory} does not exist: choose one with --inventory, "
        "such as --inventory inventory/example"
    )


def refuse_empty(inventory: str) -> None:
    """Refuse an empty name, which would be the current directory; raises DeployError."""
    if not inventory.strip():
        raise DeployError("--inventory is empty: name one, such as --inventory inventory/example")


def ansible_command(source: str | None, limit: str | None) -> list[str]:
    """Return the call that makes Ansible print each host's connection variables as JSON."""
    asked = ", ".join(f"'{name}': {expression}" for name, expression in ASKED.items())
    command = [sys.executable, "-m", "ansible", "adhoc", GROUP]
    command += ["-m", "ansible.builtin.debug"]
    command += ["-a", json.dumps({"msg": "{{ {" + asked + "} | to_json }}"})]
    if source is not None:
        command += ["--inventory", source]
    if limit is not None:
        command += ["--limit", limit]
    return command


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of that call: machine-readable, and no password in a log file."""
    return {
        **base,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_LOG_PATH": os.devnull,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_VERBOSITY": "0",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1",
    }


def parse_answers(stdout: str) -> dict[str, dict[str, Any]]:
    """Return host -> the debug module's answer; empty if there is no JSON."""
    start = stdout.find("{")
    if start < 0:
        return {}
    try:
        report, _ = json.JSONDecoder().raw_decode(stdout[start:])
        plays = report["plays"]
    except (ValueError, KeyError, TypeError):
        return {}
    answers: dict[str, dict[str, Any]] = {}
    for play in plays:
        for task in play["tasks"]:
            answers.update(task["hosts"])
    return answers


def host_of(name: str, answer: Mapping[str, Any], where: str) -> tuple[int, Host]:
    """Return a host's position and how to log in; DeployError if its variables do not suffice."""
    message = answer.get("msg")
    if answer.get("failed") or message is None:
        words = " ".join(str(message or answer).split())
        if name_of := re.search(r"'(vault_\w+)' is undefined", words):
            raise DeployError(
                f"host {name} in {where}: {name_of[1]} is not set: create vault.yml as "
                "inventory/example/group_vars/tox_com_det/vault.yml.example describes, or set "
                "sudo_user_nopasswd: true in place of the lines with vault_"
            )
        if "vault" in words.lower():
            raise vault_error(where, words)
        raise DeployError(f"the variables of host {name} in {where} cannot be evaluated: {words}")
    values = json.loads(message) if isinstance(message, str) else message
    texts = {key: ASKED[key] for key in ASKED if key not in NO_TEXTS}
    refuse_no_texts(name, values, texts, where)
    refuse_unknown(name, values["names"], values["own_names"], where)
    alias, port = str(values["address"] or "").strip(), str(values["port"])
    user = str(values["user"])
    if not alias:
        raise DeployError(f"host {name} in {where} has no address: set its ansible_host")
    if port and (not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536):
        raise DeployError(f"host {name} in {where}: ansible_port is {port}, not a port")
    text = f"{values['common_args']} {values['extra_args']}"
    try:
        given = shlex.split(text)
    except ValueError as error:
        raise DeployError(
            f"host {name} in {where}: ansible_ssh_common_args or ansible_ssh_extra_args is no list "
            f"of words ({error}): correct it"
        ) from None
    # The order of Ansible's own command: of two values ssh uses the first.
    arguments = [*(["-p", port] if port else []), *(["-o", f"User={user}"] if user else [])]
    ssh = ask_ssh(name, alias, [*arguments, *given])
    ssh = ssh or SshConfig(alias, int(port or 22), user or getpass.getuser())
    owner = f"host {name} in {where}"
    known = ssh_options(text).get("userknownhostsfile", "")
    known_hosts = tuple(local_path(path.replace("%%", "%"), owner) for path in shlex.split(known))
    key_file, hooks_dir = (str(values[one] or "") for one in ("key_file", "hooks_dir"))
    host = Host(
        name=name,
        address=ssh.address,
        port=ssh.port,
        user=ssh.user,
        key_file=local_path(key_file, owner) if key_file else None,
        known_hosts=known_hosts or ssh.known_hosts,
        password=str(values["password"]) or None,
        become_password=str(values["become_password"]) or None,
        hooks_dir=local_path(hooks_dir, owner) if hooks_dir else None,
        keys=() if key_file else ssh.keys,
        alias=alias if alias != ssh.address or ssh.proxy else "",
        agent=ssh.agent,
        proxy=ssh.proxy,
        host_key_alias=ssh.host_key_alias,
        ssh_words=tuple(given),
        firewall=values["firewall"],
        in_cluster=values["cluster"],
        parts=tuple(values["parts"]) if values["cluster"] else Host.parts,
        balancers=tuple(values["balancers"]),
        app_hosts=tuple(values["app_hosts"]),
    )
    return int(values["place"]), host


def local_path(path: str, owner: str) -> Path:
    """Return a path of the inventory as ssh sees it when Ansible runs in the checkout.

    Raises DeployError: `~name` of a user that does not exist. `owner`: the host, for its message.
    """
    try:
        return ROOT / (absolute(path) if path.startswith("~") else path)
    except DeployError as error:
        raise DeployError(f"{owner}: {error}") from None
