"""`toxctl restore`: the app restores a dump as the service's user, and reports its progress."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
from fake_server import FakeServer
from pymongo.errors import ConnectionFailure, OperationFailure

from tox_com_det.model.manifest import Embedding
from tox_com_det.store import documents, maintenance
from tox_com_det.store.disk_space import DiskSpace
from tox_com_det.store.errors import RestoreError
from tox_com_det.store.progress import Progress
from toxctl import events, restore
from toxctl.advice import STEPS

MANIFEST = {"embedding": {"collection": "words_0123"}}
LINES = """echo 'checking   100 %  7 of 7 words  1.0 MB/s'
echo 'restoring with /usr/bin/mongorestore'
echo 'restoring   42 %  3 of 7 words  0.5 MB/s'
echo 'word_embeddings.words_0123: 7 words restored and verified'
"""


@pytest.fixture
def dump(serving: FakeServer) -> Path:
    """An uploaded dump."""
    path = serving.root / "dumps" / "words_0123"
    path.mkdir()
    (path / "manifest.json").write_text(json.dumps(MANIFEST))
    return path


def test_restore_reports_its_progress_and_its_lines(serving: FakeServer, dump: Path) -> None:
    serving.answers("restore", LINES)
    done = serving.json("restore", "--collection", "words_0123")
    assert done.result == {"restored": True}
    assert done.events[:-1] == [
        {"progress": {"what": "checking", "done": 7, "total": 7}},
        {"say": "restoring with /usr/bin/mongorestore"},
        {"progress": {"what": "restoring", "done": 3, "total": 7}},
        {"say": "word_embeddings.words_0123: 7 words restored and verified"},
    ]
    text = serving.run("restore", "--collection", "words_0123").stdout.splitlines()
    assert text[2] == "restoring   42 %  3 of 7 words  0.5 MB/s"
    assert text[-1] == "words_0123 is restored"


@pytest.mark.parametrize(
    ("store", "module"), [(True, "tox_com_det.store.restore"), (False, "tox_com_det.restore")]
)
def test_restore_runs_the_app_that_app_link_names_with_the_services_settings(
    serving: FakeServer, dump: Path, store: bool, module: str
) -> None:
    app = serving.app("next", store=store)  # not live yet
    serving.answers("restore", 'echo "$TOX_COM_DET_MONGODB_URI $PYTHONPATH $PWD $*"')
    done = serving.json("restore", "--collection", "words_0123")
    assert done.events[0]["say"].split() == [
        "mongodb://a/?b=1&c=2",
        str(app),
        "/",
        *("-m", module, "--manifest", str(dump / "manifest.json"), "--dump", str(dump)),
    ]


def test_verify_is_passed_on_and_an_app_without_it_is_named(
    serving: FakeServer, dump: Path
) -> None:
    words = ("restore", "--collection", "words_0123", "--verify")
    serving.answers("restore", 'echo "$*"')
    assert serving.json(*words).events[0]["say"].endswith(f" --dump {dump} --verify")
    serving.answers("restore", "echo 'unrecognized arguments: --verify' >&2; exit 2")
    assert (
        serving.json(*words).error["error"].endswith("too old for --verify: run `fab deploy-app`")
    )
    assert serving.run("restore", "--check", "--verify", stdin="{}").returncode == 2


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        ("MongoDB at 127.0.0.1:27017 does not answer: see `systemctl status mongod`", "database"),
        ("the database's disk has 10 MB free, a restore of 5 MB takes up to 20 MB", "disk"),
        ("a.b: 3 words are there, the manifest says 4", "collection"),  # of version 0.1
        ("damaged: run `fab build-model`, then run `fab restore-embeddings`", "other"),
        ("mongorestore is not on PATH", "other"),
    ],
)
def test_failed_restore_ends_with_the_apps_own_line(
    serving: FakeServer, dump: Path, problem: str, kind: str
) -> None:
    problem = problem.replace("`", "")
    serving.answers(
        "restore", f'echo started; printf "%s\\n" details "restore: {problem}" >&2; exit 1'
    )
    error = serving.json("restore", "--collection", "words_0123").error
    step = f": {STEPS[kind]}" if kind in ("database", "disk") else ""
    assert (error["error"], error["kind"]) == (problem + step, kind)
    assert error["details"].startswith("details\n")


EMBEDDING = Embedding("a", "b", 7, 2, "float32", "0" * 64, {})


def test_kinds_fit_the_apps_own_messages() -> None:
    words = {
        documents.marker_problem(None, EMBEDDING): "collection",
        documents.marker_problem({"witness": "w"}, EMBEDDING): "collection",
        maintenance.database_problem("mongodb://h", ConnectionFailure("refused")): "database",
        maintenance.database_problem("mongodb://h", OperationFailure("not authorized")): "database",
    }
    disk = mock.Mock(command=lambda _: {"fsTotalSize": 10, "fsUsedSize": 9})
    for check in (lambda space: space.check_before(5, 0), lambda space: space.check_during()):
        with pytest.raises(RestoreError) as error:
            check(DiskSpace(disk, None))
        words[str(error.value)] = "disk"
    few = mock.MagicMock()
    few["b"].estimated_document_count.return_value = 3
    few["b"].count_documents.return_value = 3
    words[maintenance.count_problem(few, EMBEDDING)] = "collection"
    for message, kind in words.items():
        assert restore._kind(str(message)) == kind, message


def test_progress_fits_the_apps_own_lines(serving: FakeServer, dump: Path) -> None:
    lines: list[str] = []
    Progress(lines.append, "restoring", 7).done(3, 1000)
    serving.answers("restore", f"echo '{lines[0]}'")
    done = serving.json("restore", "--collection", "words_0123")
    assert done.events[0] == {"progress": {"what": "restoring", "done": 3, "total": 7}}


def test_restore_that_says_nothing_reports_its_exit_code(serving: FakeServer, dump: Path) -> None:
    serving.answers("restore", "exit 7")
    error = serving.json("restore", "--collection", "words_0123").error
    assert error["error"] == "exit code 7"


@pytest.mark.parametrize("name", ["nothing_here", "../models/one"])
def test_only_an_uploaded_dump_is_restored(serving: FakeServer, name: str) -> None:
    error = serving.json("restore", "--collection", name).error
    assert "is missing: run `fab restore-embeddings`" in error["error"]


def test_restore_without_an_app_says_how_to_install_one(serving: FakeServer, dump: Path) -> None:
    (serving.root / "current-app").unlink()
    error = serving.json("restore", "--collection", "words_0123").error
    assert "ansible-playbook site.yml --tags flask_app" in error["error"]


def test_restore_ends_with_the_laptop_that_reads_it(
    serving: FakeServer, dump: Path, tmp_path: Path
) -> None:
    """A restore that was cut off does not count; the next one must be able to begin."""
    serving.answers(
        "restore",
        f"trap 'touch {tmp_path}/ended; exit 1' TERM\n"
        f"touch {tmp_path}/begun\nwhile :; do echo line; sleep 0.05; done",
    )
    process = serving.start("--json", "restore", "--collection", "words_0123")
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=300) == 1
    assert (tmp_path / "ended").exists()


def test_interrupted_restore_ends_what_it_has_started(
    serving: FakeServer, dump: Path, tmp_path: Path
) -> None:
    serving.answers(
        "restore",
        f"trap 'touch {tmp_path}/ended; exit 1' TERM\n"
        f"touch {tmp_path}/begun\nwhile :; do sleep 0.05; done",
    )
    with serving.start("--json", "restore", "--collection", "words_0123") as process:
        while not (tmp_path / "begun").exists():
            time.sleep(0.02)
        process.terminate()
        out, _ = process.communicate(timeout=300)
    assert json.loads(out.splitlines()[-1])["kind"] == "interrupted"
    assert (tmp_path / "ended").exists()


def test_check_reads_the_manifest_from_standard_input(serving: FakeServer, tmp_path: Path) -> None:
    serving.answers("restore", f'cat "$4" > {tmp_path}/manifest; echo "$@" > {tmp_path}/words')
    done = serving.json("restore", "--check", stdin=MANIFEST)
    assert done.result == {"restored": True, "problem": "", "kind": None}
    assert json.loads((tmp_path / "manifest").read_text()) == MANIFEST
    words = (tmp_path / "words").read_text().split()
    assert words[-1] == "--check-only"
    assert not Path(words[3]).exists()
    text = serving.run("restore", "--check", stdin=json.dumps(MANIFEST))
    assert text.stdout == "restored and verified\n"


def test_check_says_why_a_collection_does_not_count(serving: FakeServer) -> None:
    problem = "a.b is not restored (no marker): run \\`fab restore-embeddings\\`"
    serving.answers("restore", f'echo "restore: {problem}" >&2; exit 1')
    done = serving.json("restore", "--check", stdin=MANIFEST)
    problem = problem.replace("\\", "")
    assert done.result == {"restored": False, "problem": problem, "kind": "collection"}
    text = serving.run("restore", "--check", stdin=json.dumps(MANIFEST))
    assert text.stdout == problem + "\n"


def test_reader_that_goes_away_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    events.start(as_json=True)
    monkeypatch.setattr("sys.stdout", Closed())
    monkeypatch.setattr("sys.stderr", Closed())
    events.say("hello")
    assert events.listener_gone()
    sys.stdout.close()
    events.say("hello again")
    events.start(as_json=False)
    events.error(events.ToxctlError("nobody reads this"))
    assert events.listener_gone()
    events.start(as_json=False)
