"""The release tool, run for real beside a fake systemd and an app that is shell scripts."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import signal
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from fake_server import RELEASECTL, FakeServer

loader = SourceFileLoader("releasectl", str(RELEASECTL))
releasectl = module_from_spec(spec_from_loader("releasectl", loader))
loader.exec_module(releasectl)

VERIFIED = {"known_answers": 2, "worst": 1e-7, "collection": "a.b", "count": 3, "peak_bytes": 9}
DAY = 86400


class Session:
    """A session of the laptop: lines in, lines out."""

    def __init__(self, server: FakeServer, identity: str, who: str) -> None:
        self.process = server.start("session", program=RELEASECTL)
        self.send({"id": identity, "task": "deploy-model", "who": who})
        self.said = self.read()

    def send(self, message: dict) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@contextmanager
def session(
    server: FakeServer, identity: str = "a1", who: str = "anna@laptop"
) -> Iterator[Session]:
    one = Session(server, identity, who)
    try:
        yield one
    finally:
        one.process.kill()
        for pipe in (one.process.stdin, one.process.stdout, one.process.stderr):
            assert pipe is not None
            pipe.close()
        one.process.wait()


def history(server: FakeServer) -> list[dict]:
    code, answer = server.releasectl("history")
    assert code == 0
    return answer["result"]["attempts"]


def holder(server: FakeServer) -> dict | None:
    return server.releasectl("lock")[1]["result"]["holder"]


def wait_for_phase(server: FakeServer, phase: str) -> None:
    for _ in range(100):
        if (holder(server) or {}).get("phase") == phase:
            return
    raise AssertionError(f"no phase {phase}")


# ---------------------------------------------------------------- session, lock, audit


def test_an_attempt_ends_as_a_line_of_the_audit(serving: FakeServer) -> None:
    with session(serving) as one:
        assert one.said == {"result": {"id": "a1"}}
        one.send({"phase": "prepare"})
        one.send({"note": {"hashes": {"head.onnx": "ab"}, "sent_bytes": 3}})
        one.send({"phase": "upload"})
        one.send({})
        one.send({"end": {"result": "done", "reason": None}})
        assert one.read() == {"result": {}}
        assert one.process.wait() == 0
    (line,) = history(serving)
    serves = {"app": str(serving.root / "apps/1.0"), "model": str(serving.models["one"].path)}
    assert line["from"] == line["to"] == serves
    assert (line["id"], line["task"], line["who"]) == ("a1", "deploy-model", "anna@laptop")
    assert (line["login"], line["result"], line["phase"]) == ("anna", "done", "upload")
    assert (line["hashes"], line["sent_bytes"]) == ({"head.onnx": "ab"}, 3)
    assert list(line["phases"]) == ["prepare", "upload"]
    assert holder(serving) is None


def test_a_second_laptop_is_told_who_is_there_and_since_when(serving: FakeServer) -> None:
    with session(serving) as one:
        one.send({"phase": "upload"})
        wait_for_phase(serving, "upload")
        with session(serving, "b1", "bert@other") as two:
            assert two.process.wait() == 1
            assert two.said["kind"] == "locked"
            assert "anna@laptop has been at deploy-model since 2" in two.said["error"]
            assert "phase upload" in two.said["error"]
            assert two.said["holder"]["id"] == "a1"
            assert "so_far" not in two.said["holder"]
        assert holder(serving)["pid"] == one.process.pid


def test_a_laptop_that_is_gone_is_noted_with_what_is_live(serving: FakeServer) -> None:
    with session(serving) as one:
        one.send({"phase": "verify"})
        _, err = one.process.communicate()
        assert (one.process.returncode, err) == (0, "")
    (line,) = history(serving)
    assert (line["result"], line["phase"]) == ("interrupted", "verify")
    assert line["live"]["model"] == str(serving.models["one"].path)


def test_a_hangup_does_not_end_a_session(serving: FakeServer) -> None:
    with session(serving) as one:
        one.process.send_signal(signal.SIGHUP)
        one.send({"end": {"result": "nothing", "reason": None}})
        assert one.process.wait() == 0
    assert history(serving)[0]["result"] == "nothing"


def test_a_laptop_gone_during_the_switch_keeps_the_lock_until_that_has_ended(
    serving: FakeServer,
) -> None:
    two = serving.model("two")
    with session(serving) as one:
        arguments = ("activate", "--model", str(two.path), "--watch", "1")
        with serving.start(*arguments) as activation:
            while "start --no-block tox_com_det@green.service" not in serving.log():
                time.sleep(0.02)
            one.process.stdin.close()
            assert holder(serving)["id"] == "a1"
            code, answer = serving.releasectl("unlock", "--by", "bert@other")
            assert (code, answer["kind"]) == (1, "activating")
            activation.communicate()
        assert one.process.wait(timeout=10) == 0
    (line,) = history(serving)
    assert line["live"]["model"] == str(two.path)


def test_unlock_ends_the_session_and_says_by_whom(serving: FakeServer) -> None:
    with session(serving) as one:
        one.send({"phase": "upload"})
        wait_for_phase(serving, "upload")
        code, answer = serving.releasectl("unlock", "--by", "bert@other")
        assert (code, answer["result"]["holder"]["id"]) == (0, "a1")
        assert one.read()["kind"] == "unlocked"
        assert one.process.wait() == 1
    (line,) = history(serving)
    assert (line["result"], line["reason"], line["phase"]) == (
        "unlocked",
        "by bert@other",
        "upload",
    )
    assert serving.releasectl("unlock", "--by", "bert@other")[1] == {"result": {"holder": None}}
    assert len(history(serving)) == 1


def test_unlock_kills_a_session_that_does_not_listen(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasectl, "UNLOCK_SECONDS", 0.2)
    server = releasectl.Server(serving.config)
    with session(serving) as one:
        one.process.send_signal(signal.SIGSTOP)
        options = releasectl.parser().parse_args(["unlock", "--by", "bert@other"])
        assert releasectl.command_unlock(server, options)["holder"]["id"] == "a1"
        assert one.process.wait() == -signal.SIGKILL
    assert [line["result"] for line in history(serving)] == ["unlocked"]


@pytest.mark.parametrize("reboot", [False, True])
def test_a_session_that_was_killed_is_written_down_by_the_next(
    serving: FakeServer, reboot: bool
) -> None:
    with session(serving) as one:
        one.send({"phase": "upload"})
        wait_for_phase(serving, "upload")
        one.process.kill()
        one.process.wait()
    if reboot:
        os.unlink(serving.config["deploy_lock_file"])  # /run is empty then
    assert history(serving) == []
    with session(serving, "b1") as two:
        two.send({"end": {"result": "failed", "reason": "no luck"}})
        two.process.wait()
    newest, oldest = history(serving)
    assert (oldest["id"], oldest["result"], oldest["phase"]) == ("a1", "cut off", "upload")
    assert (newest["id"], newest["reason"]) == ("b1", "no luck")


@pytest.mark.parametrize(
    "message", [[1], {"pahse": "upload"}, {"end": {"result": "well"}}], ids=str
)
def test_a_line_that_is_none_ends_the_session(serving: FakeServer, message: Any) -> None:
    with session(serving) as one:
        one.send(message)
        assert one.process.wait() == 0
    assert history(serving)[0]["result"] == "interrupted"


def test_an_attempt_begins_though_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody could begin the prune that makes room."""

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(releasectl, "write_file", no_room)
    audit = releasectl.Audit({"state_dir": str(tmp_path)})
    audit.keep({"id": "a1"})
    audit.end({"id": "a1"})
    assert [line["id"] for line in audit.newest(1)] == ["a1"]


