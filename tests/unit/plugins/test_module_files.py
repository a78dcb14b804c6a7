"""Module `files` and its action: many files in one call, each as its own task would put it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shlex
import stat
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from module_run import run_module
from test_applied import PLAYBOOK, PROJECT, python_2

MODULE = PROJECT / "plugins/modules/files.py"
PARTS = [PROJECT / f"plugins/module_utils/{name}.py" for name in ("placing", "records", "units")]
OURS = "# Managed by tox_com_det with Ansible: what is changed here is overwritten\n"


def packed(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode())).decode()


class Server:
    """A directory, and the module that puts files into it, owned by whoever runs the tests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"

    def run(self, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Return the module's answer, which may have failed."""
        files = [
            {"owner": "", "group": "", **entry, "dest": str(self.root / entry["dest"])}
            for entry in entries
        ]
        arguments = {
            "files": files, "before_directory": str(self.state / "before"),
            "applied_directory": str(self.state / "applied"), **more,
        }  # fmt: skip
        return run_module("files", **arguments)

    def changed(self, *entries: dict[str, Any], **more: Any) -> list[str]:
        """Return the paths that changed, below the directory."""
        answer = self.run(*entries, **more)
        assert not answer.get("failed"), answer
        assert answer["changed"] == any(answer[name] for name in ("paths", "units", "unapplied"))
        return [os.path.relpath(path, self.root) for path in answer["paths"]]

    def mode(self, name: str) -> str:
        return f"{stat.S_IMODE((self.root / name).lstat().st_mode):04o}"


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def file(dest: str, text: str, mode: str = "0644", **more: Any) -> dict[str, Any]:
    return {"dest": dest, "content": packed(text), "mode": mode, **more}


ENTRIES = (
    {"dest": "etc/web", "state": "directory", "mode": "0750"},
    file("etc/web/web.conf", "port 80\n", "0640"),
    file("etc/empty", "", "0600"),
    {"dest": "current", "state": "link", "target": "etc/web"},
)


def test_files_directories_and_links_are_put_in_place_once(server: Server) -> None:
    assert server.changed(*ENTRIES) == ["etc/web", "etc/web/web.conf", "etc/empty", "current"]
    assert (server.root / "current/web.conf").read_text() == "port 80\n"
    assert (server.root / "etc/empty").read_text() == ""
    names = ("etc", "etc/web", "etc/web/web.conf", "etc/empty")
    assert [server.mode(name) for name in names] == ["0750", "0750", "0640", "0600"]
    assert server.changed(*ENTRIES) == []
    assert not [path for path in server.root.rglob("*") if path.name.startswith("tmp")]


def test_check_mode_tells_the_same_and_changes_nothing(server: Server) -> None:
    expected = ["etc/web", "etc/web/web.conf", "etc/empty", "current"]
    assert server.changed(*ENTRIES, _ansible_check_mode=True) == expected
    assert list(server.root.iterdir()) == []
    server.changed(*ENTRIES)
    assert server.changed(*ENTRIES, _ansible_check_mode=True) == []
    other = file("etc/web/web.conf", "port 81\n", "0600")
    assert server.changed(other, _ansible_check_mode=True) == ["etc/web/web.conf"]
    assert (server.root / "etc/web/web.conf").read_text() == "port 80\n"
    assert server.mode("etc/web/web.conf") == "0640"


def test_a_wrong_mode_is_mended_and_shown(server: Server) -> None:
    server.changed(file("a", "one\n"))
    (server.root / "a").chmod(0o666)
    answer = server.run(file("a", "one\n"), _ansible_diff=True)
    assert answer["paths"] == [str(server.root / "a")]
    (diff,) = answer["diff"]
    assert (diff["before"]["mode"], diff["after"]["mode"]) == ("0666", "0644")
    assert server.mode("a") == "0644"


def test_the_diff_shows_contents_and_not_how_they_were_sent(server: Server) -> None:
    server.changed(file("a", "one\n"))
    answer = server.run(
        file("a", "two\n"), file("b", "\0\1"), file("c", "c" * 200000), _ansible_diff=True
    )
    shown = [(diff["before"], diff["after"]) for diff in answer["diff"]]
    assert shown == [("one\n", "two\n"), ("", "(2 bytes)\n"), ("", "(200000 bytes)\n")]
    assert answer["diff"][0]["after_header"] == str(server.root / "a")
    assert packed("two\n") not in json.dumps(answer)
    assert "diff" not in server.run(file("a", "three\n"))


def test_a_file_that_its_checker_refuses_is_not_put_in_place(server: Server) -> None:
    server.changed(file("a", "one\n"))
    check = "grep --quiet good %s"
    answer = server.run(
        file("first", "x\n"), file("a", "two\n", validate=check), file("last", "x\n")
    )
    assert answer["failed"]
    assert answer["msg"] == f"failed to validate {server.root / 'a'}"
    assert answer["exit_status"] == 1
    assert (server.root / "a").read_text() == "one\n"
    assert [(server.root / name).exists() for name in ("first", "last")] == [True, False]
    assert server.changed(file("a", "good\n", validate=check)) == ["a"]
    # Nothing to check.
    assert server.changed(file("a", "good\n", validate="false %s")) == []
    assert server.changed(file("a", "two\n", validate="false %s"), _ansible_check_mode=True)


def test_the_words_of_a_checker_are_in_the_answer(server: Server) -> None:
    answer = server.run(file("a", "x\n", validate="sh -c 'echo line 1 is wrong >&2; exit 3' %s"))
    assert (answer["exit_status"], answer["stderr"]) == (3, "line 1 is wrong\n")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"dest": "a", "content": packed("x")}, "a has no mode"),
        ({"dest": "a", "mode": "0644"}, "a has neither src nor content"),
        ({"dest": "a", "state": "link"}, "a has no target"),
        ({"dest": "a", "state": "link", "target": "missing"}, "does not exist"),
        (file("missing/a", "x"), "the directory of"),
        (file("directory", "x"), "directory is a directory"),
        (file("a", "x", validate="true"), "must contain %s"),
        ({"dest": "file", "state": "directory", "mode": "0755"}, "is no directory"),
        ({"dest": "file", "state": "link", "target": "directory"}, "is no link"),
    ],
)
def test_what_cannot_be_put_in_place_fails_the_task(
    server: Server, entry: dict[str, Any], words: str
) -> None:
    (server.root / "directory").mkdir()
    (server.root / "file").touch()
    answer = server.run(entry)
    assert answer["failed"]
    assert words in answer["msg"]


