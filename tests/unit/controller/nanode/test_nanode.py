"""How the local Nanode is created: the decisions, without an engine."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.deploy.inventory import read_hosts
from controller.nanode import NanodeError, __main__, engine, host, image, instance, lifecycle
from controller.nanode.engine import Engine
from controller.nanode.host import Host
from controller.nanode.instance import Files, Instance

PLAIN = Host(False, (), 1 << 20, 1 << 20, may_raise_limits=True)
NANODE = Instance("nanode", "tox-com-det-nanode-abc123", 8080, 2222)


def start(chosen: Engine, facts: Host) -> list[str]:
    return instance.run_command(chosen, facts, NANODE, "image:tag", Path("/checkout"))


def test_container_has_one_gibibyte_of_memory_and_no_swap():
    command = start(Engine("podman"), PLAIN)
    assert "--memory=1g" in command
    assert "--memory-swap=1g" in command


def test_ports_are_published_on_loopback_only():
    published = [word for word in start(Engine("podman"), PLAIN) if word.startswith("--publish")]
    assert published == ["--publish=127.0.0.1:8080:80", "--publish=127.0.0.1:2222:22"]


def test_limits_never_exceed_those_of_a_caller_that_may_not_raise_them():
    bound = Host(False, (), 20000, 96000, may_raise_limits=False)
    assert host.ulimit_arguments(bound) == [
        "--ulimit=nofile=20000:20000",
        "--ulimit=nproc=32768:32768",
    ]
    assert host.ulimit_arguments(PLAIN) == []


def test_cgroup_v1_controllers_are_mounted_for_systemds_limits():
    facts = Host(True, ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"), 1, 1, True)
    command = start(Engine("podman"), facts)
    assert "--volume=/sys/fs/cgroup/memory:/sys/fs/cgroup/memory:rw" in command
    assert "--volume=/sys/fs/cgroup/pids:/sys/fs/cgroup/pids:rw" in command


def test_docker_gets_options_for_systemd_that_podman_does_not_need():
    podman, docker = start(Engine("podman"), PLAIN), start(Engine("docker"), PLAIN)
    assert "--systemd=always" in podman
    assert "--systemd=always" not in docker
    assert {"--tmpfs=/run", "--tmpfs=/run/lock", "--cgroupns=private"} <= set(docker)


@pytest.mark.parametrize(("hybrid", "arguments"), [(True, ("--runtime=runc",)), (False, ())])
def test_podman_uses_runc_on_a_hybrid_host_and_its_default_elsewhere(hybrid, arguments):
    facts = Host(hybrid, (), 1, 1, True)
    assert engine._engine("podman", facts) == Engine("podman", arguments)
    assert engine._engine("docker", facts) == Engine("docker")


def test_cgroups_are_read_from_the_host(tmp_path):
    for name in ("memory", "pids", "unified"):
        (tmp_path / name).mkdir()
    one = host.inspect_host(tmp_path)
    assert one.hybrid_cgroups
    assert one.writable_cgroups == (str(tmp_path / "memory"), str(tmp_path / "pids"))
    (tmp_path / "cgroup.controllers").touch()
    assert host.inspect_host(tmp_path).writable_cgroups == ()


def test_install_command_is_that_of_this_system(monkeypatch):
    monkeypatch.setattr(
        engine.shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None
    )
    assert "dnf install podman" in engine.install_command()
    monkeypatch.setattr(engine.shutil, "which", lambda name: None)
    assert engine.install_command().startswith("see https://")


def test_unknown_engine_is_refused():
    with pytest.raises(NanodeError, match="'lxc' is unknown: set NANODE_ENGINE"):
        engine.find_engine(PLAIN, "lxc")


def test_port_in_use_is_skipped_and_a_requested_one_is_an_error(monkeypatch):
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        monkeypatch.delenv("NANODE_HTTP_PORT", raising=False)
        assert lifecycle.port("NANODE_HTTP_PORT", port) > port
        monkeypatch.setenv("NANODE_HTTP_PORT", str(port))
        with pytest.raises(NanodeError, match=f"port {port} on 127.0.0.1 is in use"):
            lifecycle.port("NANODE_HTTP_PORT", 8080)


def test_request_that_is_not_a_port_is_an_error(monkeypatch):
    monkeypatch.setenv("NANODE_SSH_PORT", "ssh")
    with pytest.raises(NanodeError, match="NANODE_SSH_PORT=ssh is not a TCP port"):
        lifecycle.port("NANODE_SSH_PORT", 2222)


def test_two_checkouts_have_two_containers():
    one = instance.container_name("nanode", Path("/one"))
    assert one == instance.container_name("nanode", Path("/one"))
    assert one != instance.container_name("nanode", Path("/two"))


def test_image_is_cached_by_its_recipe(tmp_path):
    plain = image.read_recipe("debian12", tmp_path)
    assert plain.tag() == image.read_recipe("debian12", tmp_path).tag()
    (tmp_path / "own.crt").write_text("an authority\n")
    assert image.read_recipe("debian12", tmp_path).tag() != plain.tag()
    assert image.Recipe("debian12", ("vim",), ()).tag() != plain.tag()
    assert image.read_recipe("debian13", tmp_path).tag().startswith(f"{image.REPOSITORY}:debian13-")


def test_both_ways_to_build_the_image_install_the_same_packages(tmp_path):
    recipe = image.read_recipe("debian13", tmp_path)
    command = image.debootstrap_command(recipe, tmp_path, tmp_path / "x.tar")
    assert f"--include={','.join(image.PACKAGES)}" in command
    assert command[-2:] == ["trixie", str(tmp_path / "x.tar")]
    assert " ".join(image.PACKAGES) in image.containerfile(recipe)
    assert image.containerfile(recipe).startswith("FROM docker.io/library/debian:13\n")


def test_inventory_checks_the_host_key_strictly(tmp_path):
    text = instance.inventory_text(NANODE, Files(Path("/checkout"), tmp_path, Path("/unused")))
    hosts = json.loads(text.partition("\n")[2])["tox_com_det"]["hosts"]
    assert hosts["nanode"]["ansible_port"] == 2222
    arguments = hosts["nanode"]["ansible_ssh_common_args"]
    assert f"UserKnownHostsFile={tmp_path / 'known_hosts'}" in arguments
    assert "StrictHostKeyChecking=yes" in arguments


@pytest.mark.parametrize("name", ["a checkout", 'it\'s 100% "mine"'])
def test_known_hosts_file_is_found_in_any_directory(tmp_path, name):
    state = tmp_path / name
    files = Files(Path("/checkout"), state, tmp_path / "hosts.yml")
    files.inventory.write_text(instance.inventory_text(NANODE, files))
    # Ansible splits the arguments as a shell does, ssh splits the value again.
    hosts = json.loads(files.inventory.read_text().partition("\n")[2])["tox_com_det"]["hosts"]
    arguments = shlex.split(hosts["nanode"]["ansible_ssh_common_args"])
    done = subprocess.run(  # noqa: S603 (built here)
        ["ssh", "-G", *arguments, "nanode"],  # noqa: S607 (the user's ssh)
        capture_output=True,
        text=True,
        check=True,
    )
    shown = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    assert shown["userknownhostsfile"].replace("%%", "%") == str(state / "known_hosts")
    assert shown["stricthostkeychecking"] in ("true", "yes")
    (host,) = read_hosts(str(files.inventory))
    assert host.known_hosts == (state / "known_hosts",)


def test_disk_that_takes_no_file_is_one_line(tmp_path, monkeypatch, capsys):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "known_hosts"))

    monkeypatch.setattr(__main__, "inspect_host", full)
    assert __main__.main(["create", "--state", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"nanode: {tmp_path}/known_hosts: No space left on device: ")
    assert said.count("\n") == 1


def test_error_is_one_line_and_exit_code_1(monkeypatch, capsys):
    monkeypatch.setenv("NANODE_ENGINE", "lxc")
    assert __main__.main(["create"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("nanode: ")
    assert said.count("\n") == 1


def test_address_is_printed_and_a_missing_record_is_an_error(tmp_path, capsys):
    assert __main__.main(["url", "--state", str(tmp_path)]) == 1
    assert "make up" in capsys.readouterr().err
    (tmp_path / "instance.json").write_text(json.dumps(vars(NANODE)))
    assert __main__.main(["url", "--state", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:8080\n"


def test_the_system_of_the_environment_has_to_exist(monkeypatch, capsys):
    monkeypatch.setenv("NANODE_SYSTEM", "debian11")
    assert __main__.main(["create"]) == 1
    assert (
        "NANODE_SYSTEM=debian11: use one of debian13, debian12, centos7, el9, arch"
        in capsys.readouterr().err
    )


@pytest.fixture
def new_checkout(monkeypatch, tmp_path) -> Path:
    """An empty checkout, on a host with podman."""
    monkeypatch.setattr(__main__, "CHECKOUT", tmp_path)
    monkeypatch.setattr(__main__, "inspect_host", lambda: PLAIN)
    monkeypatch.setattr(__main__, "find_engine", lambda *_: Engine("podman"))
    return tmp_path


class Chosen(Exception):
    """The system whose image is asked for."""


@pytest.mark.parametrize(
    ("requested", "exists", "system"),
    [
        ("", "", "debian13"),
        ("debian12", "", "debian12"),
        ("", "debian12", "debian12"),
        ("debian12", "debian12", "debian12"),
    ],
)
def test_an_existing_one_keeps_its_system_when_the_default_changes(
    monkeypatch, new_checkout, requested, exists, system
):
    def ensure_image(engine: Engine, system: str, say: object) -> str:
        raise Chosen(system)

    monkeypatch.setenv("NANODE_SYSTEM", requested)
    monkeypatch.setattr(__main__, "ensure_image", ensure_image)
    if exists:
        record = new_checkout / ".nanode/nanode"
        record.mkdir(parents=True)
        instance.record(replace(NANODE, system=exists), record)
    for command in ("create", "image"):
        with pytest.raises(Chosen, match=f"^{system}$"):
            __main__.main([command])


def test_a_check_of_this_host_does_not_depend_on_an_existing_one(monkeypatch, new_checkout, capsys):
    """One of Arch Linux would need its image, and `make test` would skip the scenarios."""
    monkeypatch.delenv("NANODE_SYSTEM", raising=False)
    record = new_checkout / ".nanode/nanode"
    record.mkdir(parents=True)
    instance.record(replace(NANODE, system="arch"), record)
    assert __main__.main(["check"]) == 0
    assert capsys.readouterr().out == "Yes, with podman.\n"


def test_the_name_of_the_image_is_all_that_is_printed(monkeypatch, new_checkout, capsys):
    def ensure_image(engine: Engine, system: str, say: Callable[[str], None]) -> str:
        say("Building ...")
        return f"localhost/of:{system}"

    monkeypatch.setattr(__main__, "ensure_image", ensure_image)
    assert __main__.main(["image", "--system", "debian12"]) == 0
    said = capsys.readouterr()
    assert said.out == "localhost/of:debian12\n"
    assert said.err == "Building ...\n"


def test_a_shells_background_job_takes_the_interrupt(tmp_path):
    """A shell without job control has it ignored there, and podman would go on."""
    program = tmp_path / "podman"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/begun\nexec sleep 300\n")
    program.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "controller.nanode", "image", "--system", "debian13"],
        cwd=Path(__main__.__file__).parents[2],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "NANODE_ENGINE": "podman"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        until_begun = time.monotonic() + 300
        while not (tmp_path / "begun").exists() and time.monotonic() < until_begun:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "nanode: interrupted"


def test_an_interrupt_is_one_line(monkeypatch, tmp_path, capsys):
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "CHECKOUT", tmp_path)
    monkeypatch.setattr(__main__, "inspect_host", interrupted)
    assert __main__.main(["image"]) == 130
    assert capsys.readouterr().err == "nanode: interrupted\n"


def test_one_process_at_a_time_prepares_this_host(monkeypatch, tmp_path):
    """`make test` starts several: the engine is installed, the image built, a port taken by one."""
    inside: list[str] = []
    most: list[int] = []

    def find_engine(facts: Host, wanted: str | None) -> Engine:
        inside.append("one")
        # Long enough for the others to come in.
        time.sleep(0.2)
        most.append(len(inside))
        inside.pop()
        return Engine("podman")

    monkeypatch.setattr(__main__, "CHECKOUT", tmp_path)
    monkeypatch.setattr(__main__, "inspect_host", lambda: PLAIN)
    monkeypatch.setattr(__main__, "find_engine", find_engine)
    threads = [threading.Thread(target=__main__.main, args=(["check"],)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert most == [1, 1, 1]