def test_the_audit_keeps_its_newest_half(serving: FakeServer) -> None:
    audit = releasectl.Audit(serving.config)
    for number in range(12):
        audit.add({"id": number, "text": "x" * 100_000})
    kept = [line["id"] for line in audit.newest(100)]
    assert kept[0] == 11
    assert kept == list(range(11, 11 - len(kept), -1))
    assert 4 <= len(kept) <= 7
    with open(audit.path, "a", encoding="utf-8") as file:
        file.write('{"id": 12, "te')  # the disk was full
    audit.add({"id": 13})
    assert [line["id"] for line in audit.newest(2)] == [13, 11]


# ---------------------------------------------------------------- verify


def test_a_model_is_verified_within_its_memory_by_the_services_user(serving: FakeServer) -> None:
    serving.answers(
        "verify",
        f"echo '{json.dumps(VERIFIED)}'; env > {serving.root}/env; "
        f"cat /proc/self/oom_score_adj > {serving.root}/oom",
    )
    path = serving.model("two").path
    code, answer = serving.releasectl("verify", "--model", str(path))
    assert code == 0, answer
    assert (serving.root / "oom").read_text() == "900\n"
    free, limit = answer["result"].pop("free_bytes"), answer["result"].pop("limit_bytes")
    assert answer["result"] == VERIFIED
    assert limit == min(300 << 20, free - (64 << 20))
    log = "\n".join(serving.log())
    described = f"--description=tox_com_det: verify {path.name}"
    assert f".scope {described} -p MemoryMax={limit} -p MemorySwapMax=0 sh -c" in log
    assert f" sh {limit} nice -n 10 " in log
    environment = (serving.root / "env").read_text().splitlines()
    assert "TOX_COM_DET_MONGODB_URI=mongodb://a/?b=1&c=2" in environment
    assert f"PYTHONPATH={serving.root / 'apps/1.0'}" in environment


