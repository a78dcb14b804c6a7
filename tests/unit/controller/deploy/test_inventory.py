"""Hosts come from the Ansible inventory alone, as Ansible itself reads it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from controller.deploy.errors import DeployError
from controller.deploy.inventory import read_hosts
from controller.deploy.paths import ROOT
from controller.deploy.ssh_options import ssh_options
from controller.deploy.variable_names import refuse_unknown


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANSIBLE_INVENTORY", "ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_templates_group_vars_and_order_are_ansibles(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    write(
        tmp_path / "group_vars" / "tox_com_det.yml",
        "ansible_user: '{{ vault_admin }}'\nvault_admin: ops\n"
        "ansible_become_password: \"{{ 'open' ~ 'sesame' }}\"\n",
    )
    write(
        tmp_path / "hosts.yml",
        """
tox_com_det:
  hosts:
    second: {ansible_host: 192.0.2.2}
    first:
      ansible_host: 192.0.2.1
      ansible_port: "{{ 2000 + 22 }}"
      ansible_ssh_private_key_file: /keys/id
      ansible_ssh_common_args: >-
        -o UserKnownHostsFile={{ inventory_dir }}/known_hosts -o StrictHostKeyChecking=yes
other:
  hosts: {elsewhere: {ansible_host: 192.0.2.9}}