def test_what_is_absent_or_not_wanted_is_left_out(server: Server) -> None:
    server.changed(*ENTRIES)
    gone = [{"dest": name, "state": "absent"} for name in ("etc", "current", "missing")]
    assert server.changed(*gone, _ansible_check_mode=True) == ["etc", "current"]
    assert (server.root / "etc/web/web.conf").exists()
    # The link itself, not what it points to.
    assert server.changed(gone[1]) == ["current"]
    assert (server.root / "etc/web/web.conf").exists()
    assert server.changed(*gone) == ["etc"]
    assert server.changed(file("a", "x", wanted=False), {**gone[2], "wanted": False}) == []
    assert not (server.root / "a").exists()


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(server: Server) -> None:
    (server.root / "other").write_text("other\n")
    (server.root / "a").symlink_to("other")
    assert server.changed(file("a", "one\n")) == ["a"]
    assert not (server.root / "a").is_symlink()
    assert (server.root / "other").read_text() == "other\n"


def test_a_link_is_replaced_in_one_step(server: Server) -> None:
    for name in ("one", "two"):
        (server.root / name).mkdir()
    for name in ("one", "two"):
        assert server.changed({"dest": "now", "state": "link", "target": name}) == ["now"]
        assert (server.root / "now").readlink() == Path(name)


def test_a_file_of_somebody_else_is_kept_once(server: Server) -> None:
    (server.root / "a").write_text("theirs\n")
    kept = server.state / "before" / str(server.root / "a").replace("/", "_")
    server.changed(file("a", OURS + "1\n", keep=True), _ansible_check_mode=True)
    assert not server.state.exists()
    for number in ("1", "2"):
        assert server.changed(file("a", f"{OURS}{number}\n", keep=True)) == ["a"]
        assert kept.read_text() == "theirs\n"
    (server.root / "b").write_text("theirs\n")
    server.changed(file("b", OURS))
    assert len(list(kept.parent.iterdir())) == 1


def test_settings_that_no_service_has_applied_change_the_task(server: Server) -> None:
    path = str(server.root / "a")
    answer = server.run(file("a", "one\n"), applied=[path])
    assert (answer["paths"], answer["unapplied"]) == ([path], [path])
    # As long as no handler has recorded it, such as after an interrupted run.
    answer = server.run(file("a", "one\n"), applied=[path])
    assert (answer["changed"], answer["paths"], answer["unapplied"]) == (True, [], [path])
    record = server.state / "applied" / path.replace("/", "_")
    record.parent.mkdir(parents=True)
    record.write_text(hashlib.sha256(b"one\n").hexdigest() + "\n")
    assert not server.run(file("a", "one\n"), applied=[path])["changed"]