def test_a_model_that_was_ended_for_its_memory_says_so(serving: FakeServer) -> None:
    serving.answers("verify", "kill -9 $$")
    path = str(serving.model("two").path)
    code, answer = serving.releasectl("verify", "--model", path, "--memory", str(200 << 20))
    assert (code, answer["kind"], answer["limit_bytes"]) == (1, "memory", 200 << 20)
    assert "more memory than the 209.7 MB" in answer["error"]
    assert [line for line in serving.log() if line.startswith("stop tox_com_det-verify-")]


def test_too_little_memory_is_said_with_both_numbers_before_anything_is_loaded(
    serving: FakeServer,
) -> None:
    path = str(serving.models["one"].path)
    code, answer = serving.releasectl("verify", "--model", path, "--memory", str(20 << 20))
    assert (code, answer["kind"]) == (1, "memory")
    assert "21.0 MB of the" in answer["error"]
    assert "83.9 MB are needed" in answer["error"]


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("""echo '{"error": "toxic is nan", "kind": "answers"}'; exit 1""", "answers", "is nan"),
        ("echo 'No module named verify' >&2; exit 1", "other", "No module named verify"),
    ],
)
def test_what_the_app_finds_is_passed_on(
    serving: FakeServer, script: str, kind: str, words: str
) -> None:
    serving.answers("verify", script)
    code, answer = serving.releasectl("verify", "--model", str(serving.models["one"].path))
    assert (code, answer["kind"]) == (1, kind)
    assert words in answer["error"]


def test_damaged_files_are_found_before_the_app_is_asked(serving: FakeServer) -> None:
    model = serving.model("two").path
    (model / "head.onnx").write_bytes(b"head of twO")
    code, answer = serving.releasectl("verify", "--model", str(model))
    assert (code, answer["kind"]) == (1, "hash")
    (model / "head.onnx").unlink()
    assert serving.releasectl("verify", "--model", str(model))[1]["kind"] == "hash"
    for text in ("{", "[]", '{"files": {}}', '{"files": {"../a": {"sha256": "", "bytes": 1}}}'):
        (model / "manifest.json").write_text(text)
        assert serving.releasectl("verify", "--model", str(model))[1]["kind"] == "manifest"


@pytest.mark.parametrize(
    ("version", "options"),
    [
        (219, ["-p", "MemoryLimit=5"]),
        (231, ["-p", "MemoryMax=5"]),
        (252, ["-p", "MemoryMax=5", "-p", "MemorySwapMax=0"]),
    ],
)
def test_each_systemd_is_told_the_limit_in_its_own_words(version: int, options: list[str]) -> None:
    assert releasectl.limits(version, 5) == options


