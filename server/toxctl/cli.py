"""The command line of toxctl: its verbs, their options, and how they end."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from toxctl import advice, backup_verbs, balancer_verbs, config, events, health_verb
from toxctl.errors import Interrupted, ToxctlError
from toxctl.verbs import CERTIFICATE, VERBS, certificate_verb
from toxctl.version import __version__
from toxctl.watch import POLL_SECONDS

__all__ = ["main", "parser"]

Add = Callable[[str, str], argparse.ArgumentParser]


def parser() -> argparse.ArgumentParser:
    """Return the form of the command line."""
    top = argparse.ArgumentParser(
        prog="toxctl",
        description="Switch, verify, install and prune the releases of tox_com_det on this server.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"toxctl {__version__}")
    top.add_argument(
        "--config", default=config.DEFAULT_PATH, help="server.json to read (default: %(default)s)"
    )
    top.add_argument("--json", action="store_true", help="print one JSON object a line")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add(name: str, words: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=words, description=words, allow_abbrev=False)

    _add_switching(add)
    _add_session(add)
    _add_releases(add)
    _add_keys(add)
    _add_suggestions(add)
    _add_certificate(add)
    backup_verbs.add_options(add)
    balancer_verbs.add_options(add)
    health_verb.add_options(add)
    return top


def _add_switching(add: Add) -> None:
    status = add("status", "show what is live, the slots and the installed releases")
    status.add_argument("--quick", action="store_true", help="no /readyz, no sizes, no releases")
    status.add_argument("--manifest", action="store_true", help="include the live model's manifest")
    status.add_argument("--health", action="store_true", help="include what `fab doctor` judges")
    status.add_argument(
        "--verify", action="store_true", help="compare the files of all releases; 1 if one differs"
    )

    activate = add("activate", "start a release in the idle slot, prove it, then switch to it")
    activate.add_argument("--model", metavar="MODEL", help="path or name (default: the live model)")
    activate.add_argument(
        "--app", metavar="APP", help="path or name (default: the live app, else app_link's)"
    )
    activate.add_argument("--if-live", action="store_true", help="do nothing if no model is live")
    activate.add_argument("--force", action="store_true", help="switch even if it is live already")
    activate.add_argument(
        "--deadline", type=float, default=60.0, help="seconds to become ready (default: 60)"
    )
    activate.add_argument(
        "--watch", type=float, help="seconds to watch after the switch (default: server.json's)"
    )
    activate.add_argument(
        "--poll", type=float, default=POLL_SECONDS, help="seconds between two checks"
    )

    recover = add("recover", "return to the release that was confirmed last")
    recover.add_argument("--boot", action="store_true", help="wait for no job of systemd")

    add("stop", "make the running activation return to the previous release")

    run_slot = add("run-slot", "become the application server of a slot (systemd calls this)")
    run_slot.add_argument("slot", metavar="SLOT")


def _add_session(add: Add) -> None:
    add("session", "hold the deploy lock and write the audit log while lines come in on stdin")
    unlock = add("unlock", "end the session that holds the deploy lock")
    unlock.add_argument("--by", required=True, metavar="WHO", help="who asks, for the audit log")
    add("lock", "show who holds the deploy lock")
    history = add("history", "show the last attempts of the audit log")
    history.add_argument("-n", type=int, default=10, help="how many (default: %(default)s)")


def _add_releases(add: Add) -> None:
    verify = add("verify", "load a model beside the live one and compare its golden outputs")
    verify.add_argument("--model", required=True, metavar="MODEL", help="path or name")
    verify.add_argument("--app", metavar="APP", help="path or name (default: the live app)")
    verify.add_argument("--memory", type=int, metavar="BYTES", help="limit instead of memory_max")
    verify.add_argument(
        "--complete", action="store_true", help="mark the model as complete once it is verified"
    )

    place = add("place", "put uploaded files into a model's release or a dump (JSON on stdin)")
    place.add_argument("--plan", action="store_true", help="report what is already on the server")
    place.add_argument("--dry-run", action="store_true", help="with --plan: create nothing")

    install = add("install", "install a release of the app from its tar")
    install.add_argument("tar", metavar="TAR")
    install.add_argument("--sha256", required=True, metavar="HEX", help="of the tar")

    discard = add("discard", "remove an incomplete release, a dump or an upload")
    what = discard.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", metavar="MODEL", help="path or name")
    what.add_argument("--app", metavar="APP", help="path or name")
    what.add_argument("--dump", metavar="COLLECTION")
    what.add_argument("--part", metavar="PATH", help="an upload below incoming_dir")

    restore = add("restore", "restore word vectors into the database")
    how = restore.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--check",
        action="store_true",
        help="only report whether the vectors of the manifest on stdin are restored",
    )
    how.add_argument("--collection", metavar="NAME", help="restore the dump of this name")
    restore.add_argument(
        "--verify",
        action="store_true",
        help="compare every word also of restored vectors, and repair what differs",
    )

    prune = add("prune", "remove releases, uploads and collections that are no longer needed")
    prune.add_argument(
        "--keep", type=int, metavar="N", help="of each kind (default: server.json's)"
    )
    prune.add_argument("--dry-run", action="store_true", help="only report what would be removed")
    prune.add_argument("--auto", action="store_true", help="only collections of removed models")
    prune.add_argument("--session", metavar="ID", help="as part of the session that holds the lock")
    whose = prune.add_mutually_exclusive_group()
    whose.add_argument(
        "--named",
        action="append",
        default=[],
        metavar="COLLECTION",
        help="a release of another app host names it, so it stays (repeatable)",
    )
    whose.add_argument("--leave-collections", action="store_true", help="drop no collection")


def _add_keys(add: Add) -> None:
    keys = add("keys", "list the API keys, add one, or revoke one")
    what = keys.add_mutually_exclusive_group()
    what.add_argument("--add", metavar="NAME", help="print a new key, which is shown only once")
    what.add_argument("--revoke", metavar="KEY", help="its identifier or its name")
    what.add_argument("--export", action="store_true", help="print the entries with their hashes")
    what.add_argument(
        "--import", dest="take", action="store_true", help="add exported entries (JSON on stdin)"
    )
    keys.add_argument("--rate", type=int, metavar="N", help="with --add: requests per second")
    keys.add_argument("--ends", metavar="DATE", help="with --add: last day, such as 2027-01-31")


def _add_suggestions(add: Add) -> None:
    suggestions = add("suggestions", "count the suggested scores that are stored")
    what = suggestions.add_mutually_exclusive_group()
    what.add_argument("--export", action="store_true", help="print all of them as CSV")
    what.add_argument("--clear", action="store_true", help="remove all of them")


def _add_certificate(add: Add) -> None:
    certificate = add(CERTIFICATE, "show, renew or replace the certificate that nginx serves")
    certificate.add_argument(
        "--settings", metavar="PATH", help="tls.json to read (default: the one beside server.json)"
    )
    what = certificate.add_subparsers(dest="what", required=True, metavar="WHAT")

    def below(name: str, words: str) -> argparse.ArgumentParser:
        return what.add_parser(name, help=words, description=words, allow_abbrev=False)

    below("status", "show its names, its end and the share of its life that is left")
    renew = below("renew", "get a new one if it is due, and serve it from the next connection on")
    renew.add_argument("--force", action="store_true", help="also if it is not due")
    renew.add_argument(
        "--new-account", action="store_true", help="get a new one with a new account"
    )
    below("place", "serve the certificate and the key that come in as JSON on stdin")
    below("placeholder", "make a self-signed one if there is none at all")


def main(arguments: list[str] | None = None) -> int:
    """Run a verb; return 0 if it succeeded, 1 if it failed. Wrong usage exits with 2."""
    top = parser()
    options = top.parse_args(arguments)
    if getattr(options, "keep", None) is not None and options.keep < 1:
        top.error("--keep must be 1 or more")
    if options.verb == "keys" and options.add is None and (options.rate or options.ends):
        top.error("--rate and --ends are for --add")
    if options.verb == "restore" and options.check and options.verify:
        top.error("--verify is for --collection")
    events.start(options.json)
    if options.verb != "run-slot":  # a slot keeps its unit's
        os.umask(0o022)  # what is placed and installed must be readable for the service
    try:
        if options.verb == CERTIFICATE:
            value, text = certificate_verb(options)
        elif options.verb == balancer_verbs.BALANCER:
            value, text = balancer_verbs.balancer_verb(options)
        elif options.verb == health_verb.HEALTH:
            value, text = health_verb.health_verb()
        else:
            value, text = VERBS[options.verb](config.load(options.config), options)
    except ToxctlError as error:
        problem = advice.with_step(error)
    except (Interrupted, KeyboardInterrupt) as error:
        problem = ToxctlError(str(error) or "interrupted by SIGINT", "interrupted")
    except OSError as error:
        problem = advice.of_system(error)
    else:
        events.result(value, text)
        return 0
    if options.verb == "activate":
        problem.more.setdefault("back_seconds", None)
    events.error(problem)
    return 1
