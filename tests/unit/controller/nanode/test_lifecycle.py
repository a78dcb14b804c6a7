"""A Nanode's life with an engine, ssh and ssh-keygen that only record what they are told."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from free_ports import LOWEST

from controller.local_serve.plan import PREFERRED_PORT
from controller.nanode import NanodeError, lifecycle
from controller.nanode.engine import Engine
from controller.nanode.host import Host
from controller.nanode.instance import Files, container_name
from controller.ports import ATTEMPTS, LOOPBACK

HOST = Host(False, (), 1 << 20, 1 << 20, may_raise_limits=True)
# Records its arguments, and standard input for `tee`; $STATE answers `container inspect`.
PODMAN = """
echo "$*" >>"$LOG"
case "$*" in
"container inspect "*) [ -e "$STATE" ] && cat "$STATE" ;;
"network inspect "*) grep -q "^network create" "$LOG" ;;
*is-system-running) echo degraded ;;
*" tee "*) cat >"$LOG.stdin" ;;
*" test -e "*) [ -n "$SSHD_IS_READY" ] ;;
*" cat "*) echo "ssh-ed25519 AAAA root@nanode" ;;
esac
"""
SSH = 'echo "root@127.0.0.1: Permission denied (publickey)." >&2; exit 255'


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "checkout", tmp_path / "state", tmp_path / "inventory/nanode.yml")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the engine was told so far, without the container's name."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in (("podman", PODMAN), ("ssh", SSH)):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    for name in ("sh", "cat", "grep", "ssh-keygen"):
        (programs / name).symlink_to(str(shutil.which(name)))
    log = tmp_path / "log"
    for name, value in (
        ("PATH", str(programs)),
        ("LOG", str(log)),
        ("STATE", str(tmp_path / "status")),
        ("SSHD_IS_READY", ""),
    ):
        monkeypatch.setenv(name, value)
    for name in ("NANODE_HTTP_PORT", "NANODE_SSH_PORT"):
        monkeypatch.delenv(name, raising=False)
    container = container_name("nanode", tmp_path / "checkout")
    return lambda: [line.replace(container, "NAME") for line in log.read_text().splitlines()]


def create(files: Files) -> None:
    lifecycle.create(
        Engine("podman"), HOST, "image", system="debian13", name="nanode", files=files, say=print
    )


def test_create_starts_the_container_and_authorizes_a_new_key(
    files: Files, commands: Callable[[], list[str]], tmp_path: Path
) -> None:
    create(files)
    told = commands()
    started = next(line for line in told if line.startswith("run "))
    assert started.endswith(" image /sbin/init")
    inside = [line.partition("NAME ")[2] for line in told if line.startswith("exec ")]
    assert inside == [
        "systemctl is-system-running",
        "mkdir -p -m 0700 /root/.ssh",
        "tee /root/.ssh/authorized_keys",
        "chmod 0600 /root/.ssh/authorized_keys",
        "test -e /etc/ssh/ssh_host_ed25519_key.pub",
        "ssh-keygen -A",
        "test -e /usr/lib/systemd/system/sshd.service",
        "systemctl reset-failed ssh",
        "systemctl restart ssh",
        "cat /etc/ssh/ssh_host_ed25519_key.pub",
    ]
    public = files.key.with_name("id_ed25519.pub").read_text()
    assert (tmp_path / "log.stdin").read_text() == public
    record = json.loads((files.state / "instance.json").read_text())
    expected = f"[127.0.0.1]:{record['ssh_port']} ssh-ed25519 AAAA\n"
    assert files.known_hosts.read_text() == expected
    assert str(record["ssh_port"]) in files.inventory.read_text()


def test_create_leaves_a_running_container_and_its_sshd_alone(
    files: Files,
    commands: Callable[[], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create(files)
    before = len(commands())
    key = files.key.read_text()
    (tmp_path / "status").write_text("running\n")
    monkeypatch.setenv("SSHD_IS_READY", "yes")
    create(files)
    told = commands()[before:]
    assert not [line for line in told if line.startswith(("run ", "start ", "rm "))]
    assert not [line for line in told if "restart" in line or "ssh-keygen" in line]
    assert files.key.read_text() == key


def test_stopped_container_is_started_again(
    files: Files, commands: Callable[[], list[str]], tmp_path: Path
) -> None:
    create(files)
    (tmp_path / "status").write_text("exited\n")
    create(files)
    assert "start NAME" in commands()


def test_stopped_container_whose_port_was_taken_names_the_port(
    files: Files, commands: Callable[[], list[str]], tmp_path: Path
) -> None:
    create(files)
    (tmp_path / "status").write_text("exited\n")
    (tmp_path / "bin/podman").write_text(
        f'#!/bin/sh\n[ "$1" != start ] || {{ echo "no netns" >&2; exit 1; }}\n{PODMAN}\n'
    )
    with pytest.raises(NanodeError, match=r"does not start: no netns: try `podman start .*`$"):
        create(files)
    port = json.loads((files.state / "instance.json").read_text())["ssh_port"]
    with (
        socket.create_server((LOOPBACK, port)),
        pytest.raises(NanodeError, match=f"port {port} on 127.0.0.1 is in use: end .*'make down'"),
    ):
        create(files)


def test_only_the_local_nanode_takes_the_ports_that_others_try_first() -> None:
    assert lifecycle.preferred_ports("nanode", "tox-com-det-nanode-abc123") == (8080, 2222)
    pairs = [lifecycle.preferred_ports("-", str(container)) for container in range(20_000)]
    https, sshs = ({pair[i] for pair in pairs} for i in (0, 1))
    assert len(https) == len(sshs) == 600
    # The ranges of searches: of others, for HTTP, for SSH, of the programs that tests start.
    assert min(https) >= PREFERRED_PORT + ATTEMPTS
    assert max(https) + ATTEMPTS <= min(sshs)
    assert max(sshs) + ATTEMPTS <= LOWEST


def test_ports_that_are_in_use_are_passed_over_each_for_itself(
    files: Files, commands: Callable[[], list[str]]
) -> None:
    taken = lifecycle.preferred_ports("one", container_name("one", files.checkout))
    with ExitStack() as listening:
        for port in taken:
            # In use by another program already: as good for the test.
            with suppress(OSError):
                listening.enter_context(socket.create_server((LOOPBACK, port)))
        lifecycle.create(
            Engine("podman"), HOST, "image", system="debian13", name="one", files=files, say=print
        )
    record = json.loads((files.state / "instance.json").read_text())
    assert taken[0] < record["http_port"] < taken[1] < record["ssh_port"]


def test_container_without_a_record_is_replaced(
    files: Files, commands: Callable[[], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "status").write_text("running\n")
    create(files)
    told = commands()
    assert told.index("rm --force --volumes NAME") < [line[:4] for line in told].index("run ")


def test_destroy_removes_container_key_and_inventory(
    files: Files, commands: Callable[[], list[str]], tmp_path: Path
) -> None:
    create(files)
    (tmp_path / "status").write_text("running\n")
    removed = lifecycle.destroy(Engine("podman"), name="nanode", files=files)
    assert "rm --force --time=5 --volumes NAME" in commands()
    assert removed[1:] == [str(files.inventory), str(files.state)]
    assert not files.state.exists()
    (tmp_path / "status").unlink()
    assert lifecycle.destroy(Engine("podman"), name="nanode", files=files) == []


def test_failed_command_is_one_line_with_the_command_to_try(
    files: Files, commands: Callable[[], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "bin/podman").write_text(
        '#!/bin/sh\n[ "$1" = run ] && echo "no such image" >&2\nexit 1\n'
    )
    with pytest.raises(NanodeError, match="does not start: no such image: try `podman run ") as one:
        create(files)
    assert "\n" not in str(one.value)


def test_another_system_does_not_take_the_place_of_the_one_that_runs(
    files: Files, commands: Callable[[], list[str]]
) -> None:
    lifecycle.require_same_system(files, "debian12")
    create(files)
    lifecycle.require_same_system(files, "debian13")
    with pytest.raises(
        NanodeError, match="nanode runs debian13, and debian12 is requested: remove"
    ):
        lifecycle.require_same_system(files, "debian12")


def test_a_record_of_before_is_of_debian_12(files: Files) -> None:
    files.state.mkdir()
    old = {"name": "nanode", "container": "c", "http_port": 1, "ssh_port": 2}
    (files.state / "instance.json").write_text(json.dumps(old))
    lifecycle.require_same_system(files, "debian12")


def test_containers_of_a_network_share_it_and_the_last_one_removes_it(
    files: Files, commands: Callable[[], list[str]]
) -> None:
    for _ in range(2):
        lifecycle.create(
            Engine("podman"), HOST, "image", system="debian13", name="nanode", files=files,
            say=print, network="cluster",
        )  # fmt: skip
    told = commands()
    assert told.count("network create cluster") == 1
    assert all(" --network=cluster " in line for line in told if line.startswith("run "))
    removed = lifecycle.destroy(Engine("podman"), name="nanode", files=files, network="cluster")
    assert "network cluster" in removed
    assert commands()[-1] == "network rm cluster"