@pytest.mark.skipif(python_2() is None, reason="no Python 2.7 on this machine")
@pytest.mark.parametrize("path", [MODULE, *PARTS], ids=lambda path: path.name)
def test_what_runs_on_the_server_is_valid_python_2(path: Path) -> None:
    code = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"
    subprocess.run([str(python_2()), "-c", code, str(path)], check=True)  # noqa: S603 (fixed)


PLAY: dict[str, Any] = {
    "name": "Install",
    "hosts": "localhost",
    "connection": "local",
    "gather_facts": False,
    "vars": {"port": 80, "names": ["ä", "b"]},
}


class Play:
    """A play with one task `files` on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "templates").mkdir()

    def run(self, *entries: dict[str, Any], options: tuple[str, ...] = (), **task: Any) -> str:
        """Return what ansible-playbook prints, with its errors."""
        files = [
            {
                "owner": "",
                "group": "",
                "mode": "0644",
                **entry,
                "dest": str(self.root / entry["dest"]),
            }
            for entry in entries
        ]
        shown = "{{ __placed.paths | length }} changed"
        play = {
            **PLAY,
            "tasks": [
                {"name": "Place", "files": {"files": files}, "register": "__placed", **task},
                {"name": "Show", "ansible.builtin.debug": {"msg": shown}},
            ],
        }
        (self.root / "play.yml").write_text(yaml.safe_dump([play]))
        done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
            [PLAYBOOK, "--inventory", "localhost,", *options, str(self.root / "play.yml")],
            cwd=PROJECT,  # its ansible.cfg names the plugins' directories
            env={
                **os.environ,
                "ANSIBLE_PYTHON_INTERPRETER": shlex.quote(sys.executable),
                "ANSIBLE_NOCOLOR": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


@pytest.fixture
def play(tmp_path: Path) -> Play:
    found = Play(tmp_path)
    (tmp_path / "templates/web.conf.j2").write_text(
        "{{ ansible_managed | comment }}\n{% for name in names %}\nname {{ name }}\n{% endfor %}\n"
        "port {{ port }}\n"
    )
    return found


WEB = {"src": "web.conf.j2", "dest": "web.conf"}


def test_a_template_becomes_what_the_builtin_module_makes_of_it(play: Play) -> None:
    assert "2 changed" in play.run(WEB, {"content": "port {{ port }}\n", "dest": "plain"})
    text = (play.root / "web.conf").read_text()
    assert text.startswith("#\n" + OURS)
    assert text.endswith("\nname ä\nname b\nport 80\n")
    assert (play.root / "plain").read_text() == "port 80\n"
    assert "0 changed" in play.run(WEB, {"content": "port {{ port }}\n", "dest": "plain"})
    builtin = {"ansible.builtin.template": {**WEB, "dest": str(play.root / "web.conf")}}
    (play.root / "builtin.yml").write_text(
        yaml.safe_dump([{**PLAY, "tasks": [{"name": "Write", **builtin}]}])
    )
    done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [PLAYBOOK, "--inventory", "localhost,", str(play.root / "builtin.yml")],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": shlex.quote(sys.executable)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "changed=0" in done.stdout


def test_check_mode_with_a_diff_shows_the_file_and_writes_nothing(play: Play) -> None:
    said = play.run(WEB, options=("--check", "--diff"))
    assert "+port 80" in said
    assert "1 changed" in said
    assert not (play.root / "web.conf").exists()


def test_secrets_are_not_shown(play: Play) -> None:
    said = play.run(
        {"content": "hush hush\n", "dest": "secret"}, options=("--diff", "-vvv"), no_log=True
    )
    assert (play.root / "secret").read_text() == "hush hush\n"
    assert "+hush" not in said


def test_an_undefined_variable_ends_the_task_before_anything_is_written(play: Play) -> None:
    (play.root / "templates/bad.j2").write_text("{{ missing_one }}\n")
    said = play.run(WEB, {"src": "bad.j2", "dest": "bad"})
    assert "missing_one" in said
    assert not (play.root / "web.conf").exists()


@pytest.mark.parametrize("entry", [{}, {"src": "web.conf.j2", "content": "x"}])
def test_a_file_has_one_source(play: Play, entry: dict[str, str]) -> None:
    assert "needs either src or content" in play.run({"dest": "a", **entry})


def test_an_entry_that_is_not_wanted_is_not_rendered(play: Play) -> None:
    (play.root / "templates/bad.j2").write_text("{{ missing_one }}\n")
    assert "1 changed" in play.run(WEB, {"src": "bad.j2", "dest": "bad", "wanted": False})
    assert not (play.root / "bad").exists()
