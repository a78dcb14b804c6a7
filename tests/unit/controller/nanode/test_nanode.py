"""How the local Nanode is made: the decisions, without an engine."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from controller.nanode import NanodeError, __main__, host, image, instance
from controller.nanode.host import Engine, Host
from controller.nanode.instance import Instance

PLAIN = Host(False, (), 1 << 20, 1 << 20, may_raise_limits=True)
NANODE = Instance("nanode", "tox-com-det-nanode-abc123", 8080, 2222)


def start(engine: Engine, facts: Host) -> list[str]:
    return instance.run_command(engine, facts, NANODE, "image:tag", Path("/checkout"))


def test_the_container_has_one_gigabyte_and_no_swap_on_top():
    command = start(Engine("podman"), PLAIN)
    assert "--memory=1g" in command
    assert "--memory-swap=1g" in command


def test_ports_are_published_on_loopback_only():
    published = [word for word in start(Engine("podman"), PLAIN) if word.startswith("--publish")]
    assert published == ["--publish=127.0.0.1:8080:80", "--publish=127.0.0.1:2222:22"]


def test_limits_stay_below_the_callers_own_where_it_may_not_raise_them():
    bound = Host(False, (), 20000, 96000, may_raise_limits=False)
    assert host.ulimit_arguments(bound) == [
        "--ulimit=nofile=20000:20000",
        "--ulimit=nproc=32768:32768",
    ]
    assert host.ulimit_arguments(PLAIN) == []


def test_version_1_controllers_are_mounted_so_that_systemd_can_limit_units():
    facts = Host(True, ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"), 1, 1, True)
    command = start(Engine("podman"), facts)
    assert "--volume=/sys/fs/cgroup/memory:/sys/fs/cgroup/memory:rw" in command
    assert "--volume=/sys/fs/cgroup/pids:/sys/fs/cgroup/pids:rw" in command


def test_docker_gets_by_options_what_podman_does_for_systemd_by_itself():
    podman, docker = start(Engine("podman"), PLAIN), start(Engine("docker"), PLAIN)
    assert "--systemd=always" in podman
    assert "--systemd=always" not in docker
    assert {"--tmpfs=/run", "--tmpfs=/run/lock", "--cgroupns=private"} <= set(docker)


@pytest.mark.parametrize(("hybrid", "arguments"), [(True, ("--runtime=runc",)), (False, ())])
def test_a_hybrid_host_gets_runc_and_others_the_engines_default(hybrid, arguments):
    facts = Host(hybrid, (), 1, 1, True)
    assert host._engine("podman", facts) == Engine("podman", arguments)
    assert host._engine("docker", facts) == Engine("docker")


def test_cgroups_are_read_from_the_host(tmp_path):
    for name in ("memory", "pids", "unified"):
        (tmp_path / name).mkdir()
    one = host.inspect_host(tmp_path)
    assert one.hybrid_cgroups
    assert one.writable_cgroups == (str(tmp_path / "memory"), str(tmp_path / "pids"))
    (tmp_path / "cgroup.controllers").touch()
    assert host.inspect_host(tmp_path).writable_cgroups == ()


def test_the_command_that_installs_an_engine_is_this_systems(monkeypatch):
    monkeypatch.setattr(
        host.shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None
    )
    assert "dnf install podman" in host.install_command()
    monkeypatch.setattr(host.shutil, "which", lambda name: None)
    assert host.install_command().startswith("see https://")


def test_an_unknown_engine_is_refused():
    with pytest.raises(NanodeError, match="'lxc' is unknown: set NANODE_ENGINE"):
        host.find_engine(PLAIN, "lxc")


def test_a_taken_port_is_passed_over_and_an_asked_one_is_reported(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert host.free_port(port) > port
        monkeypatch.setenv("NANODE_HTTP_PORT", str(port))
        with pytest.raises(NanodeError, match=f"port {port} on 127.0.0.1 is taken"):
            instance._port("NANODE_HTTP_PORT", 8080)


def test_a_port_that_is_none_is_reported(monkeypatch):
    monkeypatch.setenv("NANODE_SSH_PORT", "ssh")
    with pytest.raises(NanodeError, match="NANODE_SSH_PORT=ssh is not a TCP port"):
        instance._port("NANODE_SSH_PORT", 2222)


def test_two_checkouts_have_two_containers():
    one = instance.container_name("nanode", Path("/one"))
    assert one == instance.container_name("nanode", Path("/one"))
    assert one != instance.container_name("nanode", Path("/two"))


def test_the_image_is_cached_by_its_recipe(tmp_path):
    plain = image.read_recipe(tmp_path)
    assert plain.tag() == image.read_recipe(tmp_path).tag()
    (tmp_path / "own.crt").write_text("an authority\n")
    assert image.read_recipe(tmp_path).tag() != plain.tag()
    assert image.Recipe(("vim",), ()).tag() != plain.tag()


def test_both_ways_to_the_image_install_the_same_packages(tmp_path):
    command = image.debootstrap_command(image.read_recipe(tmp_path), tmp_path, tmp_path / "x.tar")
    assert f"--include={','.join(image.PACKAGES)}" in command
    assert " ".join(image.PACKAGES) in image.containerfile()


def test_the_inventory_is_strict_about_the_host_key(tmp_path):
    text = instance.inventory_text(NANODE, tmp_path)
    hosts = json.loads(text.partition("\n")[2])["tox_com_det"]["hosts"]
    assert hosts["nanode"]["ansible_port"] == 2222
    arguments = hosts["nanode"]["ansible_ssh_common_args"]
    assert f"UserKnownHostsFile={tmp_path / 'known_hosts'}" in arguments
    assert "StrictHostKeyChecking=yes" in arguments


def test_an_error_is_one_line_and_exit_code_1(monkeypatch, capsys):
    monkeypatch.setenv("NANODE_ENGINE", "lxc")
    assert __main__.main(["create"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("nanode: ")
    assert said.count("\n") == 1


def test_the_address_is_printed_and_its_absence_told(tmp_path, capsys):
    assert __main__.main(["url", "--state", str(tmp_path)]) == 1
    assert "make up" in capsys.readouterr().err
    (tmp_path / "instance.json").write_text(json.dumps(vars(NANODE)))
    assert __main__.main(["url", "--state", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:8080\n"
