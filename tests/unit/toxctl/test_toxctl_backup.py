"""`toxctl backup`: complete or not at all, restored beside what is there, faults in one line."""

from __future__ import annotations

import json
import os
import pwd
import time
from pathlib import Path
from typing import Any

import fake_restic
import pytest
from fake_server import FakeServer

from toxctl import backup, backup_alarms, backup_config, backup_state, config, restic
from toxctl.errors import ToxctlError

DIGEST = {"count": 2, "bytes": 20, "checksum": "ab"}
NAMES = ("word_embeddings.words_of_one", "perspective.suggestions")
DOCS = "see docs/backup.md"


@pytest.fixture
def backed(serving: FakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A serving server with a repository and an app that dumps two collections."""
    root = serving.root
    monkeypatch.setattr(pwd, "getpwnam", lambda _: os_user())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    fake_restic.install(root / "bin", root / "fake")
    (root / "etc").mkdir()
    settings = {
        "format": 1, "repository": str(root / "repository"), "name": "nanode",
        "password_file": str(root / "password"), "environment_file": "", "ssh_key_file": "",
        "ssh_known_hosts_file": "", "keep_daily": 7, "keep_weekly": 4, "keep_monthly": 6,
        "max_age_hours": 36, "check_days": 7,
    }  # fmt: skip
    (root / "password").write_text("passw0rd")
    (root / "backup.json").write_text(json.dumps(settings))
    (root / "apps/1.0/tox_com_det/store/backup.py").touch()
    collections = json.dumps({"collections": dict.fromkeys(NAMES, DIGEST)})
    serving.answers(
        "backup",
        'case "$3" in\n'
        "--dump) for one in word_embeddings/words_of_one perspective/suggestions; do\n"
        'mkdir -p "$4/${one%/*}"; echo x > "$4/$one.bson"; echo x > "$4/$one.metadata.json"; done\n'
        f"echo '{collections}' ;;\n"
        f"--load) [ -e {root}/differs ] && cat {root}/differs || echo '{collections}' ;;\n"
        f"--drop) echo dropped >> {root}/said; echo '{{\"dropped\": true}}' ;;\n"
        f'--add) ls "$4/perspective" >> {root}/said; echo \'{{"added": 2}}\' ;;\n'
        "esac",
    )
    serving.answers("restore", f'echo "$*" >> {root}/said; echo done')
    serving.answers(
        "verify",
        f'echo "$*" >> {root}/said; echo \'{{"golden_outputs": 2, "worst": 0.0, "count": 2}}\'',
    )
    return serving


def os_user() -> Any:
    return pwd.getpwuid(os.getuid())


def fails(server: FakeServer, *lines: str) -> None:
    (server.root / "fake/restic.fails").write_text("".join(f"{line}\n" for line in lines))


def restic_log(server: FakeServer) -> list[str]:
    return (server.root / "fake/restic.log").read_text().splitlines()


def said(server: FakeServer) -> list[str]:
    path = server.root / "said"
    return path.read_text().splitlines() if path.exists() else []


def run(server: FakeServer) -> dict[str, Any]:
    return dict(server.json("backup", "run").result)


def ids(server: FakeServer) -> list[str]:
    return [one["id"] for one in server.json("backup", "list").result["backups"]]


@pytest.fixture
def made(backed: FakeServer) -> FakeServer:
    """A server with one complete backup."""
    assert backed.json("backup", "init").result["created"]
    run(backed)
    return backed


def test_without_a_repository_it_says_what_to_set(serving: FakeServer) -> None:
    error = serving.json("backup", "run").error
    assert error["kind"] == "config"
    assert "set backup_repository and backup_password" in error["error"]
    assert serving.json("status").result["backup"] is None


def test_the_repository_is_made_once(backed: FakeServer) -> None:
    assert backed.json("backup", "init").result["created"] is True
    assert backed.json("backup", "init").result["created"] is False


def test_a_password_is_kept_once_it_has_opened_the_repository(backed: FakeServer) -> None:
    own = backed.root / "password"
    own.unlink()
    made = backed.run("--json", "backup", "init", "--password-stdin", stdin="first\n").result
    assert (made["created"], made["password_written"]) == (True, True)
    assert (own.read_text(), own.stat().st_mode & 0o777) == ("first", 0o600)
    again = backed.run("--json", "backup", "init", "--password-stdin", stdin="first\n").result
    assert (again["created"], again["password_written"]) == (False, False)


def test_a_wrong_password_does_not_replace_the_right_one(made: FakeServer) -> None:
    error = made.run("--json", "backup", "init", "--password-stdin", stdin="wrong").error
    assert error["kind"] == "password"
    assert "is not opened by the backup_password of the inventory" in error["error"]
    assert f"which is still in {made.root}/password on this server" in error["error"]
    assert sorted(path.name for path in made.root.glob("password*")) == ["password"]
    run(made)


def test_a_new_server_does_not_keep_a_wrong_password(made: FakeServer) -> None:
    (made.root / "password").unlink()
    error = made.run("--json", "backup", "init", "--password-stdin", stdin="wrong").error
    assert error["kind"] == "password"
    assert "still" not in error["error"]
    assert list(made.root.glob("password*")) == []


def test_an_empty_server_does_not_back_up_over_the_one_that_it_replaces(made: FakeServer) -> None:
    confirmed = made.root / "state/confirmed.json"
    kept = confirmed.read_text()
    confirmed.unlink()
    error = made.json("backup", "run").error
    assert error["kind"] == "usage"
    assert "has no model yet" in error["error"]
    assert "run `fab restore`" in error["error"]
    assert len(ids(made)) == 1
    confirmed.write_text(kept)
    run(made)


def test_a_repository_that_is_gone_is_not_made_anew(made: FakeServer) -> None:
    (made.root / "repository").rename(made.root / "elsewhere")
    for verb in ("init", "run"):
        error = made.json("backup", verb).error
        assert error["kind"] == "missing"
        assert "that its disk is mounted" in error["error"]
    assert not (made.root / "repository").exists()


def test_another_repository_in_its_place_is_refused(made: FakeServer) -> None:
    (made.root / "repository").rename(made.root / "elsewhere")
    state = made.root / "state" / backup_state.FILE
    kept = state.read_text()
    state.unlink()
    assert made.json("backup", "init").result["created"]
    state.write_text(kept)
    assert (
        "is not the repository that was there before" in made.json("backup", "run").error["error"]
    )


def test_a_backup_has_the_dump_the_models_and_the_configuration(made: FakeServer) -> None:
    (snapshot,) = (made.root / "repository").glob("*/files")
    below = snapshot / str(made.root).lstrip("/")
    assert (below / "models/one/manifest.json").exists()
    assert (below / "state/confirmed.json").exists()
    assert (below / "backup/dump/database/perspective/suggestions.bson").exists()
    contents = json.loads((below / "backup/dump/contents.json").read_text())
    assert contents["model"] == "one"
    assert contents["collections"] == dict.fromkeys(NAMES, DIGEST)
    assert not (made.root / "backup/dump").exists()


def test_no_secret_is_on_a_command_line_or_in_an_answer(made: FakeServer) -> None:
    done = made.json("backup", "run")
    assert "passw0rd" not in done.stdout + "".join(restic_log(made))


def test_the_report_and_the_facts_have_the_last_backup(made: FakeServer) -> None:
    report = made.json("status").result["backup"]
    assert report["last"]["documents"] == 4
    assert report["failed"] is None
    assert report["late"] is False
    facts = json.loads((made.root / "facts.json").read_text())
    assert abs(facts["backed_up"] - time.time()) < 1000
    assert "backup: 2" in made.run("status").stdout


def test_old_backups_are_removed_and_a_part_is_checked_once_a_week(made: FakeServer) -> None:
    run(made)
    checks = [line for line in restic_log(made) if line.startswith("check")]
    assert checks == ["check --read-data-subset=1/10"]
    state = backup_state.read(config.load(str(made.config_path)))
    early = {**state, "checked": {"at": time.time() - 8 * 86400, "part": 10}}
    (made.root / "state" / backup_state.FILE).write_text(json.dumps(early))
    run(made)
    log = restic_log(made)
    assert log.count("check --read-data-subset=1/10") == 2
    forget = [line for line in log if line.startswith("forget --host nanode")]
    assert "--keep-daily 7 --keep-weekly 4 --keep-monthly 6 --prune" in forget[-1]


def test_a_check_that_is_dated_a_moment_ahead_counts(made: FakeServer) -> None:
    state = backup_state.read(config.load(str(made.config_path)))
    later = {**state, "checked": {"at": time.time() + 300, "part": 3}}
    (made.root / "state" / backup_state.FILE).write_text(json.dumps(later))
    run(made)
    assert "check --read-data-subset=4/10" not in restic_log(made)


def test_backups_of_one_second_are_in_the_order_of_its_digits() -> None:
    times = [
        "2026-01-01T02:00:00.5+01:00",
        "2026-01-01T01:00:00.123456789Z",
        "2026-01-01T01:00:00Z",
        "2026-01-01T01:00:00.49Z",
        "2026-01-01T01:00:01Z",
    ]
    assert sorted(times, key=restic.moment) == [times[one] for one in (2, 1, 3, 0, 4)]


FAULTS = {
    "cat": [
        ("12|Fatal: wrong password or no key found", "password", "set backup_password"),
        ("1|Fatal: unable to open config file: dial tcp 192.0.2.1:443: connect: connection refused",
         "connection", "cannot be reached"),
        # Of restic 0.14 with OpenSSH 9.2 and SeaweedFS 4.48 (scripts/test-dead-server).
        ("1|subprocess ssh: b@192.0.2.1: Permission denied (publickey). Fatal: unable to open "
         "repository at sftp:b@h:t: unable to start the sftp session, error: EOF",
         "connection", "refuses this server's key"),
        ("1|subprocess ssh: Host key verification failed. Fatal: unable to start the sftp session",
         "connection", "a host key that is not in backup_ssh_known_hosts"),
        ("1|Fatal: unable to open config file: Stat: The request signature we calculated does not "
         "match the signature you provided. Is there a repository at the following location?",
         "connection", "refuses this server's key"),
        ("1|Fatal: unable to open config file: Stat: The access key ID you provided does not exist"
         " in our records. Is there a repository at the following location?",
         "connection", "refuses this server's key"),
    ],
    "backup": [
        ("11|unable to create lock in backend: repository is already locked exclusively by PID 3 on"
         " host by root", "locked", DOCS),
        ("1|Save(<data/1>) failed: write: no space left on device", "disk", "make room"),
        ("1|Fatal: subprocess ssh: client_loop: send disconnect: Broken pipe", "connection",
         "cannot be reached"),
        ("1|subprocess ssh: Connection to 192.0.2.1 closed by remote host. Fatal: unable to save "
         "snapshot: ssh command exited: exit status 255", "connection", "cannot be reached"),
        ("1|load <data/1>: connection reset by peer, unexpected EOF", "connection",
         "cannot be reached"),
        ("1|Fatal: unable to save snapshot: Write: sftp: \"Failure\" (SSH_FX_FAILURE)", "disk",
         "make room"),
        ("1|load <index/1>: invalid data returned", "damaged", DOCS),
        ("1|something else", "other", "failed: something else"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "fault", "kind", "words"),
    [(command, *fault) for command, faults in FAULTS.items() for fault in faults],
)
def test_a_fault_is_one_line_and_older_backups_stay(
    made: FakeServer, command: str, fault: str, kind: str, words: str
) -> None:
    before = ids(made)
    fails(made, f"{command}|{fault}")
    error = made.json("backup", "run").error
    assert error["kind"] == kind
    assert words in error["error"]
    assert "\n" not in error["error"]
    fails(made)
    assert ids(made) == before
    assert not (made.root / "backup/dump").exists()
    report = made.json("status").result
    assert report["backup"]["failed"]["error"] == error["error"]
    assert any("the backup of" in one and words in one for one in report["warnings"])
    run(made)
    assert made.json("status").result["backup"]["failed"] is None


def test_a_killed_backup_counts_for_nothing_and_the_next_one_succeeds(made: FakeServer) -> None:
    before = ids(made)
    fails(made, "tag|kill|")
    assert made.json("backup", "run").error["kind"] == "other"
    fails(made)
    assert ids(made) == before
    assert len(list((made.root / "repository").glob("*/files"))) == 2
    run(made)
    assert len(ids(made)) == 2
    # What was left unfinished is gone.
    assert len(list((made.root / "repository").glob("*/files"))) == 2


def test_a_snapshot_with_a_file_that_could_not_be_read_is_no_backup(made: FakeServer) -> None:
    before = ids(made)
    (made.root / "repository/unreadable").touch()
    fails(made, "backup|3|error: open /srv/x: input/output error")
    assert "failed" in made.json("backup", "run").error["error"]
    fails(made)
    assert ids(made) == before


def test_a_database_that_is_down_is_said(made: FakeServer) -> None:
    made.answers(
        "backup", 'echo \'{"error": "MongoDB at h:1 does not answer", "kind": "database"}\''
    )
    error = made.json("backup", "run").error
    start = "start the database with `ansible-playbook site.yml --tags mongodb`, then"
    assert error["kind"] == "database"
    assert error["error"] == f"MongoDB at h:1 does not answer: {start} rerun the command"
    (warning,) = backup_alarms_of(made)
    assert warning.endswith(f"failed: MongoDB at h:1 does not answer: {start} run `fab backup`")


def test_two_at_once_are_refused(made: FakeServer) -> None:
    settings = config.load(str(made.config_path))
    with backup_state.exclusive(settings, "failed"):
        error = made.json("backup", "run").error
    assert error["kind"] == "locked"
    assert "a backup, a restore or a drill is running" in error["error"]


@pytest.mark.parametrize("hours", [-37, 400 * 24])
def test_a_late_backup_is_a_warning_and_one_of_a_clock_that_was_ahead(
    made: FakeServer, hours: int
) -> None:
    settings = config.load(str(made.config_path))
    assert backup_alarms_of(made) == []
    at = time.time() + hours * 3600
    last = {**backup_state.read(settings)["last"], "seconds_since_1970": at}
    backup_state.update(settings, last=last)
    (warning,) = backup_alarms_of(made)
    assert "too old: run `fab backup`" in warning


def backup_alarms_of(server: FakeServer) -> list[str]:
    with server.inside():
        return backup_alarms.warnings(config.load(str(server.config_path)))


def wipe(server: FakeServer) -> None:
    """Lose models, keys and what was live, as a new server."""
    for path in (server.root / "models/one").iterdir():
        path.unlink()
    (server.root / "models/one").rmdir()
    for name in ("live.sock", "slots/blue.json", "state/confirmed.json", "keys.json"):
        (server.root / name).unlink(missing_ok=True)


def test_a_new_server_gets_everything_but_the_switch(backed: FakeServer) -> None:
    backed.json("backup", "init")
    entry = {"id": "1", "name": "a", "sha256": "0" * 64, "requests_per_second": None,
             "ends": None, "created": "2026-01-01T00:00:00Z"}  # fmt: skip
    keys = backed.root / "keys.json"
    keys.write_text(json.dumps({"version": 1, "keys": [entry]}))
    run(backed)
    wipe(backed)
    found = backed.json("backup", "restore").result
    assert found["model"] == str(backed.root / "models/one")
    assert (found["collections"], found["suggestions"], found["keys"]) == (["words_of_one"], 2, 1)
    assert (backed.root / "models/one/.complete").exists()
    assert json.loads(keys.read_text())["keys"] == [entry]
    assert backed.live() is None
    assert any("--dump" in line and "words_of_one" in line for line in said(backed))
    assert not list((backed.root / "dumps").iterdir())
    assert not (backed.root / "backup/restore").exists()


def test_keys_that_were_revoked_do_not_come_back(made: FakeServer) -> None:
    """Neither by the hashes that the server has, nor by those of the backup."""
    digests = ["1" * 64, "2" * 64, "3" * 64]
    entries = [
        {"id": digest[0], "name": digest[0], "sha256": digest, "requests_per_second": None,
         "ends": None, "created": "2026-01-01T00:00:00Z"}
        for digest in digests
    ]  # fmt: skip
    file = made.root / "keys.json"
    file.write_text(json.dumps({"version": 1, "keys": entries, "revoked": ["4" * 64]}))
    run(made)
    file.write_text(json.dumps({"version": 1, "keys": [], "revoked": digests[:1]}))
    done = made.json("backup", "restore")
    assert done.result["keys"] == 2
    assert "keys that were revoked are left out: 1" in done.stdout
    stored = json.loads(file.read_text())
    assert stored["keys"] == entries[1:]
    assert stored["revoked"] == ["4" * 64, digests[0]]


def test_what_is_there_stays(made: FakeServer) -> None:
    """Keys that were revoked since then stay revoked; a model that is there is not replaced."""
    entry = {"id": "2", "name": "b", "sha256": "1" * 64, "requests_per_second": None,
             "ends": None, "created": "2026-01-01T00:00:00Z"}  # fmt: skip
    text = json.dumps({"version": 1, "keys": [entry]})
    (made.root / "keys.json").write_text(text)
    run(made)
    other = text.replace('"b"', '"c"')
    (made.root / "keys.json").write_text(other)
    inode = (made.root / "models/one").stat().st_ino
    assert made.json("backup", "restore").result["keys"] == 0
    assert (made.root / "keys.json").read_text() == other
    assert (made.root / "models/one").stat().st_ino == inode


def test_a_damaged_model_is_replaced_by_one_beside_it(made: FakeServer) -> None:
    (made.root / "models/one/head.onnx").write_text("damaged")
    found = made.json("backup", "restore").result
    name = f"one-{found['snapshot']}"
    assert found["model"] == str(made.root / "models" / name)
    assert (made.root / "models/one/head.onnx").read_text() == "damaged"


@pytest.mark.parametrize("module", ["restore", "backup"])
def test_a_restore_that_fails_midway_can_be_repeated(made: FakeServer, module: str) -> None:
    kept = (made.root / "answers" / module).read_text()
    wipe(made)
    made.answers(module, 'echo "disk has only 1 MB" >&2; exit 1')
    assert "disk has only" in made.json("backup", "restore").error["error"]
    assert not (made.root / "models/one").exists()
    assert not list((made.root / "dumps").iterdir())
    assert not (made.root / "backup/restore").exists()
    made.answers(module, kept)
    assert made.json("backup", "restore").result["model"] == str(made.root / "models/one")


def test_a_full_disk_is_said_before_anything_is_read(
    made: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toxctl.files.free_bytes", lambda *_: 1000)
    error = made.json("backup", "restore").error
    assert error["kind"] == "disk"
    assert not any(line.startswith("restore") for line in restic_log(made))


def test_a_backup_that_does_not_exist_is_said(made: FakeServer) -> None:
    error = made.json("backup", "restore", "--snapshot", "zz").error
    assert error["kind"] == "usage"
    assert "there is no backup zz of nanode" in error["error"]
    assert made.json("backup", "list", "--of", "other").result["backups"] == []
    error = made.json("backup", "restore", "--of", "other").error
    assert "it has those of nanode: `fab restore --of NAME`" in error["error"]


def test_a_repository_without_any_backup_is_said(backed: FakeServer) -> None:
    assert backed.json("backup", "init").result["created"]
    error = backed.json("backup", "restore").error
    assert "it has none at all: check backup_repository" in error["error"]


def test_a_drill_compares_asks_the_model_and_leaves_nothing(made: FakeServer) -> None:
    found = made.json("backup", "drill").result
    assert (found["documents"], found["collections"], found["models"]) == (4, 2, 1)
    assert (found["golden_outputs"], found["worst"]) == (2, 0.0)
    (asked,) = (line for line in said(made) if "verify" in line)
    model = f"{made.root}/backup/drill{made.root}/models/one"
    assert asked.endswith(f"--model {model} --database word_embeddings_drill")
    assert said(made)[-1] == "dropped"
    assert not (made.root / "backup/drill").exists()
    assert made.json("status").result["backup"]["drill"]["snapshot"] == found["snapshot"]


def test_a_drill_whose_documents_differ_fails_and_is_a_warning(made: FakeServer) -> None:
    other = {**DIGEST, "checksum": "ac"}
    (made.root / "differs").write_text(
        json.dumps({"collections": {NAMES[0]: DIGEST, NAMES[1]: other}}) + "\n"
    )
    error = made.json("backup", "drill").error
    assert error["kind"] == "damaged"
    assert NAMES[1] in error["error"]
    assert error["error"].endswith("`fab backup`, then rerun `fab restore-drill`")
    assert said(made)[-1] == "dropped"
    (warning,) = (one for one in backup_alarms_of(made) if "the restore drill of" in one)
    assert warning.count("`fab restore-drill`") == 1


def test_a_drill_with_a_damaged_model_fails(made: FakeServer) -> None:
    (head,) = (made.root / "repository").glob("**/models/one/head.onnx")
    head.write_text("damaged")
    words = made.json("backup", "drill").error["error"]
    assert "head.onnx differs" in words
    assert words.endswith("`fab backup`, then rerun `fab restore-drill`")


@pytest.mark.parametrize("confirmed", [True, False])
def test_an_app_without_backups_names_the_command_that_installs_a_newer_one(
    made: FakeServer, confirmed: bool
) -> None:
    """Without a live model `fab deploy-app` cannot verify an app."""
    (made.root / "current-app/tox_com_det/store/backup.py").unlink()
    if not confirmed:
        (made.root / "state/confirmed.json").unlink()
    step = "fab deploy-app" if confirmed else "ansible-playbook site.yml --tags flask_app"
    with pytest.raises(ToxctlError, match=f"the app is too old for backups: run `{step}`$"):
        backup.as_service(config.load(str(made.config_path)), "--dump", "/x")


def test_start_runs_the_unit_and_reports_what_it_recorded(made: FakeServer) -> None:
    state = backup_state.read(config.load(str(made.config_path)))
    assert made.json("backup", "start").result == state["last"]
    made.switch("fail", "start tox_com_det-backup.service")
    for at, words in (("2999", "the disk is full"), ("2001", "tox_com_det-backup.service failed")):
        failed = {"at": f"{at}-01-01T00:00:00Z", "error": "the disk is full", "kind": "disk"}
        backup_state.update(config.load(str(made.config_path)), failed=failed)
        assert made.json("backup", "start").error["error"].startswith(words)


@pytest.mark.parametrize(
    ("repository", "words"),
    [
        ("sftp:b@192.0.2.9:tox", "b@192.0.2.9 -s sftp"),
        ("sftp://b@192.0.2.9:2022//srv/tox", "-p 2022 b@192.0.2.9 -s sftp"),
    ],
)
def test_sftp_uses_the_key_and_the_known_host(
    backed: FakeServer, repository: str, words: str
) -> None:
    path = backed.root / "backup.json"
    changed = {"repository": repository, "ssh_key_file": "/k", "ssh_known_hosts_file": "/h"}
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    backed.json("backup", "list")
    (call,) = restic_log(backed)
    assert "StrictHostKeyChecking=yes" in call
    assert "UserKnownHostsFile=/h -o IdentitiesOnly=yes -i /k" in call
    assert f"{words} snapshots" in call


def test_settings_are_checked(backed: FakeServer, tmp_path: Path) -> None:
    good = str(backed.root / "backup.json")
    assert backed.json("backup", "settings", good).result["repository"].endswith("/repository")
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"format": 1, "repository": "/r", "keep_daily": "7"}))
    error = backed.json("backup", "settings", str(bad)).error
    assert "no valid" in error["error"]
    assert "keep_daily" in error["error"]


def test_restic_is_looked_for_where_sudo_on_el_does_not_look(
    backed: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = backed.root / "bin/restic"
    program.write_text('#!/bin/sh\necho "$PATH"\n')
    monkeypatch.setenv("PATH", str(program.parent))
    settings = backup_config.load(str(backed.root / "backup.json"))
    assert restic.Repository(settings, str(backed.root)).run("version") == [
        f"{program.parent}:/usr/local/bin"
    ]


def test_a_server_without_its_live_model_is_not_backed_up(made: FakeServer) -> None:
    """As one whose disk is not mounted: the service goes on from memory."""
    (made.root / "models").rename(made.root / "elsewhere")
    error = made.json("backup", "run").error["error"]
    assert (
        f"the model {made.root}/models/one is missing or not complete: mount its disk, or run "
        in error
    )
    assert any("the backup of" in one and "is missing" in one for one in backup_alarms_of(made))
    (made.root / "elsewhere").rename(made.root / "models")
    assert len(ids(made)) == 1
    run(made)


def lose_the_model(server: FakeServer) -> str:
    """Damage the only backup, as older versions made one; its identifier."""
    (mark,) = (server.root / "repository").glob("**/models/one/.complete")
    mark.unlink()
    return ids(server)[0]


@pytest.mark.parametrize("verb", ["drill", "restore"])
def test_a_backup_without_the_model_that_was_live_is_damaged(made: FakeServer, verb: str) -> None:
    which = lose_the_model(made)
    wipe(made)
    error = made.json("backup", verb).error
    assert error["kind"] == "damaged"
    assert f"backup {which} has not the whole model one, which was live: choose" in error["error"]
    assert not (made.root / "models/one").exists()


def ahead(server: FakeServer, days: int) -> None:
    (server.root / "fake/restic.ahead").write_text(str(days))


def test_a_backup_that_is_dated_ahead_does_not_stand_for_the_later_ones(made: FakeServer) -> None:
    ahead(made, 400)
    wrong = run(made)
    ahead(made, 0)
    right = run(made)
    assert right["snapshot"] != wrong["snapshot"]
    assert right["at"] < wrong["at"]
    assert made.json("status").result["backup"]["last"]["snapshot"] == right["snapshot"]
    (warning,) = backup_alarms_of(made)
    assert f"the backup {right['ahead']} is dated after this server's clock" in warning
    assert right["ahead"] == ids(made)[0]
    for verb in ("restore", "drill"):
        error = made.json("backup", verb).error
        assert error["kind"] == "usage"
        assert "set the clock right, or name a backup with `--snapshot ID`" in error["error"]
    found = made.json("backup", "restore", "--snapshot", right["snapshot"]).result
    assert found["snapshot"] == right["snapshot"]


def test_a_check_that_is_dated_ahead_does_not_stop_the_later_ones(made: FakeServer) -> None:
    state = backup_state.read(config.load(str(made.config_path)))
    later = {**state, "checked": {"at": time.time() + 400 * 86400, "part": 1}}
    (made.root / "state" / backup_state.FILE).write_text(json.dumps(later))
    run(made)
    assert "check --read-data-subset=2/10" in restic_log(made)


def test_damaged_keys_of_a_backup_are_left_out(backed: FakeServer) -> None:
    backed.json("backup", "init")
    (backed.root / "keys.json").write_text("{")
    run(backed)
    wipe(backed)
    done = backed.json("backup", "restore")
    assert done.result["keys"] == 0
    assert "the keys of the backup are damaged and left out: `fab add-key`" in done.stdout
    assert done.result["model"] == str(backed.root / "models/one")
    assert not (backed.root / "keys.json").exists()


def test_damaged_keys_of_the_server_are_said_before_anything_is_restored(made: FakeServer) -> None:
    (made.root / "keys.json").write_text("{")
    before = said(made)
    error = made.json("backup", "restore").error["error"]
    assert f"(`rm {made.root}/keys.json`)" in error
    assert "`fab restore`" in error
    assert said(made) == before
    (made.root / "keys.json").unlink()
    assert made.json("backup", "restore").result["keys"] == 0


def test_what_a_killed_restore_has_left_goes_with_the_next_backup(made: FakeServer) -> None:
    left = made.root / "backup/restore/etc"
    left.mkdir(parents=True)
    (left / "secret").write_text("plain")
    run(made)
    assert not left.parent.exists()


def test_it_goes_where_no_backup_can_be_made_too(made: FakeServer) -> None:
    """As on a new server whose restore was killed."""
    wipe(made)
    left = made.root / "backup/restore"
    left.mkdir(parents=True)
    (left / "secret").write_text("plain")
    assert "are worth more: run `fab restore`" in made.json("backup", "run").error["error"]
    assert not left.exists()


def test_a_backup_that_was_asked_to_end_names_the_next_command(made: FakeServer) -> None:
    failed = {"at": "2026-01-01T00:00:00Z", "error": "interrupted by SIGTERM", "kind": "other"}
    backup_state.update(config.load(str(made.config_path)), failed=failed)
    (warning,) = backup_alarms_of(made)
    assert warning.endswith("failed: interrupted by SIGTERM: run `fab backup`")
