"""`fab create-server` and its kin as they are typed: options, questions, inventories, the vault."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from linode_standin import TOKEN

from controller.cloud import inventories
from controller.cloud.inventories import find_inventory, read_inventory
from controller.cloud.offers import SUPPORTED
from controller.deploy.errors import DeployError
from controller.deploy.paths import ROOT
from controller.deploy.tasks import servers

CREATE = ("create-server", "--label", "web-1", "--region", "de-fra-2")


@pytest.fixture
def fab(laptop, tmp_path):
    """Run fab without a terminal, with the token in its environment."""

    def run(*arguments, **environment):
        kept = {name: value for name, value in os.environ.items() if "ANSIBLE" not in name}
        given = {"LINODE_TOKEN": TOKEN, "HOME": str(tmp_path), **environment}
        return subprocess.run(  # noqa: S603 (words of the tests, no shell)
            [sys.executable, "-m", "controller.deploy.program", *arguments],
            cwd=ROOT,
            env={**kept, **given},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def typed(monkeypatch):
    """Answer the questions of a terminal; returns the list of them."""

    def answer(words):
        asked: list[str] = []

        def reply(prompt: str) -> str:
            asked.append(prompt)
            return words

        monkeypatch.setattr(servers.sys, "stdin", type("Tty", (), {"isatty": lambda _: True})())
        monkeypatch.setattr("builtins.input", reply)
        return asked

    return answer


@pytest.mark.parametrize("key", ["/", ".", ".."])
def test_a_directory_is_no_public_key(tmp_path, key):
    with pytest.raises(DeployError, match=r"your public key .* cannot be read .* with --key"):
        servers.create_server("web-1", "de-fra-2", key=key, inventory=str(tmp_path / "new"))


def test_without_a_terminal_and_without_yes_nothing_is_bought(laptop, fab):
    done = fab(*CREATE, "--inventory", str(laptop.path), "--key", str(laptop.key))
    assert done.returncode == 1
    assert "costs $5.00 a month" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: nothing was created: there is no terminal to confirm the price")
    # The next command has everything that was typed.
    assert "rerun `fab create-server --label web-1 --region de-fra-2 --key" in line
    assert line.endswith(f"--inventory {laptop.path} --yes`")
    assert laptop.posts() == []


def test_a_dry_run_asks_nothing_and_makes_no_inventory(laptop, fab, tmp_path):
    missing = tmp_path / "new"
    done = fab(*CREATE, "--dry-run", "--inventory", str(missing), "--key", str(laptop.key))
    assert (done.returncode, done.stderr) == (0, "")
    assert "costs $5.00 a month" in done.stdout
    assert not missing.exists()


def test_the_token_is_in_no_output_even_of_a_crash(laptop, fab):
    laptop.api.token = "another"  # noqa: S105 (made up)
    done = fab(*CREATE, "--inventory", str(laptop.path), "--key", str(laptop.key))
    assert "does not accept the token" in done.stderr
    done_debug = fab("-d", "servers")
    assert "does not accept the token" in done_debug.stderr
    assert TOKEN not in done.stdout + done.stderr + done_debug.stdout + done_debug.stderr


def test_servers_are_listed_with_the_sum(laptop, fab):
    laptop.create()
    done = fab("servers")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"web-1 +g6-nanode-1 +de-fra-2 .* fab create-server +\$5\.00", done.stdout)
    assert "$5.00 a month before tax. Volumes" in done.stdout


def test_a_missing_inventory_is_made_of_the_example_without_its_host(laptop, fab, tmp_path):
    new = tmp_path / "new"
    fab(*CREATE, "--inventory", str(new), "--key", str(laptop.key))
    inventory = read_inventory(new)
    assert inventory.hosts == {}
    assert inventory.variables["ansible_user"] == "deploy"


def test_the_token_of_the_vault_is_used(laptop, fab, tmp_path):
    password = tmp_path / "password"
    password.write_text("a password\n")
    vault = laptop.path / "group_vars/tox_com_det/vault.yml"
    vault.write_text(f"vault_linode_token: '{TOKEN}'\nvault_sudo_user_password: 'a{{{{b'\n")
    environment = {**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(password)}
    command = [sys.executable, "-m", "ansible", "vault", "encrypt", str(vault)]
    subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603 (built here)
    options = ("--inventory", str(laptop.path))
    done = fab("servers", *options, LINODE_TOKEN="", ANSIBLE_VAULT_PASSWORD_FILE=str(password))
    assert (done.returncode, done.stderr) == (0, "")
    locked = fab("servers", *options, LINODE_TOKEN="")
    assert "set ANSIBLE_VAULT_PASSWORD_FILE" in locked.stderr
    assert len(locked.stderr.splitlines()) == 1


def test_yes_on_the_terminal_buys_and_anything_else_does_not(laptop, typed, monkeypatch):
    monkeypatch.setenv("LINODE_TOKEN", TOKEN)
    asked = typed("n")
    options = {"inventory": str(laptop.path), "key": str(laptop.key)}
    servers.create_server("web-1", "de-fra-2", **options)
    assert asked == ["create web-1 for $5.00 a month? [y/N] "]
    assert laptop.posts() == []


def test_ctrl_d_is_no_agreement(monkeypatch):
    def ended(prompt):
        raise EOFError

    monkeypatch.setattr(servers.sys, "stdin", type("Tty", (), {"isatty": lambda _: True})())
    monkeypatch.setattr("builtins.input", ended)
    assert not servers._agreed("create it?")
    assert not servers._typed("web-1")


def test_the_label_has_to_be_typed_to_destroy(laptop, typed, monkeypatch):
    monkeypatch.setenv("LINODE_TOKEN", TOKEN)
    laptop.create()
    asked = typed("web-2")
    servers.destroy_server("web-1", inventory=str(laptop.path))
    assert asked == ["type the label to destroy it, web-1: "]
    assert len(laptop.account.servers) == 1
    typed("web-1")
    servers.destroy_server("web-1", inventory=str(laptop.path))
    assert laptop.account.servers == []


def test_a_script_destroys_with_the_label_given_twice(laptop, fab):
    laptop.create()
    options = ("--label", "web-1", "--inventory", str(laptop.path))
    unasked = fab("destroy-server", *options)
    assert "nothing was destroyed: there is no terminal to type the label on" in unasked.stderr
    assert unasked.stderr.endswith("--confirm web-1`\n")
    dry = fab("destroy-server", *options, "--confirm", "web-1", "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()[-1]) == (0, "nothing was destroyed")
    wrong = fab("destroy-server", *options, "--confirm", "web-2")
    assert "--confirm is 'web-2', not 'web-1': nothing was destroyed" in wrong.stderr
    assert len(laptop.account.servers) == 1
    assert fab("destroy-server", *options, "--confirm", "web-1").returncode == 0
    assert laptop.account.servers == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create-server", "--region", "de-fra-2"), "--label is missing"),
        (("create-server", "--label", "web-1"), "--region is missing"),
        ((*CREATE, "--name", "api"), "--name is that of a record in a domain: add --domain"),
        (CREATE, "a server needs an inventory to be written into"),
        (
            (*CREATE, "--inventory", "inventory/example"),
            "inventory/example belongs to this project",
        ),
        ((*CREATE, "--inventory", "inventory/local"), "inventory/local belongs to this project"),
        ((*CREATE, "--inventory", "fabfile.py"), "fabfile.py is a file"),
        ((*CREATE, "--inventory", "a,b"), "cannot be written into the list 'a,b'"),
        (("destroy-server",), "--label is missing"),
        (("servers",), "there is no token for Linode's API"),
    ],
)
def test_a_wrong_command_line_is_one_line(fab, arguments, words):
    token = {"LINODE_TOKEN": " "} if arguments == ("servers",) else {}
    given = [*arguments, "--inventory", "inventory/missing"] if token else arguments
    done = fab(*given, **token)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert not (ROOT / "inventory/missing").exists()


def test_the_key_is_that_of_the_inventory_or_of_the_user(laptop, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    inventory = read_inventory(laptop.path)
    chosen = servers._public_key_file(None, inventory)
    assert chosen == tmp_path / ".ssh/id_ed25519.pub"
    bare = inventories.Inventory(laptop.path)
    with pytest.raises(DeployError, match=r"no public SSH key in ~/\.ssh: make one with"):
        servers._public_key_file(None, bare)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_rsa.pub").write_text("ssh-rsa AAAA")
    assert servers._public_key_file(None, bare) == tmp_path / ".ssh/id_rsa.pub"


def test_hosts_of_the_example_are_named(tmp_path):
    (tmp_path / "hosts.yml").write_text((ROOT / "inventory/example/hosts.yml").read_text())
    assert read_inventory(tmp_path).examples() == ["nanode.example.org"]


def test_an_inventory_with_a_wrong_file_is_one_line(tmp_path):
    (tmp_path / "hosts.yml").write_text("tox_com_det: [\n")
    with pytest.raises(DeployError, match="cannot be read"):
        read_inventory(tmp_path)


def test_an_inventory_of_the_checkout_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeployError, match="inventory/example belongs to this project"):
        find_inventory("inventory/example")


def test_the_images_are_those_of_the_systems_that_preflight_supports():
    text = (ROOT / "roles/preflight/vars/main.yml").read_text()
    systems = re.findall(r"\{id: (\w+), version: \"(\d+)\"\}", text)
    names = {"centos9": "centos-stream9"}
    # Linode has no RHEL.
    images = [names.get(f"{name}{version}", f"{name}{version}") for name, version in systems]
    for image in images:
        assert SUPPORTED.fullmatch(f"linode/{image}") or image == "rhel9"
    assert len(images) == SUPPORTED.pattern.count("|") + 1 + 1 + 1
