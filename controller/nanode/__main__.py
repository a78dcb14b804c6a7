"""`python -m controller.nanode`: create and destroy the local Nanode, and what that needs."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.deploy.build_lock import build_lock
from controller.nanode import NanodeError, NoContainerError, registry
from controller.nanode.arch import ARCH
from controller.nanode.centos7 import CENTOS7
from controller.nanode.el9 import EL9
from controller.nanode.engine import Engine, find_engine
from controller.nanode.host import Host, inspect_host
from controller.nanode.image import SUITES, ensure_image
from controller.nanode.instance import Files, find_recorded, recorded
from controller.nanode.lifecycle import LOCAL_NANODE, create, destroy, require_same_system
from controller.ports import LOOPBACK

CHECKOUT = Path(__file__).resolve().parents[2]
NO_CONTAINER = 3
INTERRUPTED = 128 + signal.SIGINT
REGISTRY_SYSTEMS = {system.name: system for system in (CENTOS7, EL9, ARCH)}
SYSTEMS = (*SUITES, *REGISTRY_SYSTEMS)
SYSTEM_VARIABLE = "NANODE_SYSTEM"
COMMANDS = {
    "image": "build the image that `create` starts, if this host does not have it yet",
    "create": "start the local Nanode, or leave it as it is if it is running",
    "url": "print the address of its service",
    "destroy": "remove it",
    "check": "say whether a container can run on this host; exit code 3: no, and why",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors are one line on standard error.

    Returns:
        The exit code: 0, 1 for an error, 3 if no container can run on this host, for which `check`
        prints the reason on standard output, 130 for an interrupt.
    """
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except NoContainerError as error:
        if options.command == "check":
            print(error.reason)
        else:
            print(f"nanode: {error}", file=sys.stderr)
        return NO_CONTAINER
    except NanodeError as error:
        print(f"nanode: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nanode: interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"nanode: {where}{error.strerror or error}: make the checkout writable and the disk "
            f"not full, then rerun 'python -m controller.nanode {options.command}'",
            file=sys.stderr,
        )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m controller.nanode", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--name", default=LOCAL_NANODE, help="its name in the inventory")
        command.add_argument("--state", type=Path, help="directory of its key and its record")
        command.add_argument("--inventory", type=Path, help="inventory file to write")
        if name in ("image", "create", "check"):
            command.add_argument(
                "--system",
                choices=SYSTEMS,
                help=f"default: {SYSTEM_VARIABLE}, that of an existing Nanode, or {SYSTEMS[0]}",
            )
            command.add_argument("--image", help="use this image instead of building one")
        if name in ("create", "destroy"):
            command.add_argument("--network", help="a network of the engine, made and removed too")
        if name == "create":
            command.add_argument(
                "--volume",
                action="append",
                default=[],
                metavar="HOST:CONTAINER[:OPTIONS]",
                help="a directory of this host for the container; can be repeated",
            )
    return parser


def _run(options: argparse.Namespace) -> None:
    files = Files(
        CHECKOUT,
        (options.state or CHECKOUT / ".nanode" / options.name).absolute(),
        (options.inventory or CHECKOUT / "inventory/local/nanode.yml").absolute(),
    )
    if options.command == "url":
        print(f"http://{LOOPBACK}:{recorded(files.state).http_port}")
        return
    system = _system(options, files)
    # `make test` starts several at once: one of them installs the engine, builds the image, and one
    # after the other takes a free port.
    with build_lock(CHECKOUT / ".nanode/host"):
        _run_alone(options, files, system)


def _run_alone(options: argparse.Namespace, files: Files, system: str) -> None:
    host = inspect_host()
    engine = find_engine(host, os.environ.get("NANODE_ENGINE"))
    if options.command == "check":
        _check(engine, host, system, options)
    elif options.command == "destroy":
        removed = destroy(engine, name=options.name, files=files, network=options.network)
        print("Removed " + ", ".join(removed) if removed else "Nothing to remove.")
    elif options.command == "image":
        print(_image(engine, host, system, options))
    else:
        _create(engine, host, files, system, options)


def _system(options: argparse.Namespace, files: Files) -> str:
    """The requested system; without one, that of the existing Nanode, or the default."""
    system: str | None = getattr(options, "system", None) or os.environ.get(SYSTEM_VARIABLE)
    if not system:
        # `check` asks for this host, not for a Nanode that may be there.
        found = find_recorded(files.state) if options.command in ("create", "image") else None
        return found.system if found else SYSTEMS[0]
    if system not in SYSTEMS:
        raise NanodeError(f"{SYSTEM_VARIABLE}={system}: use one of {', '.join(SYSTEMS)}")
    return system


def _image(engine: Engine, host: Host, system: str, options: argparse.Namespace) -> str:
    """The name of the system's image, which is built or pulled if it is not there."""
    if wanted := REGISTRY_SYSTEMS.get(system):
        wanted.require_host(host)
        return registry.ensure_image(wanted, engine, options.image, _say_on_standard_error)
    return options.image or ensure_image(engine, system, _say_on_standard_error)


def _check(engine: Engine, host: Host, system: str, options: argparse.Namespace) -> None:
    if system in REGISTRY_SYSTEMS:
        _image(engine, host, system, options)
    print(f"Yes, with {engine.name}.")


def _create(
    engine: Engine, host: Host, files: Files, system: str, options: argparse.Namespace
) -> None:
    require_same_system(files, system)
    wanted = REGISTRY_SYSTEMS.get(system)
    create(
        engine,
        host,
        _image(engine, host, system, options),
        system=system,
        name=options.name,
        files=files,
        say=_say,
        volumes=tuple(options.volume),
        capabilities=wanted.capabilities if wanted else (),
        network=options.network,
    )


def _say(line: str) -> None:
    print(line, flush=True)


def _say_on_standard_error(line: str) -> None:
    """Standard output is for the answer."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    # A shell ignores Ctrl-C for what it starts in the background, as scripts/up does.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
