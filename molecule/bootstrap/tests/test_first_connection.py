"""Nobody locks himself out, and no secret is left lying about. In the order of a server's life."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import PROJECT, SSH_PORT

SAMPLER = Path(__file__).with_name("sampler.py").read_text()


def wrong_key(other_key: Path) -> str:
    public = Path(f"{other_key}.pub").read_text().strip()
    return json.dumps({"sudo_user_authorized_keys": [public]})


def last_message(text: str) -> str:
    """What the last failed task says."""
    return [line for line in text.splitlines() if '"msg"' in line or "msg:" in line][-1]


@contextmanager
def watched_processes(server, canary):
    """Look through all processes, here and on the server, while the block runs."""
    places = {
        "laptop": [sys.executable, "-c", SAMPLER],
        "server": server.engine.command("exec", "-i", server.container, "python3", "-c", SAMPLER),
    }
    running = {}
    for place, command in places.items():
        running[place] = subprocess.Popen(  # noqa: S603 (built above)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running[place].stdin.write("\n".join(canary.needles()) + "\n\n")
        running[place].stdin.flush()
    found = {}
    yield found
    for place, sampler in running.items():
        found[place] = sampler.communicate(timeout=60)[0]


def assert_nobody_was_shown(found):
    assert set(found) == {"laptop", "server"}
    for place, text in found.items():
        lines = text.splitlines()
        assert not [line for line in lines if line.startswith("LEAK")], place
        assert int(lines[-1].split()[1]) > 20, f"too few looks on the {place}: {lines}"


def test_a_password_without_sshpass_is_one_line(laptop, tmp_path):
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


def test_a_missing_vault_password_stops_before_anything_is_asked(laptop):
    done = laptop.bootstrap(ANSIBLE_VAULT_PASSWORD_FILE="")
    assert done.returncode != 0
    assert "vault" in (done.stdout + done.stderr).lower()


def test_a_key_that_nobody_knows_is_one_line(laptop, other_key):
    done = laptop.bootstrap("-e", f"ansible_ssh_private_key_file={other_key}")
    assert done.returncode != 0
    assert "neither root nor deploy gets into bootstrap" in last_message(done.stdout)


def test_a_check_of_a_brand_new_server_touches_nothing(laptop, server):
    done = laptop.bootstrap("--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert "+PermitRootLogin no" in done.stdout
    assert server.inside("id deploy").returncode != 0
    assert not server.is_closed_for_root()


def test_a_wrong_key_stops_before_root_is_closed(laptop, server, other_key):
    done = laptop.bootstrap("-e", wrong_key(other_key))
    assert done.returncode != 0
    said = last_message(done.stdout)
    assert f"deploy does not get into bootstrap with the key {server.key}" in said
    assert "Permission denied" in said
    assert "put its public half into sudo_user_authorized_keys" in said
    assert not server.is_closed_for_root()
    assert server.lets_in("root")
    # What did not prove itself is gone.
    assert server.inside("test -e /etc/sudoers.d/tox_com_det").returncode != 0


def test_a_wrong_sudo_password_stops_before_root_is_closed(laptop, server, tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"ansible_become_password": "not the one of the hash"}))
    done = laptop.bootstrap("-e", f"@{wrong}")
    assert done.returncode != 0
    said = last_message(done.stdout)
    assert "deploy gets into bootstrap, but sudo refuses him (Incorrect sudo password)" in said
    assert not server.is_closed_for_root()
    assert server.lets_in("root")


def test_settings_that_shut_the_sudo_user_out_are_taken_back(laptop, server):
    # A line that sshd has not read yet shuts him out at the reload, after the first proof.
    server.inside("sed -i '1i DenyUsers deploy' /etc/ssh/sshd_config")
    done = laptop.bootstrap()
    assert done.returncode != 0
    said = last_message(done.stdout)
    assert "deploy does not get into bootstrap" in said
    assert "sshd's settings are as they were before" in said
    assert not server.is_closed_for_root()
    assert server.lets_in("root")
    server.inside("sed -i '/^DenyUsers/d' /etc/ssh/sshd_config; systemctl reload ssh")


def test_the_server_takes_back_by_itself_what_a_lost_connection_left(laptop, server):
    # No connection is kept open: once root is closed and the user shut out, nobody can come back.
    server.inside("sed -i '1i DenyUsers deploy' /etc/ssh/sshd_config")
    done = laptop.bootstrap(
        "-e", "sudo_user_take_back_seconds=15", ANSIBLE_SSH_ARGS="-o ControlMaster=no"
    )
    assert done.returncode != 0
    said = last_message(done.stdout)
    assert "sshd's settings will, by the server itself within 15 seconds, be as they were" in said
    deadline = time.monotonic() + 30
    while server.is_closed_for_root() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not server.is_closed_for_root()
    assert server.lets_in("root")
    server.inside("sed -i '/^DenyUsers/d' /etc/ssh/sshd_config; systemctl reload ssh")


def test_a_proof_that_comes_too_late_is_none(laptop, server):
    # The server began to take the change back while the run went on.
    done = laptop.bootstrap("-e", "sudo_user_take_back_seconds=1")
    assert done.returncode != 0
    assert "the proof took longer than 1 seconds" in last_message(done.stdout)
    assert not server.is_closed_for_root()
    assert server.lets_in("root")


def test_root_is_closed_once_the_sudo_user_is_proven(laptop, server, canary, tmp_path):
    arguments = ["-v", "--diff"]
    if shutil.which("sshpass"):
        # As a provider hands it over: a password and no key.
        server.inside("mv /root/.ssh/authorized_keys /root/.ssh/aside")
        password = tmp_path / "root_password"
        password.write_text(canary.root_password + "\n")
        arguments.append(f"--connection-password-file={password}")
    with watched_processes(server, canary) as found:
        done = laptop.bootstrap(*arguments)
    server.inside("mv /root/.ssh/aside /root/.ssh/authorized_keys")
    assert done.returncode == 0, done.stdout
    assert_nobody_was_shown(found)
    assert server.is_closed_for_root()
    assert not server.lets_in("root")
    assert server.lets_in("deploy")
    effective = server.inside("sshd -T").stdout.splitlines()
    assert {
        "permitrootlogin no",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        f"port {SSH_PORT}",
    } <= set(effective)
    assert server.inside("systemctl is-active tox_com_det-take-back").returncode != 0
    # The guard clears up while it ends, when it is no longer "active".
    left = "/run/tox_com_det-take-back"
    gone = f"for _ in $(seq 50); do test -e {left} || exit 0; sleep 0.1; done; exit 1"
    assert server.inside(gone).returncode == 0


def test_bootstrap_again_goes_on_as_the_sudo_user_and_changes_nothing(laptop):
    done = laptop.bootstrap()
    assert done.returncode == 0, done.stdout
    assert "deploy gets into bootstrap already: going on as deploy, not as root" in done.stdout
    assert "changed=0" in done.stdout


def test_new_keys_without_ones_own_are_taken_back(laptop, server, other_key):
    done = laptop.bootstrap("-e", wrong_key(other_key))
    assert done.returncode != 0
    assert "deploy does not get into bootstrap" in last_message(done.stdout)
    assert server.lets_in("deploy")
    assert not server.lets_in("deploy", other_key)


def test_the_whole_server_shows_no_secret_and_keeps_the_way_in(laptop, server, canary):
    with watched_processes(server, canary) as found:
        done = laptop.run("ansible-playbook", "site.yml", "-v", "--diff")
        assert done.returncode == 0, done.stdout[-4000:]
        for tasks in (["build-model"], ["restore-embeddings"], ["deploy-model"], ["status"]):
            done = laptop.run("fab", *tasks)
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert_nobody_was_shown(found)
    assert not server.lets_in("root")
    assert server.lets_in("deploy")
    opened = server.inside("firewall-cmd --zone=public --list-all").stdout
    assert f"{SSH_PORT}/tcp" in opened


def test_no_secret_is_left_on_the_server(server, canary):
    needles = "\n".join(canary.needles()) + "\n"
    places = "/etc /opt /srv /root /home /var /run /tmp /usr/local /dev/shm"
    found = server.inside(f"grep -rlaF -D skip -f - {places} 2>/dev/null", needles)
    # The hash is where the system keeps it, and in the copy that it keeps of it.
    assert set(found.stdout.split()) <= {"/etc/shadow", "/etc/shadow-"}
    journal = server.inside("journalctl --no-pager --all --output=verbose > /run/journal.txt; "
                            "wc -l < /run/journal.txt; grep -aFf - /run/journal.txt; "
                            "rm /run/journal.txt", needles)  # fmt: skip
    count, *leaks = journal.stdout.splitlines()
    assert int(count) > 100
    assert not leaks
    assert canary.hash in server.inside("cat /etc/shadow").stdout


def test_no_secret_is_left_on_the_laptop(laptop, canary):
    said = "".join(laptop.said)
    log = (laptop.work / "ansible.log").read_text()
    assert len(said) > 10_000
    assert len(log) > 10_000
    facts = list((laptop.work / "facts").iterdir())
    assert facts
    leaks = [name for name, text in (("said", said), ("log", log)) if shows(text, canary)]
    places = [*facts, PROJECT / "build", PROJECT / ".nanode", laptop.inventory]
    places += [Path.home() / ".ansible", Path.home() / ".bash_history"]
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file() and shows(path.read_bytes().decode(errors="replace"), canary):
                leaks.append(str(path))
    assert leaks == []


def shows(text: str, canary) -> bool:
    return any(needle in text for needle in canary.needles())


def test_the_databases_password_is_in_no_diff(laptop, tmp_path):
    given = tmp_path / "uri.json"
    uri = "mongodb://app:canary-of-the-uri@127.0.0.1:27017"
    given.write_text(json.dumps({"flask_app_mongodb_uri": uri}))
    check = ("--check", "--diff", "-v", "--tags", "flask_app", "-e", f"@{given}")
    done = laptop.run("ansible-playbook", "playbooks/serve.yml", *check)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Configure the service" in done.stdout
    assert "canary-of-the-uri" not in done.stdout + done.stderr


def test_fab_without_the_vaults_password_is_one_line(laptop):
    done = laptop.run("fab", "status", environment={"ANSIBLE_VAULT_PASSWORD_FILE": ""})
    assert done.returncode != 0
    assert "set ANSIBLE_VAULT_PASSWORD_FILE" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


if not os.environ.get("MOLECULE_PROJECT_DIRECTORY"):
    pytestmark = pytest.mark.skip(reason="run by 'molecule test -s bootstrap'")
