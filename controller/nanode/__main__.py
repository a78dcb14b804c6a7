"""`python -m controller.nanode`: create, destroy and check the local Nanode."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from controller.nanode import NanodeError, NoContainerError, centos7
from controller.nanode.host import find_engine, inspect_host
from controller.nanode.image import ensure_image
from controller.nanode.instance import create, destroy, recorded

CHECKOUT = Path(__file__).resolve().parents[2]
NO_CONTAINER = 3
SYSTEMS = ("debian12", "centos7")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors are one line on standard error and exit code 1.

    `check` says on standard output why no container can run here, with exit code 3.
    """
    parser = argparse.ArgumentParser(prog="python -m controller.nanode", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("create", "start it, or find it running"),
        ("url", "print where its service answers"),
        ("destroy", "remove it"),
        ("check", "say whether a container can run here (exit code 3: no, and why)"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--name", default="nanode", help="its name in the inventory")
        command.add_argument("--state", type=Path, help="directory of its key and records")
        command.add_argument("--inventory", type=Path, help="inventory file to write")
        if name in ("create", "check"):
            command.add_argument("--system", choices=SYSTEMS, default=SYSTEMS[0])
            command.add_argument("--image", help="an image that is here, instead of making one")
        if name == "create":
            command.add_argument(
                "--volume",
                action="append",
                default=[],
                metavar="HOST:CONTAINER[:OPTIONS]",
                help="a directory of this host that it sees; may be given again",
            )
    asked = parser.parse_args(arguments)
    state = (asked.state or CHECKOUT / ".nanode" / asked.name).absolute()
    inventory = (asked.inventory or CHECKOUT / "inventory/local/nanode.yml").absolute()
    try:
        if asked.command == "url":
            print(f"http://127.0.0.1:{recorded(state).http_port}")
            return 0
        host = inspect_host()
        engine = find_engine(host, os.environ.get("NANODE_ENGINE"))
        if asked.command in ("check", "create") and asked.system == "centos7":
            centos7.require_cgroup_v1(host)
            image = centos7.ensure_image(
                engine, asked.image, _say if asked.command == "create" else _say_aside
            )
        if asked.command == "check":
            print(f"Yes, with {engine.name}.")
            return 0
        if asked.command == "destroy":
            places = {"name": asked.name, "checkout": CHECKOUT, "state": state}
            removed = destroy(engine, inventory=inventory, **places)
            print("Removed " + ", ".join(removed) if removed else "Nothing to remove.")
            return 0
        say = _say
        if asked.system == "debian12":
            image = asked.image or ensure_image(engine, say)
        create(
            engine,
            host,
            image,
            name=asked.name,
            checkout=CHECKOUT,
            state=state,
            inventory=inventory,
            say=say,
            volumes=tuple(asked.volume),
            capabilities=centos7.CAPABILITIES if asked.system == "centos7" else (),
        )
    except NoContainerError as error:
        if asked.command == "check":
            print(error.reason)
        else:
            print(f"nanode: {error}", file=sys.stderr)
        return NO_CONTAINER
    except NanodeError as error:
        print(f"nanode: {error}", file=sys.stderr)
        return 1
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _say_aside(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
