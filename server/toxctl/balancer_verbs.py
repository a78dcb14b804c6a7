"""`toxctl balancer`: its options, and what it prints. It needs no server.json."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from toxctl import balancer, balancer_state
from toxctl.balancer import Haproxy

__all__ = ["BALANCER", "add_options", "balancer_verb"]

BALANCER = "balancer"
Options = argparse.Namespace
Answer = tuple[dict[str, Any], str]


def add_options(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the verb `balancer` to the command line."""
    verb = add(BALANCER, "show the app hosts behind this balancer, take one out, put it back")
    verb.add_argument(
        "--socket",
        default=balancer.SOCKET,
        metavar="PATH",
        help="of HAProxy's runtime API (default: %(default)s)",
    )
    what = verb.add_subparsers(dest="what", required=True, metavar="WHAT")

    def below(name: str, words: str) -> argparse.ArgumentParser:
        return what.add_parser(name, help=words, description=words, allow_abbrev=False)

    below("status", "show which app hosts get requests")
    hold_out = below("hold-out", "keep an app host without requests until standard input ends")
    ready = below("ready", "put an app host back, and wait until its health check passes")
    for one in (hold_out, ready):
        one.add_argument("host", metavar="HOST", help="its name in the inventory")
    save = below("save", "write the state of the app hosts, for HAProxy's next process")
    save.add_argument("--config", default=balancer_state.CONFIG, metavar="PATH", help="of HAProxy")
    save.add_argument("file", metavar="FILE", help="where HAProxy reads it (server-state-file)")
    below("worker", "show the process that answers")


def balancer_verb(options: Options) -> Answer:
    """Run `toxctl balancer`."""
    haproxy = Haproxy(options.socket)
    if options.what == "status":
        found = balancer.report(haproxy)
        return found, "\n".join(map(_line, found["hosts"])) or "no app host"
    if options.what == "save":
        new = balancer_state.save(haproxy, options.config, options.file)
        return {"new": new}, f"saved; new app hosts: {', '.join(new) or 'none'}"
    if options.what == "worker":
        pid = haproxy.worker()
        return {"pid": pid}, str(pid)
    hold_out = options.what == "hold-out"
    change = balancer.hold_out if hold_out else balancer.put_back
    found = change(haproxy, options.host)
    return found, _line(found)


def _line(host: dict[str, Any]) -> str:
    check = f", check {host['check']}" if host["check"] else ""
    return f"{host['name']:<20} {host['status']}{check}, {host['sessions']} requests run"
