"""Measure serving, and write docs/performance.md: `python -m bench.serving`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.serving import BenchError
from bench.serving.report import render
from bench.serving.session import SYSTEMS, Options, measure
from controller.local_serve import ServeError
from controller.local_serve.processes import STOP_SIGNALS, Stopped, raise_stopped
from controller.model_build.errors import BuildError

CHECKOUT = Path(__file__).resolve().parents[2]
FIGURES = Path(__file__).with_name("figures.json")
PAGE = CHECKOUT / "docs/performance.md"


def main() -> int:
    """Measure and write; returns the exit status."""
    options = _options()
    if options.render:
        PAGE.write_text(render(json.loads(FIGURES.read_text())))
        return 0
    for number in STOP_SIGNALS:
        signal.signal(number, raise_stopped)
    chosen = Options(
        CHECKOUT, options.state, options.systems, options.rounds, options.seconds, options.priority
    )
    try:
        figures = {"run": _run(options), **measure(chosen, _say)}
    except (BenchError, BuildError, ServeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except Stopped as stop:
        print(
            f"bench: {signal.Signals(stop.number).name}: all processes have stopped",
            file=sys.stderr,
        )
        return 128 + stop.number
    page = render(figures)
    if options.dry_run:
        print(page)
        return 0
    FIGURES.write_text(json.dumps(_rounded(figures), indent=1) + "\n")
    PAGE.write_text(render(json.loads(FIGURES.read_text())))
    print(f"Written: {PAGE.relative_to(CHECKOUT)}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    parser.add_argument(
        "systems",
        nargs="*",
        choices=[*SYSTEMS, []],
        metavar="SYSTEM",
        help=f"of {', '.join(SYSTEMS)}; all by default",
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each case in a round")
    parser.add_argument(
        "--state", type=Path, default=CHECKOUT / "build/bench", help="environments, databases, logs"
    )
    parser.add_argument(
        "--priority", action="store_true", help="go before this machine's other processes (as root)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the page, write nothing")
    parser.add_argument("--render", action="store_true", help="write the page of the last run anew")
    options = parser.parse_args()
    options.systems = tuple(options.systems or SYSTEMS)
    return options


def _run(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "priority": options.priority,
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def _rounded(value: Any) -> Any:
    """Figures with five significant digits, so that the file stays small."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