""",
    )
    second, first = read_hosts(str(tmp_path))
    assert (second.name, second.address, second.port, second.user) == (
        "second",
        "192.0.2.2",
        22,
        "ops",
    )
    assert second.known_hosts == ()
    assert (first.address, first.port, first.key_file) == ("192.0.2.1", 2022, Path("/keys/id"))
    assert first.known_hosts == (tmp_path / "known_hosts",)
    known = f"UserKnownHostsFile={tmp_path}/known_hosts"
    assert first.ssh_words == ("-o", known, "-o", "StrictHostKeyChecking=yes")
    assert first.become_password == "opensesame"  # noqa: S105 (made up)
    assert "sesame" not in repr(first)
    assert [host.name for host in read_hosts(str(tmp_path), "first")] == ["first"]


def test_values_of_other_types_are_as_they_are_written(tmp_path: Path) -> None:
    """Ansible gives ssh the text of a number; `fab doctor` says what is wrong with a port."""
    inventory = write(
        tmp_path / "hosts.yml",
        "tox_com_det: {hosts: {a: {ansible_host: 192.0.2.1, ansible_ssh_private_key_file: 1,\n"
        "  firewalld_extra_ports: 8443/tcp, firewalld_services: 5}}}\n",
    )
    (host,) = read_hosts(inventory)
    assert host.key_file == ROOT / "1"
    assert (host.firewall["ports"], host.firewall["services"]) == ("8443/tcp", 5)


def test_hooks_directory_is_relative_to_the_checkout(tmp_path: Path) -> None:
    hosts = "[tox_com_det]\na deploy_hooks_dir=hooks\nb deploy_hooks_dir=/srv/hooks\nc\n"
    found = [host.hooks_dir for host in read_hosts(write(tmp_path / "hosts", hosts))]
    assert found == [ROOT / "hooks", Path("/srv/hooks"), None]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "deploy_hook_dir",
            r"unknown variables: deploy_hook_dir \(did you mean deploy_hooks_dir\?\)",
        ),
        ("deploy_lock", "unknown variables: deploy_lock.*list your own in preflight_own_variables"),
        ("nginx_server_nam", r"nginx_server_nam \(did you mean nginx_server_name\?\)"),
        ("my_own", "unknown variables: my_own"),
    ],
)
def test_variable_that_no_role_uses_is_refused(tmp_path: Path, name: str, words: str) -> None:
    inventory = write(tmp_path / "hosts", f"[tox_com_det]\na {name}=1\n")
    with pytest.raises(DeployError, match=f"host a in .*{words}") as caught:
        read_hosts(inventory)
    assert "\n" not in str(caught.value)


def test_variables_of_the_users_own_are_listed_and_allowed(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    write(
        tmp_path / "group_vars" / "all.yml",
        "preflight_own_variables: [my_own]\nmy_own: 1\nvault_x: 1\nbootstrap_user: root\n",
    )
    write(
        tmp_path / "hosts", "[tox_com_det]\na ansible_host=192.0.2.1 nginx_server_name=a.example\n"
    )
    assert [host.name for host in read_hosts(str(tmp_path))] == ["a"]


@pytest.mark.parametrize("name", ["example", "local"])
def test_variables_of_the_inventories_in_the_checkout_are_accepted(
    name: str, tmp_path: Path
) -> None:
    files = (ROOT / "inventory" / name / "group_vars").rglob("*.yml")
    names = {key for path in files for key in yaml.safe_load(path.read_text())}
    assert names
    refuse_unknown("a", sorted(names), [], name)


def test_vault_is_opened_and_a_missing_password_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = write(tmp_path / "password", "sesame\n")
    secret = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [
            *(sys.executable, "-m", "ansible", "vault", "encrypt_string", "open it"),
            *("--vault-password-file", password, "--name", "ansible_become_password"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    inventory = tmp_path / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    write(inventory / "group_vars" / "all.yml", secret)
    write(inventory / "hosts.yml", "tox_com_det: {hosts: {a: {ansible_host: 192.0.2.1}}}\n")
    with pytest.raises(DeployError, match="ANSIBLE_VAULT_PASSWORD_FILE") as caught:
        read_hosts(str(inventory))
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", password)
    assert read_hosts(str(inventory))[0].become_password == "open it"  # noqa: S105 (made up)


def test_environment_variable_chooses_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "hosts", "[tox_com_det]\na ansible_host=192.0.2.7\n")
    monkeypatch.setenv("ANSIBLE_INVENTORY", path)
    assert read_hosts()[0].address == "192.0.2.7"


def test_relative_path_is_looked_up_in_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "my-hosts", "[tox_com_det]\na ansible_host=192.0.2.7\n")
    monkeypatch.chdir(tmp_path)
    assert read_hosts("my-hosts")[0].address == "192.0.2.7"


@pytest.mark.parametrize(
    ("text", "limit", "words"),
    [
        ("[web]\na ansible_host=192.0.2.1\n", None, "no host in group tox_com_det.*make up"),
        (
            "[tox_com_det]\na ansible_host=192.0.2.1\n",
            "b",
            "matches --limit b: see `ansible-inventory -i ",
        ),
        ("[tox_com_det]\na ansible_host=''\n", None, "host a .* has no address"),
        ("[tox_com_det]\na ansible_port=nope\n", None, "value .nope"),
        ("[tox_com_det]\na ansible_user='{{ nobody_set_it }}'\n", None, "nobody_set_it"),
        ("tox_com_det: [unclosed\n", None, r"cannot be read: .*hosts\.yml:2\): correct the file"),
        (
            "[tox_com_det]\na ansible_ssh_common_args='-o NoSuchOption=b'\n",
            None,
            "ssh rejects the options of host a .*nosuchoption",
        ),
    ],
    ids=["no-group", "limit", "no-address", "port", "undefined", "broken", "ssh-option"],
)
def test_inventory_without_a_usable_host_is_one_line(
    tmp_path: Path, text: str, limit: str | None, words: str
) -> None:
    inventory = write(tmp_path / ("hosts.yml" if "unclosed" in text else "hosts"), text)
    with pytest.raises(DeployError, match=words) as caught:
        read_hosts(inventory, limit)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("variable", ["ansible_ssh_private_key_file", "deploy_hooks_dir"])
def test_home_of_nobody_is_one_line_with_the_host(tmp_path: Path, variable: str) -> None:
    text = f"[tox_com_det]\na {variable}='~no_such_user/x'\n"
    words = "^host a in .*: ~no_such_user/x: there is no user 'no_such_user': write the whole path$"
    with pytest.raises(DeployError, match=words):
        read_hosts(write(tmp_path / "hosts", text))


def test_home_of_nobody_in_sshs_configuration_is_one_line(tmp_path: Path) -> None:
    config = write(tmp_path / "config", "Host *\n  IdentityFile ~no_such_user/x\n")
    text = f"[tox_com_det]\na ansible_ssh_common_args='-F {config}'\n"
    with pytest.raises(DeployError, match="~no_such_user/x: there is no user 'no_such_user'"):
        read_hosts(write(tmp_path / "hosts", text))


def test_missing_inventory_is_named() -> None:
    with pytest.raises(DeployError, match="there is no user 'no_such_user': write the whole path"):
        read_hosts("~no_such_user/x")
    with pytest.raises(DeployError, match="x does not exist: choose one with --inventory"):
        read_hosts("x" * 300)
    with pytest.raises(DeployError, match="no/such does not exist: choose one with --inventory"):
        read_hosts("no/such")


def test_ssh_options_are_read_as_ssh_reads_them() -> None:
    text = '-o UserKnownHostsFile="/a b" -oPort=1 -o Port=2 -J jump -o "ProxyCommand none"'
    assert ssh_options(text) == {
        "userknownhostsfile": "/a b",
        "port": "1",
        "proxyjump": "jump",
        "proxycommand": "none",
    }


def test_copy_of_the_example_without_its_vault_names_the_example(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(ROOT / "inventory" / "example", mine)
    words = r"tox_com_det/vault.yml does not exist.*vault.yml.example describes, or set sudo_user_"
    with pytest.raises(DeployError, match=words) as caught:
        read_hosts(str(mine))
    assert "\n" not in str(caught.value)
    assert "ANSIBLE_VAULT_PASSWORD_FILE" not in str(caught.value)
    (mine / "group_vars/tox_com_det/vault.yml.example").unlink()
    words = r"vault_sudo_user_password is not set: create vault.yml as inventory/example/.*, or set"
    with pytest.raises(DeployError, match=words):
        read_hosts(str(mine))
    variables = mine / "group_vars/tox_com_det/vars.yml"
    kept = [line for line in variables.read_text().splitlines() if "{{ vault_" not in line]
    variables.write_text("\n".join([*kept, "sudo_user_nopasswd: true"]))
    assert [host.name for host in read_hosts(str(mine))] == ["nanode.example.org"]


def test_ssh_configuration_counts_where_the_inventory_says_nothing(tmp_path: Path) -> None:
    key = write(tmp_path / "work", "")
    config = write(
        tmp_path / "config",
        f"Host nanode\n  HostName 192.0.2.9\n  Port 2200\n  User ops\n  IdentityFile {key}\n"
        f"  UserKnownHostsFile {tmp_path}/known\n  ProxyJump gate@192.0.2.1:2201\n"
        "Host tunnel\n  ProxyCommand nc -X %% %h %p %r\n",
    )
    (tmp_path / "hosts.yml").write_text(
        f"""