def tree(root: Path, files: dict[str, str]) -> str:
    for name, text in {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 4000 kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_cached_files_are_free_but_for_a_reserve(tmp_path: Path) -> None:
    """Uploads that were hashed stay cached: a good model was refused for them."""
    files = {
        "proc/meminfo": "MemAvailable: 9000000 kB\n",
        "proc/1/cgroup": "0::/init.scope\n",
        "sys/fs/cgroup/memory.max": f"{1 << 30}\n",
        "sys/fs/cgroup/memory.current": f"{900 << 20}\n",
        "sys/fs/cgroup/memory.stat": f"inactive_file 0\nactive_file {500 << 20}\n",
    }
    assert releasectl.free_memory(tree(tmp_path, files)) == (1024 - 900 + 500 - 64) << 20


@pytest.mark.parametrize(
    ("files", "free"),
    [
        # A machine: its root group has no limit, or one that says nothing.
        ({"proc/1/cgroup": "0::/init.scope\n"}, 4096000),
        (
            {
                "proc/1/cgroup": "3:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "5",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1\ntotal_active_file 0\n",
            },
            4096000,
        ),
        # A container with version 2 sees its own group as the root.
        (
            {
                "proc/1/cgroup": "0::/init.scope\n",
                "sys/fs/cgroup/memory.max": "3000000\n",
                "sys/fs/cgroup/memory.current": "2000000\n",
                "sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 500000\nactive_file 100000\n",
            },
            # Half of the files in use may be wanted again at once.
            1550000,
        ),
        # A container with version 1, below a group of its host; version 2 has no memory there.
        (
            {
                "proc/1/cgroup": "9:name=x:/p/c/init.scope\n4:memory:/p/c/init.scope\n0::/p\n",
                "sys/fs/cgroup/memory/p/c/memory.limit_in_bytes": "3000000",
                "sys/fs/cgroup/memory/p/c/memory.usage_in_bytes": "2900000",
                "sys/fs/cgroup/memory/p/c/memory.stat": "inactive_file 0\ntotal_inactive_file 9\n"
                "active_file 0\ntotal_active_file 0\n",
            },
            100009,
        ),
        (
            {
                "proc/1/cgroup": "0::/init.scope\n",
                "sys/fs/cgroup/memory.max": "max\n",
                "sys/fs/cgroup/memory.current": "2000000\n",
                "sys/fs/cgroup/memory.stat": "inactive_file 500000\nactive_file 0\n",
            },
            4096000,
        ),
    ],
    ids=["machine", "machine-v1", "container-v2", "container-v1", "no-limit-v2"],
)
def test_free_is_what_machine_and_container_have(tmp_path: Path, files: dict, free: int) -> None:
    assert releasectl.free_memory(tree(tmp_path, files)) == free


# ---------------------------------------------------------------- install-app


VERSION = "2.0-0123456789ab"
RELEASE = {"version": VERSION, "target": "debian12", "python": "3.11"}


def make_tar(path: Path, **more: Any) -> tuple[str, str, str]:
    """Write a release as controller.deploy.app_release does; the words that install it."""
    content = {
        "release.json": json.dumps({**RELEASE, **more.get("release", {})}),
        "requirements.txt": "",
        "tox_com_det/http/routes.py": "",
        "wheels/a.whl": "a",
        **more.get("files", {}),
    }
    with tarfile.open(path, "w") as archive:
        for name, text in content.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o777
            archive.addfile(info, io.BytesIO(text.encode()))
        for info in more.get("members", []):
            archive.addfile(info)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ("install-app", str(path), "--sha256", sha256)


def test_an_app_is_installed_whole_and_only_once(serving: FakeServer, tmp_path: Path) -> None:
    words = make_tar(tmp_path / "app.tar")
    code, answer = serving.releasectl(*words)
    path = serving.root / "apps" / VERSION
    assert (code, answer) == (
        0,
        {"result": {"path": str(path), "version": VERSION, "changed": True}},
    )
    assert sorted(os.listdir(path)) == [
        ".complete", "release.json", "requirements.txt", "tox_com_det", "venv",
    ]  # fmt: skip
    assert (path / "tox_com_det/http/routes.py").stat().st_mode & 0o777 == 0o644
    assert serving.releasectl(*words)[1]["result"]["changed"] is False


def test_what_was_left_half_installed_is_removed_first(serving: FakeServer, tmp_path: Path) -> None:
    left = serving.root / "apps" / VERSION / "venv" / "junk"
    left.mkdir(parents=True)
    assert serving.releasectl(*make_tar(tmp_path / "app.tar"))[0] == 0
    assert not left.exists()


@pytest.mark.parametrize("step", ["pip", "import"])
def test_an_app_that_cannot_be_installed_leaves_nothing(
    serving: FakeServer, tmp_path: Path, step: str
) -> None:
    serving.answers(step, "echo 'no such wheel' >&2; exit 1")
    code, answer = serving.releasectl(*make_tar(tmp_path / "app.tar"))
    assert code == 1
    assert "no such wheel; nothing is left of it" in answer["error"]
    assert not (serving.root / "apps" / VERSION).exists()


def test_an_interrupted_installation_leaves_nothing(serving: FakeServer, tmp_path: Path) -> None:
    serving.answers("pip", f"touch {tmp_path}/begun; exec sleep 20")
    with serving.start(*make_tar(tmp_path / "app.tar"), program=RELEASECTL) as process:
        while not (tmp_path / "begun").exists():
            time.sleep(0.02)
        code, answer = serving.releasectl(*make_tar(tmp_path / "app.tar"))
        assert (code, answer["kind"]) == (1, "locked")
        process.send_signal(signal.SIGHUP)  # the laptop is gone: no reason to stop
        process.terminate()
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    assert json.loads(out.splitlines()[-1])["kind"] == "interrupted"
    assert not (serving.root / "apps" / VERSION).exists()


def link(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc"
    return info


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"files": {"../evil": "x"}}, "tar", "lies outside"),
        ({"files": {"/evil": "x"}}, "tar", "lies outside"),
        ({"files": {".complete": ""}}, "tar", "is made here"),
        ({"members": [link("tox_com_det/etc")]}, "tar", "neither a file nor"),
        ({"release": {"version": "../../etc"}}, "tar", "no version"),
        ({"release": {"target": "el7"}}, "target", "is for el7, this server takes debian12"),
    ],
)
def test_what_is_no_release_for_this_server_is_refused(
    serving: FakeServer, tmp_path: Path, more: dict, kind: str, words: str
) -> None:
    code, answer = serving.releasectl(*make_tar(tmp_path / "app.tar", **more))
    assert (code, answer["kind"]) == (1, kind)
    assert words in answer["error"]
    assert os.listdir(serving.root / "apps") == ["1.0"]


