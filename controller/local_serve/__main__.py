"""`python -m controller.local_serve`: run the service as the current user until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.deploy.errors import DeployError
from controller.local_serve import ServeError
from controller.local_serve.plan import Places
from controller.local_serve.processes import STOP_SIGNALS, Stopped, raise_stopped
from controller.local_serve.service import serve
from controller.model_build.errors import BuildError

CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal arrives.

    Returns:
        0 if a signal stopped the running service, 128 + the signal's number if it was not running
        yet, 1 for an error, which is on standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m controller.local_serve", description=__doc__)
    parser.add_argument(
        "--state",
        type=Path,
        default=CHECKOUT / "build/serve",
        help="directory of everything that it writes (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    places = Places(CHECKOUT, options.state.absolute())
    before = {number: signal.signal(number, raise_stopped) for number in STOP_SIGNALS}
    serving: list[str] = []
    try:
        serve(places, serving.append)
    except (ServeError, BuildError, DeployError) as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        words = f"serve: {where}{error.strerror or error}: fix it, then rerun `make serve`"
        print(words, file=sys.stderr)
        return 1
    except Stopped as stop:
        name = signal.Signals(stop.number).name
        print(f"\nserve: {name}: all processes have stopped.", flush=True)
        return 0 if serving else 128 + stop.number
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