tox_com_det:
  vars: {{ansible_ssh_common_args: "-F {config}"}}
  hosts:
    nanode: {{}}
    other:
      {{ansible_host: nanode, ansible_port: 22, ansible_user: deploy,
        ansible_ssh_private_key_file: /keys/id}}
    tunnel: {{ansible_user: deploy}}
    jump: {{ansible_ssh_common_args: "-J one,two -o UserKnownHostsFile=/known"}}
"""
    )
    nanode, other, tunnel, jump = read_hosts(str(tmp_path / "hosts.yml"))
    assert (nanode.address, nanode.port, nanode.user) == ("192.0.2.9", 2200, "ops")
    assert (nanode.keys, nanode.known_hosts) == ((Path(key),), (tmp_path / "known",))
    assert nanode.alias == "nanode"
    assert shlex.split(nanode.proxy or "") == [
        *("ssh", "-F", config, "-W", "[192.0.2.9]:2200", "ssh://gate@[192.0.2.1]:2201")
    ]
    assert (other.address, other.port, other.user) == ("192.0.2.9", 22, "deploy")
    assert (other.key_file, other.keys) == (Path("/keys/id"), ())
    assert tunnel.proxy == "nc -X % tunnel 22 deploy"
    assert jump.proxy == "ssh -J one -W '[jump]:22' ssh://two"
    assert jump.known_hosts == (Path("/known"),)


def test_files_of_the_ssh_configuration_are_named_as_ssh_means_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TEAM", "ours")
    folder = tmp_path / "my keys"
    folder.mkdir()
    names = ("web-192.0.2.9", "ours%", "id_rsa", "known", "known_hosts")
    for name in names:
        write(folder / name, "")
    (tmp_path / ".ssh").mkdir()
    for name in ("id_rsa", "id_ed25519"):
        write(tmp_path / ".ssh" / name, "")
    config = write(
        tmp_path / "config",
        f"Host web\n  HostName 192.0.2.9\n  HostKeyAlias gate\n"
        f'  IdentityFile "{folder}/%n-%h"\n  IdentityFile "%d/my keys/${{TEAM}}%%"\n'
        f'  IdentityFile "{folder}/id_rsa"\n  IdentityFile ~/.ssh/id_rsa\n'
        f'  UserKnownHostsFile "{folder}/known" /none "{folder}/known_hosts"\n'
        "Host plain\n  HostName 192.0.2.8\n",
    )
    text = f"[tox_com_det]\nweb\nplain\n[all:vars]\nansible_ssh_common_args='-F {config}'\n"
    web, plain = read_hosts(write(tmp_path / "hosts", text))
    keys = [folder / name for name in names[:3]]
    assert web.keys == (*keys, tmp_path / ".ssh" / "id_rsa")
    assert web.known_hosts == (folder / "known", Path("/none"), folder / "known_hosts")
    assert web.host_key_alias == "gate"
    # Those that ssh has without a configuration.
    assert (plain.keys, plain.known_hosts, plain.host_key_alias) == ((), (), "")
