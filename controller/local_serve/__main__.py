"""`python -m controller.local_serve`: run the service as the current user until Ctrl-C."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from controller.deploy import predict
from controller.deploy.errors import DeployError
from controller.deploy.model_builder import model_files
from controller.local_serve import ServeError, plan
from controller.local_serve.plan import LOOPBACK, Places
from controller.local_serve.processes import ENDING_SIGNALS, Ended, Group, Running, raise_ended
from controller.model_build.build import build
from controller.model_build.errors import BuildError
from controller.progress import print_scores
from tox_com_det.model.manifest import Manifest

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
NO_DATABASE = (
    "run 'make venv' again; it has a wheel for Linux on x86_64 only, elsewhere take 'make up'"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes.

    Returns:
        0 ended by a signal while it served, 128 + the signal's number before that, 1 with what
        went wrong on standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m controller.local_serve", description=__doc__)
    parser.add_argument(
        "--state", type=Path, default=CHECKOUT / "build/serve", help="all that it writes is here"
    )
    asked = parser.parse_args(arguments)
    places = Places(CHECKOUT, asked.state.absolute())
    before = {number: signal.signal(number, raise_ended) for number in ENDING_SIGNALS}
    serving: list[int] = []
    try:
        _serve(places, serving.append)
    except (ServeError, BuildError, DeployError) as error:
        print(f"serve: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"serve: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except Ended as end:
        print(f"\nserve: {signal.Signals(end.number).name}: all of it has ended.", flush=True)
        return 0 if serving else 128 + end.number
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(places: Places, note: Callable[[int], None]) -> None:
    """Start everything, show the scores, then watch; leaves nothing running behind."""
    started = time.monotonic()
    database = plan.program(("secantusd-rs",), NO_DATABASE)
    server = plan.program(("uwsgi", "pyuwsgi"), "run 'make venv' again")
    with _only_one(places) as claim, Group() as group:
        port = plan.serving_port(os.environ.get(plan.PORT_VARIABLE))
        url = f"http://{LOOPBACK}:{port}"

        _step("The bundle out of the sample model's .h5")
        model, index = model_files(None, None)
        build(model, index, places.bundle)
        manifest = Manifest.load(places.bundle / "manifest.json")

        database_port = plan.any_port()
        _step(f"The database, SecantusDB on {LOOPBACK}:{database_port}, and the word vectors")
        places.database.mkdir(parents=True, exist_ok=True)
        environment = plan.environment(os.environ, places, database_port)
        group.start(
            "the database",
            plan.database_command(database, database_port, places.database),
            places.log("database"),
            environment,
        )
        _until(group, "the database", lambda: _database_answers(database_port))
        command = plan.restore_command(sys.executable, places.bundle)
        restorer = group.start("the restorer", command, places.log("restore"), environment)
        group.finish(restorer)
        print(_last_line(restorer), flush=True)

        _step(f"The app in uWSGI on {LOOPBACK}:{port}")
        places.ini.write_text(_app_ini(places, port))
        command = plan.app_command(server, places.ini)
        group.start("the app", command, places.log("app"), environment)
        _until(group, "the app", lambda: _app_ready(url))

        _step("Scores over HTTP")
        _show_scores(url, manifest)
        claim(url)
        print(_farewell(url, time.monotonic() - started, places), flush=True)
        note(port)
        group.watch()


def _app_ini(places: Places, port: int) -> str:
    template = (places.checkout / plan.UWSGI_TEMPLATE).read_text()
    defaults = yaml.safe_load((places.checkout / plan.UWSGI_DEFAULTS).read_text())
    return plan.app_ini(template, defaults, port)


def _step(words: str) -> None:
    print(f"\n== {words}", flush=True)


@contextmanager
def _only_one(places: Places) -> Iterator[Callable[[str], None]]:
    """Hold the state's lock, which the kernel gives back whatever happens."""
    places.state.mkdir(parents=True, exist_ok=True)
    with places.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            where = file.read().strip() or "it is still starting"
            raise ServeError(
                f"this checkout is served already ({where}): end that one with Ctrl-C first"
            ) from None
        file.truncate(0)

        def claim(url: str) -> None:
            file.write(f"{url}, process {os.getpid()}\n")
            file.flush()

        yield claim


def _until(group: Group, name: str, answers: Callable[[], str | None]) -> None:
    """Wait until `answers` has no complaint any more."""
    deadline = time.monotonic() + START_SECONDS
    while (complaint := answers()) is not None:
        group.check()
        if time.monotonic() > deadline:
            raise ServeError(f"{name} is not ready after {START_SECONDS} s: {complaint}")
        time.sleep(0.1)


def _database_answers(port: int) -> str | None:
    try:
        with MongoClient(LOOPBACK, port, serverSelectionTimeoutMS=200) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        return str(error).partition(",")[0]
    return None


def _app_ready(url: str) -> str | None:
    # No proxy of the surroundings stands between this process and its own loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/readyz", timeout=5):
            return None
    except urllib.error.HTTPError as error:
        with error:
            try:
                return str(json.load(error)["error"]["message"])
            except (ValueError, KeyError, TypeError):
                return f"/readyz answers {error.code}"
    except OSError as error:
        return str(error)


def _show_scores(url: str, manifest: Manifest) -> None:
    golden = manifest.golden_outputs
    worst = predict.compare_golden(url, golden, manifest.labels, manifest.model_version)
    print(
        f"model {manifest.model_version} ({manifest.name}): {len(golden.cases)} golden outputs "
        f"match, largest difference {worst:.1e}"
    )
    print_scores([(text, predict.ask(url, text).scores) for text in predict.EXAMPLES])


def _farewell(url: str, seconds: float, places: Places) -> str:
    return (
        f"\nDone in {seconds:.0f} s. The service answers at {url}\nTry next:\n"
        """  curl -d '{"text": "have a nice day"}' -H 'Content-Type: application/json' """
        f"{url}/predict\n"
        f"  tail -f {places.log('app')}\n"
        "Ctrl-C ends all of it."
    )


def _last_line(running: Running) -> str:
    return (running.log.read_text(errors="replace").strip().splitlines() or [""])[-1]


if __name__ == "__main__":
    sys.exit(main())
