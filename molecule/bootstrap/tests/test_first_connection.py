"""Nobody is locked out and no secret is leaked, at every stage of a new server (conftest.py)."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import GUARD, HANG_SECONDS, PROJECT, SSH_PORT, call, wait_until
from packaging.version import Version
from processes import assert_no_secret_was_visible


def wrong_key(other_key: Path) -> str:
    public = Path(f"{other_key}.pub").read_text().strip()
    return json.dumps({"sudo_user_authorized_keys": [public]})


def last_message(text: str) -> str:
    """Return the message of the last failed task."""
    return [line for line in text.splitlines() if '"msg"' in line or "msg:" in line][-1]


@pytest.mark.skipif(
    Version(version("ansible-core")) >= Version("2.19"),
    reason="since 2.19, ssh asks Ansible for the password",
)
def test_a_password_without_sshpass_gives_one_line(laptop, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in Path("/usr/bin").iterdir():
        if tool.name != "sshpass":
            (bare / tool.name).symlink_to(tool)
    password = tmp_path / "password"
    password.write_text("any\n")
    done = laptop.bootstrap(f"--connection-password-file={password}", PATH=str(bare))
    assert done.returncode != 0
    assert "install sshpass (apt-get install sshpass)" in last_message(done.stdout)


def test_a_missing_vault_password_stops_before_the_first_connection(laptop):
    done = laptop.bootstrap(ANSIBLE_VAULT_PASSWORD_FILE="")
    assert done.returncode != 0
    assert "vault" in (done.stdout + done.stderr).lower()


def test_an_unauthorized_key_gives_one_line(laptop, other_key):
    done = laptop.bootstrap("-e", f"ansible_ssh_private_key_file={other_key}")
    assert done.returncode != 0
    assert "neither root nor deploy can log in to bootstrap" in last_message(done.stdout)


def test_check_mode_changes_nothing_on_a_brand_new_server(laptop, server):
    done = laptop.bootstrap("--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert "+PermitRootLogin no" in done.stdout
    assert server.inside("id deploy").returncode != 0
    assert not server.has_restricted_sshd()


def test_a_wrong_key_stops_before_root_login_is_disabled(laptop, server, other_key):
    done = laptop.bootstrap("-e", wrong_key(other_key))
    assert done.returncode != 0
    message = last_message(done.stdout)
    assert f"deploy cannot log in to bootstrap with the key {server.key}" in message
    assert "Permission denied" in message
    assert "add its public half to sudo_user_authorized_keys" in message
    assert not server.has_restricted_sshd()
    assert server.allows_login("root")
    # The unconfirmed change was reverted.
    assert server.inside("test -e /etc/sudoers.d/tox_com_det").returncode != 0


def test_a_wrong_sudo_password_stops_before_root_login_is_disabled(laptop, server, tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"ansible_become_password": "not the one of the hash"}))
    done = laptop.bootstrap("-e", f"@{wrong}")
    assert done.returncode != 0
    message = last_message(done.stdout)
    assert "deploy can log in to bootstrap, but sudo fails (Incorrect sudo password)" in message
    assert not server.has_restricted_sshd()
    assert server.allows_login("root")


def test_settings_that_lock_the_sudo_user_out_are_reverted(laptop, server):
    # sshd reads this line when it reloads, after the login was verified for the first time.
    server.inside("sed -i '1i DenyUsers deploy' /etc/ssh/sshd_config")
    done = laptop.bootstrap()
    assert done.returncode != 0
    message = last_message(done.stdout)
    assert "deploy cannot log in to bootstrap" in message
    assert "sshd's previous settings are restored" in message
    assert not server.has_restricted_sshd()
    assert server.allows_login("root")


def test_the_server_reverts_by_itself_after_a_lost_connection(laptop, server):
    # No connection is kept open: with root login disabled and the user locked out, no login works.
    server.inside("sed -i '1i DenyUsers deploy' /etc/ssh/sshd_config")
    # The test ends the guard's time, so that it cannot run out earlier on a busy machine.
    done = laptop.bootstrap(ANSIBLE_SSH_ARGS="-o ControlMaster=no")
    assert done.returncode != 0
    message = last_message(done.stdout)
    assert (
        "sshd's previous settings will be restored by the server itself within "
        f"{HANG_SECONDS} seconds" in message
    )
    assert server.has_restricted_sshd()
    call(server.expire_guard(), check=True)
    wait_until(lambda: not server.has_restricted_sshd(), "the previous settings of sshd")
    wait_until(lambda: server.allows_login("root"), "the login of root")


def test_a_verification_after_the_timeout_is_rejected(laptop, server):
    # The server starts to revert the change while the run continues.
    done = laptop.bootstrap(
        ANSIBLE_CALLBACK_PLUGINS=str(PROJECT / "molecule/bootstrap/callback_plugins"),
        ANSIBLE_CALLBACKS_ENABLED="after_task",
        AFTER_TASK="lockout_guard : Wait until the guard has saved the current state",
        AFTER_TASK_COMMAND=json.dumps(server.expire_guard()),
    )
    assert done.returncode != 0
    assert f"verification took longer than {HANG_SECONDS} seconds" in last_message(done.stdout)
    assert not server.has_restricted_sshd()
    assert server.allows_login("root")


def test_root_login_is_disabled_once_the_sudo_user_is_verified(hardened, server):
    assert_no_secret_was_visible(hardened.visible)
    assert server.has_restricted_sshd()
    assert not server.allows_login("root")
    assert server.allows_login("deploy")
    effective = server.inside("sshd -T").stdout.splitlines()
    assert {
        "permitrootlogin no",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        f"port {SSH_PORT}",
    } <= set(effective)
    # The guard ends by itself a moment after it was told, and removes its state while it does.
    sign = f"systemctl is-active {GUARD} || test -e /run/{GUARD}"
    wait_until(lambda: server.inside(sign).returncode != 0, "the end of the guard")


def test_a_second_bootstrap_logs_in_as_the_sudo_user_and_changes_nothing(hardened, laptop):
    done = laptop.bootstrap()
    assert done.returncode == 0, done.stdout
    assert (
        "deploy can already log in to bootstrap: continuing as deploy, not as root" in done.stdout
    )
    assert "changed=0" in done.stdout


def test_new_keys_without_the_current_one_are_reverted(hardened, laptop, server, other_key):
    done = laptop.bootstrap("-e", wrong_key(other_key))
    assert done.returncode != 0
    assert "deploy cannot log in to bootstrap" in last_message(done.stdout)
    assert server.allows_login("deploy")
    assert not server.allows_login("deploy", other_key)


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/usr/bin/not-installed"])
def test_a_login_shell_that_refuses_logins_is_reverted(hardened, laptop, server, shell):
    before = server.inside("getent passwd deploy").stdout
    done = laptop.bootstrap("-e", json.dumps({"sudo_user_shell": shell}))
    assert done.returncode != 0
    # Where the shell exists, ssh or sudo fails, as Ansible's version has it.
    reasons = {
        "/usr/sbin/nologin": "deploy can",
        "/usr/bin/not-installed": f"{shell} is not installed on bootstrap: install it",
    }
    message = last_message(done.stdout)
    assert reasons[shell] in message
    assert "to deploy are reverted" in message
    assert server.inside("getent passwd deploy").stdout == before
    # A new session: an open one says nothing of the shell.
    assert server.allows_login("deploy")


def test_site_yml_shows_no_secret_and_keeps_the_login(provisioned, server):
    assert_no_secret_was_visible(provisioned.visible)
    assert not server.allows_login("root")
    assert server.allows_login("deploy")
    allowed = server.inside("firewall-cmd --zone=public --list-all").stdout
    assert f"{SSH_PORT}/tcp" in allowed


def test_no_secret_is_left_on_the_server(finished, server, canary):
    needles = "\n".join(canary.needles()) + "\n"
    places = "/etc /opt /srv /root /home /var /run /tmp /usr/local /dev/shm"
    found = server.inside(f"grep -rlaF -D skip -f - {places} 2>/dev/null", needles)
    # The system keeps the hash in these two files.
    assert set(found.stdout.split()) <= {"/etc/shadow", "/etc/shadow-"}
    journal = server.inside("journalctl --no-pager --all --output=verbose > /run/journal.txt; "
                            "wc -l < /run/journal.txt; grep -aFf - /run/journal.txt; "
                            "rm /run/journal.txt", needles)  # fmt: skip
    count, *leaks = journal.stdout.splitlines()
    assert int(count) > 100
    assert not leaks
    assert canary.hash in server.inside("cat /etc/shadow").stdout


def test_no_secret_is_left_on_the_controller(finished, laptop, canary):
    output = "".join(laptop.output)
    log = (laptop.work / "ansible.log").read_text()
    assert len(output) > 10_000
    assert len(log) > 10_000
    facts = list((laptop.work / "facts").iterdir())
    assert facts
    leaks = [
        name for name, text in (("output", output), ("log", log)) if leaks_a_secret(text, canary)
    ]
    places = [*facts, PROJECT / "build", PROJECT / ".nanode", laptop.inventory]
    places += [Path.home() / ".ansible", Path.home() / ".bash_history"]
    leaks += [
        str(path)
        for place in places
        for path in files_at(place)
        if leaks_a_secret(text_of(path), canary)
    ]
    assert leaks == []


def files_at(place: Path) -> list[Path]:
    """Return the file, or all files below the directory."""
    if place.is_file():
        return [place]
    # Other than rglob, it goes on if another part of `make test` removes its directory meanwhile.
    return [Path(directory, name) for directory, _, names in os.walk(place) for name in names]


def text_of(path: Path) -> str:
    """Return the file's text; none of a socket, or of a file that is gone meanwhile."""
    try:
        return path.read_bytes().decode(errors="replace") if path.is_file() else ""
    except FileNotFoundError:
        return ""


def leaks_a_secret(text: str, canary) -> bool:
    return any(needle in text for needle in canary.needles())


def test_the_database_password_is_in_no_diff(provisioned, laptop, tmp_path):
    given = tmp_path / "uri.json"
    uri = "mongodb://app:canary-of-the-uri@127.0.0.1:27017"
    given.write_text(json.dumps({"flask_app_mongodb_uri": uri}))
    check = ("--check", "--diff", "-v", "--tags", "flask_app", "-e", f"@{given}")
    done = laptop.run("ansible-playbook", "playbooks/serve.yml", *check)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Configure the service" in done.stdout
    assert "canary-of-the-uri" not in done.stdout + done.stderr


def test_fab_without_the_vault_password_gives_one_line(provisioned, laptop):
    done = laptop.run("fab", "status", environment={"ANSIBLE_VAULT_PASSWORD_FILE": ""})
    assert done.returncode != 0
    assert "set ANSIBLE_VAULT_PASSWORD_FILE" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


if not os.environ.get("MOLECULE_PROJECT_DIRECTORY"):
    pytestmark = pytest.mark.skip(reason="run by 'molecule test -s bootstrap'")
