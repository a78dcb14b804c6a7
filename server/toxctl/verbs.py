"""The verbs: from the options of the command line to the modules that do the work."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from toxctl import (
    certificate,
    deploy_lock,
    discard,
    events,
    install,
    keys,
    locks,
    place,
    prune,
    restore,
    run_slot,
    session,
    signals,
    status,
    suggestions,
    text,
    text_of_keys,
    text_of_suggestions,
    tls_config,
    verification,
    verify,
)
from toxctl.audit import Audit
from toxctl.backup_verbs import backup_verb
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.recover import recover
from toxctl.slots import Slots
from toxctl.switch import Pace, activate

__all__ = ["CERTIFICATE", "VERBS", "certificate_verb"]

CERTIFICATE = "certificate"
Options = argparse.Namespace
Answer = tuple[dict[str, Any], str]  # the result, and the same as text


def _status(config: Config, options: Options) -> Answer:
    found = status.report(config, options.quick, options.manifest, options.verify, options.health)
    problem = verification.failure(found.get("verified", []))
    if problem:
        events.text(text.status(found))
        problem.more["report"] = found
        raise problem
    return found, text.status(found)


def _activate(config: Config, options: Options) -> Answer:
    # A lost ssh connection must not leave the switch half done.
    signals.ignore_hangup()
    signals.raise_on_ending()
    slots = Slots(config)
    with locks.activation(config.lock_file):
        recover(slots)
        if options.if_live and slots.live() is None:
            events.say("no model is live yet, nothing to do")
            keys = ("slot", "app", "model", "model_version", "previous")
            return {"changed": False, **dict.fromkeys(keys)}, ""
        watch = config.watch_seconds if options.watch is None else options.watch
        pace = Pace(options.deadline, watch, options.poll)
        release = slots.requested(options.app, options.model)
        return activate(slots, release, pace, options.force), ""


def _recover(config: Config, options: Options) -> Answer:
    signals.ignore_hangup()
    with locks.activation(config.lock_file):
        changed = recover(Slots(config), options.boot)
    if not changed:
        events.say("nothing to recover")
    return {"changed": changed}, ""


def _stop(config: Config, _: Options) -> Answer:
    pid = locks.activation_pid(config.lock_file)
    if pid is None:
        events.say("no activation is running")
    else:
        os.kill(pid, signal.SIGTERM)
        events.say(f"the activation (pid {pid}) returns to the previous release")
    return {"pid": pid}, ""


def _run_slot(config: Config, options: Options) -> Answer:
    try:
        run_slot.run_slot(config, options.slot)
    except (ToxctlError, OSError) as error:
        raise ToxctlError(f"slot {options.slot}: {error}") from None


def _session(config: Config, _: Options) -> Answer:
    return session.hold(config), "the attempt has ended"


def _unlock(config: Config, options: Options) -> Answer:
    found = {"holder": deploy_lock.unlock(config, options.by)}
    return found, text.unlock(found)


def _lock(config: Config, _: Options) -> Answer:
    found = {"holder": deploy_lock.holder_now(config)}
    return found, text.lock(found)


def _history(config: Config, options: Options) -> Answer:
    found = {"attempts": Audit(config).newest(options.n)}
    return found, text.history(found)


def _verify(config: Config, options: Options) -> Answer:
    found = verify.verify(config, options.model, options.app, options.memory, options.complete)
    return found, text.verify(found)


def _place(config: Config, options: Options) -> Answer:
    request = _standard_input()
    if options.plan:
        found = place.plan(config, request, options.dry_run)
        return found, text.plan(found)
    found = place.place(config, request)
    return found, text.place(found)


def _install(config: Config, options: Options) -> Answer:
    found = install.install(config, options.tar, options.sha256)
    return found, text.install(found)


def _discard(config: Config, options: Options) -> Answer:
    if options.model is not None:
        path = config.model_path(options.model)
        removed = discard.discard_release(config, path, config.models_dir)
    elif options.app is not None:
        path = config.app_path(options.app)
        removed = discard.discard_release(config, path, config.releases_dir)
    elif options.dump is not None:
        removed = discard.discard_dump(config, options.dump)
    else:
        removed = discard.discard_upload(config, options.part)
    found = {"removed": removed}
    return found, text.discard(found)


def _restore(config: Config, options: Options) -> Answer:
    if options.check:
        found = restore.check(config, _standard_input())
        return found, text.check(found)
    found = restore.restore(config, options.collection, options.verify)
    return found, f"{options.collection} is restored"


def _prune(config: Config, options: Options) -> Answer:
    wanted = prune.Wanted(
        options.keep,
        options.dry_run,
        options.auto,
        options.session,
        options.named,
        options.leave_collections,
    )
    found = prune.prune(config, wanted)
    return found, text.prune(found)


def _keys(config: Config, options: Options) -> Answer:
    if options.add is not None:
        found = keys.add(config, options.add, options.rate, options.ends)
        return found, text_of_keys.added(found)
    if options.revoke is not None:
        found = {"revoked": keys.revoke(config, options.revoke)}
        return found, text_of_keys.revoked(found)
    if options.export:
        found = {"entries": keys.export(config), "revoked": keys.revoked(config)}
        return found, json.dumps(found["entries"], indent=2)
    if options.take:
        given = _standard_input()
        whole = given if isinstance(given, dict) else {"entries": given, "revoked": []}
        added, skipped = keys.take(config, whole.get("entries"), whole.get("revoked"))
        found = {"added": added, "skipped": skipped}
        return found, text_of_keys.taken(found)
    found = {"keys": keys.entries(config)}
    return found, text_of_keys.table(found)


def _suggestions(config: Config, options: Options) -> Answer:
    if options.export:
        return suggestions.export(config), ""  # the rows are the text
    if options.clear:
        found = suggestions.clear(config)
        return found, text_of_suggestions.cleared(found)
    found = suggestions.report(config)
    return found, text_of_suggestions.report(found)


def certificate_verb(options: Options) -> Answer:
    """Run `toxctl certificate`, which needs no server.json: nginx is installed before it."""
    config = certificate.load(options.settings or tls_config.beside(options.config))
    signals.ignore_hangup()  # a lost connection is no reason to stop half way
    if options.what == "status":
        found = certificate.report(config)
    elif options.what == "place":
        found = certificate.place(config, _standard_input())
    elif options.what == "placeholder":
        found = certificate.placeholder(config)
    else:
        found = certificate.renew(config, options.force, options.new_account)
    return found, text.certificate(found)


def _standard_input() -> Any:
    """Return the JSON value on standard input; ToxctlError, kind `usage`, if it is not JSON."""
    try:
        return json.load(sys.stdin)
    except (ValueError, RecursionError) as error:
        raise ToxctlError(f"standard input is not JSON: {error}", "usage") from None


VERBS: dict[str, Callable[[Config, Options], Answer]] = {
    "activate": _activate,
    "backup": backup_verb,
    "discard": _discard,
    "history": _history,
    "install": _install,
    "keys": _keys,
    "lock": _lock,
    "place": _place,
    "prune": _prune,
    "recover": _recover,
    "restore": _restore,
    "run-slot": _run_slot,
    "session": _session,
    "status": _status,
    "stop": _stop,
    "suggestions": _suggestions,
    "unlock": _unlock,
    "verify": _verify,
}
