"""`toxctl suggestions`: counts, exports and clears what clients suggested, by the app's module."""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
from pathlib import Path

import pytest
from fake_server import FakeServer

from toxctl import suggestions

REPORT = {
    "stored": 2, "bytes": 700_000, "oldest": "2026-01-02T03:04:05Z", "on": True, "max_mb": 200,
    "days": 30,
}  # fmt: skip
ROWS = [["comment_text", "toxic"], ['a "b",\nc', "1"], ["é\u2028", ""]]


def answers(serving: FakeServer, *lines: object, code: int = 0) -> None:
    """Let the app print its report, and with --export these lines."""
    root = serving.root
    (root / "report").write_text(json.dumps(REPORT) + "\n")
    (root / "lines").write_text("".join(json.dumps(line) + "\n" for line in lines))
    serving.answers(
        "suggestions",
        f'case "$3" in --export) cat {root}/lines; exit {code} ;; *) cat {root}/report ;; esac',
    )


def exported() -> list[object]:
    header, *rows = ROWS
    return [{"columns": header}, *({"row": row} for row in rows), {"rows": 2}]


def test_the_report_is_that_of_the_app(serving: FakeServer) -> None:
    answers(serving)
    assert serving.json("suggestions").result == REPORT
    assert serving.run("suggestions").stdout.splitlines() == [
        "storing is on (flask_app_perspective_store_suggestions)",
        "2 stored, the oldest of 2026-01-02T03:04:05Z, 0.7 MB of 200 MB, removed after 30 days",
    ]


def test_the_app_gets_the_settings_of_the_api_and_the_live_model(serving: FakeServer) -> None:
    env = serving.root / "app.env"
    env.write_text(env.read_text() + "SLOT_PERSPECTIVE_ATTRIBUTES=A=b\nSLOT_THREADS=7\n")
    said = serving.root / "said"
    script = (
        f'echo "$* $SLOT_PERSPECTIVE_ATTRIBUTES $SLOT_THREADS $TOX_COM_DET_MONGODB_URI" >> {said}'
    )
    serving.answers("suggestions", f'{script}; echo \'{{"stored": 1, "rows": 1}}\'')
    assert serving.json("suggestions", "--export").result == {"rows": 1}
    model = serving.models["one"].path
    words = said.read_text().splitlines()
    assert words == [
        "-m tox_com_det.suggestions A=b  mongodb://a/?b=1&c=2",
        f"-m tox_com_det.suggestions --export {model} A=b  mongodb://a/?b=1&c=2",
    ]


def test_an_export_is_rows_with_progress(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(serving, *exported())
    monkeypatch.setattr(suggestions, "PROGRESS_SECONDS", 0.0)
    done = serving.json("suggestions", "--export")
    assert done.result == {"rows": 2}
    assert [one["row"] for one in done.events if "row" in one] == ROWS
    assert [one["progress"] for one in done.events if "progress" in one] == [
        {"what": "exporting", "done": 1, "total": 2},
        {"what": "exporting", "done": 2, "total": 2},
    ]


def test_as_text_an_export_is_a_csv_file(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(serving, *exported())
    monkeypatch.setattr(suggestions, "PROGRESS_SECONDS", 0.0)
    out = serving.run("suggestions", "--export").stdout
    assert list(csv.reader(io.StringIO(out, newline=""))) == ROWS


@pytest.mark.parametrize(
    ("lines", "code", "words", "kind"),
    [
        ([*exported()[:2], {"error": "MongoDB at h: no", "kind": "database"}], 1,
         "MongoDB at h: no: start the database with `ansible-playbook site.yml --tags mongodb`, "
         "then rerun the command", "database"),
        (exported()[:2], 0, "the export ended with exit code 0", "other"),
        (exported()[:2], 9, "the export ended with exit code 9", "other"),
    ],
)  # fmt: skip
def test_an_export_that_is_cut_off_is_an_error(
    serving: FakeServer, lines: list[object], code: int, words: str, kind: str
) -> None:
    answers(serving, *lines, code=code)
    error = serving.json("suggestions", "--export").error
    assert (error["error"], error["kind"]) == (words, kind)


def test_clear_says_how_many(serving: FakeServer) -> None:
    serving.answers("suggestions", '[ "$3" = --clear ] && echo \'{"cleared": 3}\'')
    assert serving.json("suggestions", "--clear").result == {"cleared": 3}
    assert serving.run("suggestions", "--clear").stdout == "3 removed\n"


def test_an_app_without_suggestions_names_the_next_command(serving: FakeServer) -> None:
    shutil.rmtree(serving.root / "apps/1.0/tox_com_det/suggestions")
    error = serving.json("suggestions").error
    assert error["error"] == "the app is too old to store suggestions: run `fab deploy-app`"


def test_without_a_live_model_there_are_no_columns(server: FakeServer) -> None:
    error = server.json("suggestions", "--export").error
    assert "no model is live" in error["error"]
    assert "`fab deploy-model`" in error["error"]


def test_an_export_ends_with_the_laptop_that_reads_it(serving: FakeServer, tmp_path: Path) -> None:
    serving.answers(
        "suggestions",
        f"""[ "$3" = --export ] || {{ echo '{json.dumps(REPORT)}'; exit; }}
        trap 'touch {tmp_path}/ended; exit 1' TERM
        touch {tmp_path}/begun
        while :; do echo '{{"row": ["a"]}}'; sleep 0.05; done""",
    )
    process = serving.start("--json", "suggestions", "--export")
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=300) == 1
    assert (tmp_path / "ended").exists()


def test_status_warns_where_the_live_slot_does_not_store(serving: FakeServer) -> None:
    words = "suggestions are acknowledged and not stored: 1 MB are used; run `fab ...`"
    ready = {"status": "ready", "warnings": ["keys.json is damaged", words]}
    serving.models["one"].ready = (200, ready)
    found = serving.json("status").result["warnings"]
    assert words in found
    assert "keys.json is damaged" not in found
