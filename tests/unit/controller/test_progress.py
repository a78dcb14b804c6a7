"""Progress, sizes and tables: readable on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from controller import progress


class Terminal(io.StringIO):
    """An output that calls itself a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock whose only entry is the time that it shows."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.0 kB"),
        (1_234, "1.2 kB"),
        (99_999, "100.0 kB"),
        (100_000, "0.1 MB"),
        (480_000_000, "480.0 MB"),
    ],
)
def test_sizes_are_kilobytes_below_a_tenth_of_a_megabyte(size: int, text: str) -> None:
    assert progress.megabytes(size) == text


def test_transfer_off_a_terminal_prints_a_line_every_five_seconds(clock: list[float]) -> None:
    out = io.StringIO()
    with progress.transfer_progress("head.onnx", 10_000_000, out=out) as step:
        step(1_000_000)
        clock[0] += 4.9
        step(2_000_000)
        assert out.getvalue() == ""
        clock[0] += 0.1
        step(5_000_000)
        step(6_000_000)
    assert out.getvalue() == "  head.onnx: 50 % of 10.0 MB, 1.0 MB/s, 5 s left\n"


def test_resumed_transfer_counts_only_new_bytes_into_the_rate(clock: list[float]) -> None:
    out = io.StringIO()
    with progress.transfer_progress("dump.bson", 10_000_000, start=4_000_000, out=out) as step:
        clock[0] += 10
        step(5_000_000)
    assert out.getvalue() == "  dump.bson: 50 % of 10.0 MB, 0.1 MB/s, 50 s left\n"


def test_transfer_of_an_empty_file_prints_no_error(clock: list[float]) -> None:
    out = io.StringIO()
    with progress.transfer_progress("empty", 0, out=out) as step:
        clock[0] += 10
        step(0)
    assert out.getvalue().startswith("  empty: 0 % of 0.0 kB")


def test_transfer_goes_to_the_present_standard_output(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with progress.transfer_progress("head.onnx", 100) as step:
        clock[0] += 6
        step(100)
    assert "head.onnx: 100 %" in capsys.readouterr().out


def test_transfer_on_a_terminal_is_a_bar(clock: list[float]) -> None:
    out = Terminal()
    with progress.transfer_progress("head.onnx", 100, out=out) as step:
        step(40)
    assert "head.onnx" in out.getvalue()
    assert " % of " not in out.getvalue()


def test_steps_off_a_terminal_are_a_line_every_five_seconds(clock: list[float]) -> None:
    lines: list[str] = []
    with progress.step_progress("word vectors", 200, lines.append) as step:
        step(10)
        clock[0] += 5
        step(100)
        step(120)
        clock[0] += 5
        step(200)
    assert lines == ["word vectors: 100 of 200", "word vectors: 200 of 200"]


def test_steps_on_a_terminal_are_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    lines: list[str] = []
    with progress.step_progress("word vectors", 200, lines.append) as step:
        step(200)
    assert "word vectors" in out.getvalue()
    assert not lines


def test_table_aligns_its_columns() -> None:
    rows = [["model", "sample-6bdc", "live"], ["app", "0.2.0", ""]]
    assert progress.table(rows, header=["KIND", "NAME", "STATE"]) == (
        "  KIND   NAME         STATE\n  model  sample-6bdc  live\n  app    0.2.0"
    )


def test_table_without_rows_is_empty() -> None:
    assert progress.table([]) == ""


def test_scores_off_a_terminal_are_plain_text() -> None:
    out = io.StringIO()
    progress.print_scores([("you", {"toxic": 0.5, "obscene": 0.25})], out)
    assert out.getvalue() == (
        "         toxic       obscene  comment\n         0.500         0.250  you\n"
    )


def test_scores_on_a_terminal_are_a_table_and_markup_in_a_comment_is_text() -> None:
    out = Terminal()
    progress.print_scores([("[red]you", {"toxic": 0.5, "obscene": 0.25})], out)
    assert "[red]you" in out.getvalue()
    assert "0.250" in out.getvalue()


TABLE = (("label", "share"), [("[b]toxic", "1.0 %"), ("[b]toxic", "2.0 %"), ("insult", "3.0 %")])


def test_a_table_off_a_terminal_is_plain_text() -> None:
    out = io.StringIO()
    progress.print_table(*TABLE, out)
    lines = ["  label     share", "  [b]toxic  1.0 %", "  [b]toxic  2.0 %", "  insult    3.0 %"]
    assert out.getvalue().splitlines() == lines


def test_a_table_on_a_terminal_has_rules_between_sections() -> None:
    out = Terminal()
    progress.print_table(*TABLE, out)
    assert out.getvalue().count("[b]toxic") == 2
    assert out.getvalue().count("├") == 1


def test_rich_is_not_imported_before_it_is_needed() -> None:
    check = "import sys, controller.progress; sys.exit('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], check=False)  # noqa: S603 (own code)
    assert done.returncode == 0