def test_a_damaged_tar_is_refused(serving: FakeServer, tmp_path: Path) -> None:
    words = make_tar(tmp_path / "app.tar")
    assert serving.releasectl(*words[:3], "0" * 64)[1]["kind"] == "hash"
    (tmp_path / "app.tar").write_bytes(b"no tar at all")
    assert serving.releasectl(*words)[1]["kind"] == "tar"


def test_discard_takes_only_what_is_not_complete(serving: FakeServer) -> None:
    half = serving.model("half", complete=False).path
    assert serving.releasectl("discard", "--model", str(half)) == (0, {"result": {"removed": True}})
    assert not half.exists()
    assert serving.releasectl("discard", "--model", str(half))[1] == {"result": {"removed": False}}
    code, answer = serving.releasectl("discard", "--model", str(serving.models["one"].path))
    assert (code, answer["kind"]) == (1, "complete")
    assert serving.releasectl("discard", "--app", str(serving.root / "models/one"))[0] == 1


# ---------------------------------------------------------------- releases and prune


def age(path: Path, days: float) -> None:
    """Let the path, and what is below it, be that old."""
    when = time.time() - days * DAY
    for one in (*path.rglob("*"), path):
        os.utime(one, (when, when), follow_symlinks=False)


@pytest.fixture
def full(serving: FakeServer) -> FakeServer:
    """Seven models of seven days and four apps; model `two` serves, `one` was before it."""
    for number, name in enumerate(["m1", "m2", "m3", "m4", "m5"]):
        age(serving.model(name).path, 20 - number)
    for number, name in enumerate(["a1", "a2", "a3"]):
        age(serving.app(name), 20 - number)
    two = serving.model("two")
    assert serving.activate("--model", str(two.path)).returncode == 0
    age(serving.models["one"].path, 30)
    age(two.path, 29)
    age(serving.root / "apps/1.0", 30)
    serving.answers("collections", f'echo "$@" >> {serving.root}/asked\n' + NO_COLLECTIONS)
    return serving


