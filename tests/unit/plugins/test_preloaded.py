"""Callback `preloaded`: what the process of each task needs is loaded before it is forked."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
CALLBACK = PROJECT / "plugins/callback/preloaded.py"
# Nothing may be loaded from a file once the playbook has started.
PROGRAM = """
import runpy, sys
from ansible.plugins import loader

loader.init_plugin_loader()
callback = runpy.run_path(sys.argv[1])["CallbackModule"]()
if sys.argv[2] == "started":
    callback.v2_playbook_on_start(None)

def refuse(*arguments, **more):
    raise SystemExit("loaded from a file")

loader.PluginLoader._load_module_source = refuse
kind, name = sys.argv[3:]
plugins = getattr(loader, kind + "_loader")
assert plugins.get(name, class_only=kind not in ("filter", "test")) is not None
"""
NEEDED = [
    ("filter", "ansible.builtin.combine"),
    ("test", "ansible.builtin.search"),
    ("connection", "ssh"),
    ("become", "sudo"),
    ("shell", "sh"),
]


def start(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (fixed words, no shell)
        [sys.executable, "-c", PROGRAM, CALLBACK, *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("kind", "name"), NEEDED)
def test_a_started_playbook_has_loaded_it(kind: str, name: str) -> None:
    done = start("started", kind, name)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("kind", "name"), NEEDED)
def test_without_the_callback_it_would_be_loaded_later(kind: str, name: str) -> None:
    assert "loaded from a file" in start("not started", kind, name).stderr


def test_what_is_loaded_is_kept_from_the_garbage_collector() -> None:
    program = PROGRAM.replace(
        "kind, name = sys.argv[3:]", "import gc; print(gc.get_freeze_count())"
    )
    program = program.partition("plugins = ")[0]
    counts = {}
    for words in ("started", "not started"):
        done = subprocess.run(  # noqa: S603 (fixed words, no shell)
            [sys.executable, "-c", program, CALLBACK, words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        counts[words] = int(done.stdout)
    assert counts["not started"] == 0
    assert counts["started"] > 10_000


def test_it_is_enabled() -> None:
    settings = configparser.ConfigParser()
    settings.read(PROJECT / "ansible.cfg")
    assert "preloaded" in settings["defaults"]["callbacks_enabled"].split(", ")
