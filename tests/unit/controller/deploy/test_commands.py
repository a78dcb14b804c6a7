"""The command lines for a server: quoted, and never as more than is needed."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from local_remote import LocalRemote

from controller.deploy import commands

ODD = "a b'c;$(touch /tmp/x)\"*"


def sh(command: str) -> subprocess.CompletedProcess:
    call = ["/bin/sh", "-c", command]
    return subprocess.run(call, capture_output=True, text=True, check=False)  # noqa: S603 (words of the tests, no shell)


@pytest.mark.parametrize(
    ("login", "user", "ask", "start"),
    [
        ("deploy", "root", False, ["sudo", "-n", "-u", "root", "--"]),
        ("deploy", "root", True, ["sudo", "-S", "-k", "-p", "", "-u", "root", "--"]),
        ("deploy", "tox_com_det", False, ["sudo", "-n", "-u", "tox_com_det", "--"]),
        ("root", "tox_com_det", False, ["runuser", "-u", "tox_com_det", "--"]),
        ("root", "root", False, []),
    ],
)
def test_other_user_without_more_than_is_needed(
    login: str, user: str, ask: bool, start: list[str]
) -> None:
    line = commands.as_user(["echo", ODD], login, user, ask)
    assert shlex.split(line) == [*start, "echo", ODD]


def test_odd_names_stay_one_word(tmp_path: Path) -> None:
    path = tmp_path / ODD.replace("/", "_")
    path.write_text("hello")
    assert sh(commands.read_file(str(path))).stdout == "hello"
    assert sh(commands.size(str(path))).stdout.strip() == "5"
    assert sh(commands.sha256(str(path))).stdout.lstrip("\\").startswith("2cf24dba5fb0a30e")


def test_missing_file_has_no_size_and_no_sum(tmp_path: Path) -> None:
    for command in (commands.size, commands.sha256):
        done = sh(command(str(tmp_path / "none")))
        assert (done.returncode, done.stdout) == (0, "")


def test_settings_are_taken_to_the_letter(tmp_path: Path) -> None:
    uri = "mongodb://u:p$HOME`x`@h/?authSource=a&tls=true"
    (tmp_path / "app.env").write_text(f"# &\nTOX_COM_DET_MONGODB_URI={uri}\nSLOT_SERVER=uwsgi\n")
    words = commands.script(f"{commands.SETTINGS}env", str(tmp_path / "app.env"))
    lines = sh(commands.join(words)).stdout.splitlines()
    assert f"TOX_COM_DET_MONGODB_URI={uri}" in lines


def test_a_link_in_the_place_of_an_upload_is_not_followed(tmp_path: Path) -> None:
    secret, part, final = tmp_path / "shadow", tmp_path / "ab.part", tmp_path / "v1/head.onnx"
    secret.write_text("secret")
    secret.chmod(0o600)
    part.symlink_to(secret)
    done = sh(commands.join(commands.place(str(part), str(final))))
    assert (done.returncode, done.stderr) == (1, f"{part} is no file\n")
    assert secret.stat().st_mode & 0o777 == 0o600
    assert list(final.parent.iterdir()) == []


def test_what_is_there_is_told_by_sum_and_a_part_by_its_size(tmp_path: Path) -> None:
    whole, part = tmp_path / "a b", tmp_path / "c.part"
    whole.write_text("hello")
    part.write_text("hell")
    words = commands.what_is_there([str(tmp_path / "none"), str(whole), str(part)])
    lines = sh(commands.join(words)).stdout.splitlines()
    assert [line.partition("  ")[2] for line in lines] == [str(whole), str(part)]
    assert lines[0].startswith("2cf24dba5fb0a30e")
    assert lines[1].startswith("4  ")


def test_completing_twice_changes_nothing(tmp_path: Path) -> None:
    line = commands.join(commands.mark_complete(str(tmp_path)))
    assert sh(line).returncode == 0
    before = (tmp_path / ".complete").stat().st_mtime_ns
    assert sh(line).returncode == 0
    assert (tmp_path / ".complete").stat().st_mtime_ns == before


@pytest.mark.parametrize("path", ["/srv", "/srv/dumps", "/srv/dumps/../x", "/srv/dumpsx/a"])
def test_nothing_but_a_dump_is_ever_removed(path: str) -> None:
    with pytest.raises(ValueError, match="is not below"):
        commands.remove(path, "/srv/dumps")
    assert commands.remove("/srv/dumps/a", "/srv/dumps")[-1] == "/srv/dumps/a"


def test_restore_runs_in_the_apps_environment_with_the_services_settings(
    tmp_path: Path, remote: LocalRemote
) -> None:
    python = tmp_path / "app" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$TOX_COM_DET_MONGODB_URI $PYTHONPATH $PWD $*"\n')
    python.chmod(0o755)
    env = tmp_path / "app.env"
    env.write_text("# settings\nTOX_COM_DET_MONGODB_URI=mongodb://h/?a=1&b=2\n")
    remote.server_json.update(env_file=str(env), app_link=str(tmp_path / "app"))
    line = commands.join(commands.restore(remote.config, "/m/manifest.json", "/d"))
    assert sh(line).stdout.split() == [
        "mongodb://h/?a=1&b=2",
        str(tmp_path / "app"),
        "/",
        *["-m", "tox_com_det.store.restore", "--manifest", "/m/manifest.json", "--dump", "/d"],
    ]
    assert "--check-only" in commands.restore(remote.config, "/m", None)


def test_logs_are_of_both_slots(remote: LocalRemote) -> None:
    words = commands.logs(remote.config, 7, follow=True)
    assert words[:5] == ["journalctl", "-u", "tox_com_det@*.service", "-n", "7"]
    assert words[-1] == "-f"


def test_memory_command_runs_anywhere() -> None:
    done = sh(commands.memory())
    assert done.returncode == 0
    assert "MemAvailable" in done.stdout.partition("--\n")[2]