NO_COLLECTIONS = """echo '{"collections": []}'\n"""


def prune(server: FakeServer, *arguments: str) -> tuple[list[str], list[str]]:
    code, answer = server.releasectl("prune", *arguments)
    assert code == 0, answer
    assert answer["result"]["removed"] is ("--dry-run" not in arguments)
    return (
        [one["name"] for one in answer["result"]["remove"]],
        [one["name"] for one in answer["result"]["keep"]],
    )


def test_releases_say_what_is_there_the_newest_first(full: FakeServer) -> None:
    full.model("half", complete=False)
    (full.root / "incoming" / "ab.part").write_text("12345")
    code, answer = full.releasectl("releases")
    assert code == 0
    found = answer["result"]
    names = [one["name"] for one in found["models"]]
    assert names == ["half", "m5", "m4", "m3", "m2", "m1", "two", "one"]
    two = found["models"][6]
    assert (two["live"], two["previous"], two["running"]) == (True, False, True)
    assert (two["collection"], two["model"]) == ("word_embeddings.words_of_two", "sample")
    assert [one["name"] for one in found["models"] if one["previous"]] == ["one"]
    assert [one["name"] for one in found["models"] if not one["complete"]] == ["half"]
    assert [one["name"] for one in found["apps"]] == ["a3", "a2", "a1", "1.0"]
    assert found["uploads"] == {"files": 1, "bytes": 5}
    assert found["confirmed"] == full.confirmed()


def test_prune_keeps_the_newest_and_whatever_is_needed(full: FakeServer) -> None:
    said = prune(full, "--keep", "2", "--dry-run")
    assert said[0] == ["m1", "m2", "m3", "a1"]
    assert len(os.listdir(full.root / "models")) == 7
    assert prune(full, "--keep", "2") == said
    assert sorted(os.listdir(full.root / "models")) == ["m4", "m5", "one", "two"]
    assert sorted(os.listdir(full.root / "apps")) == ["1.0", "a2", "a3"]
    assert prune(full, "--keep", "2")[0] == []
    assert full.live_model() == "two"
    assert prune(full, "--keep", "1")[0] == ["m4", "a2"]


def test_prune_goes_below_the_number_where_the_disk_is_full(full: FakeServer) -> None:
    full.config["keep_free_mb"] = 1 << 40
    full.write_config()
    assert prune(full)[0] == ["m1", "m2", "m3", "m4", "m5", "a1", "a2", "a3"]
    assert sorted(os.listdir(full.root / "models")) == ["one", "two"]


def test_prune_takes_old_leftovers_but_none_of_somebody_elses_session(full: FakeServer) -> None:
    half = full.model("half", complete=False).path
    part = full.root / "incoming" / "anna" / "ab.part"
    part.parent.mkdir()
    part.write_text("12345")
    dump = full.root / "dumps" / "words_of_half"
    (dump / "word_embeddings").mkdir(parents=True)
    (dump / "manifest.json").write_bytes((half / "manifest.json").read_bytes())
    assert prune(full)[0] == []
    for path in (half, part, dump):
        age(path, 2)
    with session(full):
        would = prune(full, "--dry-run")[0]
    assert would == ["ab.part", "words_of_half"]
    asked = (full.root / "asked").read_text().splitlines()[-1]
    assert "--keep words_of_half" in asked
    would = prune(full, "--dry-run")[0]
    with session(full):  # as `fab prune` does it: what was said first is what goes
        assert prune(full, "--session", "a1")[0] == would == ["half", "ab.part", "words_of_half"]
    assert not any(path.exists() for path in (half, part, dump))
    assert "words_of_half" not in (full.root / "asked").read_text().splitlines()[-1]


