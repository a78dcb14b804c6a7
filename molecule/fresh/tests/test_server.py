"""No matter of packages: the clock, the address, sudo, and the modes of what was made."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import SCENARIO, run

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@pytest.fixture
def slow_clock(root) -> Iterator[None]:
    """Every program that a new login starts sees a clock that is five hours slow.

    Not sshd itself: the sandbox of Debian 12's ends it for what libfaketime does.
    """
    root.run("DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --yes install libfaketime")
    before = root.run("cat /etc/environment 2>/dev/null; true")
    root.write("/etc/environment", f"LD_PRELOAD={FAKETIME}\nFAKETIME=-5h\n")
    yield
    root.write("/etc/environment", before)
    root.run("rm -f /dev/shm/faketime_*")


def test_a_clock_that_is_hours_slow_is_noticed_before_anything_else_fails(slow_clock):
    # Not over a connection that is open already.
    code, said = run("ansible-playbook", "site.yml", ANSIBLE_SSH_ARGS="-o ControlMaster=no")
    assert code != 0
    assert "The clock of fresh is 5.0 hours behind the one of this computer" in said
    assert "timedatectl" in said
    assert "chronyc" in said
    # Nothing before it, and nothing after it.
    assert "TASK [package_sources" not in said
    assert len(re.findall(r"^fatal:", said, re.MULTILINE)) == 1


def test_a_slow_prompt_of_sudo_is_waited_for(root, tmp_path):
    """As where sudo looks up the server's own name and no name server answers."""
    pam = root.run("cat /etc/pam.d/sudo")
    secret = tmp_path / "secret.json"
    secret.write_text(
        json.dumps({"ansible_user": "slow", "ansible_become_password": "the password"})
    )
    try:
        root.run(
            "useradd --create-home slow && mkdir -m 700 ~slow/.ssh && "
            "cp /root/.ssh/authorized_keys ~slow/.ssh/ && chown -R slow: ~slow/.ssh"
        )
        root.run("chpasswd", "slow:the password\n")
        root.write("/etc/sudoers.d/slow", "slow ALL=(ALL) ALL\n", "0440")
        root.write("/etc/pam.d/sudo", f"auth optional pam_exec.so /bin/sleep 15\n{pam}")
        code, said = run(
            *("ansible", "tox_com_det", "--become", "-e", f"@{secret}"),
            *("-m", "ansible.builtin.command", "-a", "id -u"),
        )
    finally:
        root.write("/etc/pam.d/sudo", pam)
        root.run("rm -f /etc/sudoers.d/slow; loginctl terminate-user slow; userdel -fr slow; true")
    assert code == 0, said
    assert said.splitlines()[-1] == "0"


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy what one end sends to the other."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def forward(near: socket.socket, far: socket.socket) -> None:
    """Connect two sockets until both ends are done, and close them."""
    with near, far:
        back = threading.Thread(target=pump, args=(far, near), daemon=True)
        back.start()
        pump(near, far)
        back.join()


@pytest.fixture
def over_ipv6(tmp_path: Path) -> Iterator[Path]:
    """An inventory whose only address is ::1, where the container's sshd then answers."""
    settings = json.loads(re.sub(r"(?m)^#.*$", "", (SCENARIO / "inventory/nanode.yml").read_text()))
    values = settings["tox_com_det"]["hosts"]["fresh"]
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine ({error})")
    target = ("127.0.0.1", values["ansible_port"])

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(target)
                threading.Thread(target=forward, args=(near, far), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port = listener.getsockname()[1]
    found = re.search(r"UserKnownHostsFile=(\S+)", values["ansible_ssh_common_args"])
    assert found
    known = tmp_path / "known_hosts"
    key = Path(found[1]).read_text().split(maxsplit=1)[1]
    known.write_text(f"[::1]:{port} {key}")
    values["ansible_ssh_common_args"] = values["ansible_ssh_common_args"].replace(
        found[1], str(known)
    )
    values |= {"ansible_host": "::1", "ansible_port": port}
    inventory = tmp_path / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    (inventory / "hosts.yml").write_text(json.dumps(settings))
    group = (SCENARIO / "inventory/group_vars/tox_com_det.yml").read_text()
    (inventory / "group_vars/tox_com_det.yml").write_text(group)
    yield inventory
    listener.close()


def test_an_address_of_ipv6_alone_does_for_ansible(over_ipv6):
    for playbook in ("playbooks/preflight.yml", "playbooks/verify.yml"):
        code, said = run("ansible-playbook", playbook, ANSIBLE_INVENTORY=str(over_ipv6))
        assert code == 0, said


def test_an_address_of_ipv6_alone_does_for_fabric(over_ipv6):
    code, said = run("fab", "status", ANSIBLE_INVENTORY=str(over_ipv6))
    assert code == 0, said


def test_an_unknown_host_key_of_an_ipv6_address_is_reported_with_a_command_that_works(over_ipv6):
    hosts = json.loads((over_ipv6 / "hosts.yml").read_text())
    values = hosts["tox_com_det"]["hosts"]["fresh"]
    other = over_ipv6.parent / "other"
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)]
    subprocess.run(made, check=True)  # noqa: S603 (fixed words)
    known = over_ipv6.parent / "known_hosts"
    name = f"[::1]:{values['ansible_port']}"
    key = " ".join(Path(f"{other}.pub").read_text().split()[:2])
    known.write_text(f"{name} {key}\n")
    code, said = run(
        *("ansible-playbook", "playbooks/preflight.yml"),
        ANSIBLE_INVENTORY=str(over_ipv6),
        # A new connection: one that is kept open would hide a changed host key.
        ANSIBLE_SSH_ARGS="-o ControlMaster=no -o ControlPath=none",
    )
    assert code != 0
    assert f"ssh-keygen -R '{name}'" in said
    removed = subprocess.run(  # noqa: S603 (the command of the message)
        ["ssh-keygen", "-R", name, "-f", str(known)],  # noqa: S607 (as somebody types it)
        capture_output=True,
        text=True,
        check=True,
    )
    assert "updated" in removed.stdout


def test_the_service_and_nginx_read_what_was_made_with_umask_077(root):
    """A model has been deployed with these files; this finds those that a deploy spares."""
    # Uploads belong to the sudo user, and the service is to see none of them.
    unreadable = root.run(
        "runuser -u tox_com_det -- find /opt/tox_com_det /opt/secantusdb /srv/tox_com_det "
        r"-path /srv/tox_com_det/incoming -prune -o \( -type f -o -type d \) ! -readable -print"
    )
    assert unreadable == ""
    assert root.run("stat -c %a /etc/nginx/nginx.conf").strip() == "644"


def test_firewalld_and_cloud_init_both_start_at_boot(root):
    """With Debian 12's own unit of firewalld they wait for each other; systemd leaves one out."""
    if root.run("dpkg-query --show --showformat '${Version}' firewalld") >= "2":
        # In Debian 13 the packages conflict, so cloud-init is gone.
        state = root.run("dpkg-query --show --showformat '${db:Status-Status}' cloud-init")
        assert state == "config-files"
        assert root.run("systemctl is-active firewalld") == "active\n"
        return
    # The unit of the network stage has another name since cloud-init 24.3.
    states = root.run(
        "stage=cloud-init-network; systemctl cat $stage >/dev/null 2>&1 || stage=cloud-init;"
        "systemctl is-active firewalld cloud-init-local $stage cloud-config cloud-final"
    ).split()
    assert states == ["active"] * 5
    assert "ordering cycle" not in root.run("journalctl --no-pager _PID=1")
