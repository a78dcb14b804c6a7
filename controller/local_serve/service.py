"""Start the service step by step, show scores, then watch its processes."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import yaml

from controller.deploy import predict
from controller.deploy.model_builder import model_files
from controller.local_serve import ServeError, plan
from controller.local_serve.plan import Places
from controller.local_serve.processes import Group
from controller.local_serve.readiness import app_problem, database_problem, wait_for
from controller.local_serve.state_lock import state_lock
from controller.model_build.build import build
from controller.ports import LOOPBACK, PortError, any_free, listen
from controller.progress import print_scores
from tox_com_det.model.manifest import Manifest

NO_DATABASE = (
    "run 'make venv' again; its wheel is for Linux on x86_64 only, use 'make up' on other systems"
)


def serve(places: Places, started: Callable[[str], None]) -> NoReturn:
    """Start everything and watch it; no process is left behind.

    Args:
        places: where everything is.
        started: takes the address once the service runs.

    Raises:
        ServeError: a program is missing, a port is in use, or a process does not start or exits.
        BuildError: the bundle cannot be built.
        DeployError: the service returned wrong scores.
        Stopped: a signal arrived.
    """
    begin = time.monotonic()
    database = plan.program(("secantusd-rs",), NO_DATABASE)
    server = plan.program(("uwsgi", "pyuwsgi"), "run 'make venv' again")
    # Listened on from here on: a service of another checkout that starts now chooses another port.
    with state_lock(places) as announce, _listen() as listener, Group() as group:
        port = listener.getsockname()[1]
        url = f"http://{LOOPBACK}:{port}"

        _step("Building the bundle of the sample model")
        model, index = model_files(None, None)
        build(model, index, places.bundle)
        manifest = Manifest.load(places.bundle / "manifest.json")

        database_port = any_free()
        _step(f"Starting the database, SecantusDB on {LOOPBACK}:{database_port}")
        places.database.mkdir(parents=True, exist_ok=True)
        environment = plan.environment(os.environ, places, database_port)
        group.start(
            "the database",
            plan.database_command(database, database_port, places.database),
            places.log("database"),
            environment,
        )
        wait_for(group, "the database", lambda: database_problem(database_port))

        _step("Restoring the word vectors")
        command = plan.restore_command(sys.executable, places.bundle)
        restore = group.start("the restore", command, places.log("restore"), environment)
        group.finish(restore)
        print(restore.last_line(), flush=True)

        _step(f"Starting the app in uWSGI on {LOOPBACK}:{port}")
        places.ini.write_text(_app_ini(places, listener.fileno()))
        command = plan.app_command(server, places.ini)
        inherited = [listener.fileno()]
        group.start("the app", command, places.log("app"), environment, inherited)
        listener.close()
        wait_for(group, "the app", lambda: app_problem(url))

        _step("Scoring comments over HTTP")
        _show_scores(url, manifest)
        announce(url)
        # First: whoever reads the summary may send the signal at once.
        started(url)
        print(_summary(url, time.monotonic() - begin, places), flush=True)
        group.watch()


def _listen() -> socket.socket:
    try:
        requested = os.environ.get(plan.PORT_VARIABLE)
        return listen(plan.PORT_VARIABLE, requested, plan.PREFERRED_PORT)
    except PortError as error:
        raise ServeError(str(error)) from None


def _app_ini(places: Places, listener: int) -> str:
    template = (places.checkout / plan.UWSGI_TEMPLATE).read_text()
    defaults = yaml.safe_load((places.checkout / plan.UWSGI_DEFAULTS).read_text())
    return plan.app_ini(template, defaults, listener)


def _step(title: str) -> None:
    print(f"\n== {title}", flush=True)


def _show_scores(url: str, manifest: Manifest) -> None:
    golden = manifest.golden_outputs
    worst = predict.compare_golden(url, golden, manifest.labels, manifest.model_version)
    print(
        f"model {manifest.model_version} ({manifest.name}): {len(golden.cases)} golden outputs "
        f"match, largest difference {worst:.1e}"
    )
    print_scores([(text, predict.ask(url, text).scores) for text in predict.EXAMPLES])


def _summary(url: str, seconds: float, places: Places) -> str:
    return (
        f"\nDone in {seconds:.0f} s. The service runs at {url}\nTry next:\n"
        """  curl -d '{"text": "have a nice day"}' -H 'Content-Type: application/json' """
        f"{url}/predict\n"
        f"  tail -f {places.log('app')}\n"
        "Press Ctrl-C to stop it."
    )