def test_prune_follows_no_link_of_whoever_uploads(full: FakeServer) -> None:
    anna, live = full.root / "incoming" / "anna", full.models["two"].path
    (anna / "deep").mkdir(parents=True)
    (anna / "deep" / "file").write_text("1")
    (anna / "link").symlink_to(live)
    age(anna, 2)
    assert prune(full)[0] == ["link"]
    assert (live / ".complete").exists()
    assert (anna / "deep" / "file").exists()


def test_prune_waits_for_no_other_deploy(full: FakeServer) -> None:
    with session(full):
        code, answer = full.releasectl("prune", "--keep", "1")
        assert (code, answer["kind"], answer["holder"]["id"]) == (1, "locked", "a1")
        assert full.releasectl("prune", "--session", "b1")[1]["kind"] == "locked"
    code, answer = full.releasectl("prune", "--session", "a1")
    assert (code, answer["kind"]) == (1, "locked")
    assert len(os.listdir(full.root / "models")) == 7


def test_prune_drops_what_no_manifest_names(full: FakeServer) -> None:
    told = [
        {"name": "words_of_two", "bytes": 5, "kept": True, "dropped": False},
        {"name": "words_of_m1", "bytes": None, "kept": False, "dropped": True},
    ]
    full.answers(
        "collections",
        f"echo \"$@\" >> {full.root}/asked; echo '{json.dumps({'collections': told})}'",
    )
    removed, kept = prune(full, "--keep", "2")
    assert removed == ["m1", "m2", "m3", "a1", "words_of_m1"]
    assert "words_of_two" in kept
    assert (full.root / "asked").read_text().split() == [
        "-m", "tox_com_det.store.collections",
        *("--keep", "words_of_m4", "--keep", "words_of_m5"),
        *("--keep", "words_of_one", "--keep", "words_of_two"),
        *("--keep-young", "86400", "--drop"),
    ]  # fmt: skip


def test_prune_after_a_deploy_looks_only_at_the_collections_of_what_it_removed(
    full: FakeServer,
) -> None:
    prune(full, "--auto", "--keep", "6")
    assert not (full.root / "asked").exists()
    prune(full, "--auto", "--keep", "4", "--dry-run")
    asked = (full.root / "asked").read_text()
    assert "--only words_of_m1 --keep-young" in asked
    assert "--drop" not in asked


def test_a_manifest_that_cannot_be_read_keeps_every_collection(full: FakeServer) -> None:
    (full.models["m5"].path / "manifest.json").write_text("{")
    prune(full, "--keep", "2")
    assert not (full.root / "asked").exists()


def test_a_database_that_is_gone_does_not_keep_releases(full: FakeServer) -> None:
    full.answers(
        "collections", """echo '{"error": "MongoDB is away", "kind": "database"}'; exit 1"""
    )
    assert prune(full, "--keep", "2")[0] == ["m1", "m2", "m3", "a1"]


def test_missing_settings_and_wrong_words_are_told(serving: FakeServer) -> None:
    with serving.start("prune", "--keep", "0", program=RELEASECTL) as process:
        assert process.communicate()[0] == ""
    assert process.returncode == 2
    del serving.config["releases_dir"]
    serving.write_config()
    code, answer = serving.releasectl("releases")
    assert (code, answer["error"].split(":")[0]) == (
        1,
        f"{serving.root}/server.json has no releases_dir",
    )


def test_an_unreadable_answer_of_slotctl_is_an_error(serving: FakeServer) -> None:
    serving.config["slotctl"] = "false"
    serving.write_config()
    code, answer = serving.releasectl("releases")
    assert (code, answer["kind"]) == (1, "other")
    assert "slotctl status failed" in answer["error"]
