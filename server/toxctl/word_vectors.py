"""The database's collections of word vectors, as the app's own module lists and drops them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

from toxctl import damage, events, files, programs
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.manifest import collection_of, path_of
from toxctl.protection import Protection
from toxctl.releases import app_for_modules
from toxctl.slots import Slots

__all__ = ["drop_unused", "remaining", "short", "why_kept"]

COLLECTIONS_SECONDS = 300.0


def short(collection: str) -> str:
    """Return the collection's name without its database."""
    return collection.partition(".")[2]


def remaining(config: Config, gone: Collection[str]) -> list[str] | None:
    """Return the collections that manifests still name; None if one is missing or cannot be read.

    Args:
        gone: directories that do not count any more.
    """
    if not (os.path.lexists(Slots(config).confirmed_file) or _complete_models(config)):
        # As a new app host of a cluster, whose database other hosts serve from.
        events.say("no model is installed, so no collection is dropped")
        return None
    protection, damaged = Protection(config), damage.known(config)
    for path in protection.gone():
        events.say(f"{path} is in use and missing, so no collection is dropped")
        return None
    names = set()
    for directory in (config.models_dir, config.dumps_dir):
        for path in files.directories(directory):
            manifest = path_of(path)
            is_upload = not files.is_complete(path) and not os.path.lexists(manifest)
            if path in gone or (is_upload and not protection.why(path)):
                continue
            collection = collection_of(files.read_json(manifest))
            if collection is None or "manifest.json" in damaged.get(path, ""):
                words = "is damaged" if collection else "cannot be read"
                events.say(f"{manifest} {words}, so no collection is dropped")
                return None
            names.add(short(collection))
    return sorted(names)


def _complete_models(config: Config) -> list[str]:
    return [path for path in files.directories(config.models_dir) if files.is_complete(path)]


def drop_unused(
    config: Config,
    named: Sequence[str] | None,
    only: Sequence[str] | None,
    keep_young: float,
    drop: bool,
) -> list[dict[str, Any]]:
    """Return the collections, those dropped that nothing names any more.

    Args:
        named: those that stay; None if that is not known, so that all stay.
        only: those that may be dropped; None for any.
        keep_young: seconds; what was restored since then stays.
        drop: False only reports what would be dropped.
    """
    if named is None or (only is not None and not only):
        return []
    arguments = [word for name in named for word in ("--keep", name)]
    arguments += [word for name in only or [] for word in ("--only", name)]
    arguments += ["--keep-young", f"{keep_young:.0f}", *["--drop"] * drop]
    try:
        app = app_for_modules(config)
        command = programs.module(config, app, "collections", *arguments)
        environment = programs.service_environment(config, app)
        done = programs.run(command, COLLECTIONS_SECONDS, environment)
        answer = programs.json_answer(done)
        if done.returncode:
            raise ToxctlError(str(answer.get("error") or programs.last_line(done)))
    except ToxctlError as error:
        events.say(f"the collections are left as they are: {error}")
        return []
    return list(answer["collections"])


def why_kept(
    name: str, named: Collection[str], elsewhere: Collection[str], only: Collection[str] | None
) -> str:
    """Return why a collection was kept.

    Args:
        name: the collection.
        named: by releases that stay.
        elsewhere: by releases of other app hosts.
        only: those that may be dropped; None for any.
    """
    if name in named:
        return "a release that stays names it"
    if name in elsewhere:
        return "a release of another app host names it"
    if only is not None and name not in only:
        return "only `fab prune` itself checks it"
    return "younger than a day, a deploy may be about to name it"
