"""Module `mongodb_feature_version` asks a database over the wire; here SecantusDB."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from module_run import run_module

run = partial(run_module, "mongodb_feature_version")


def test_another_series_than_the_packages_is_refused(server):
    answer = run(version="4.0", port=urlsplit(server.uri).port)
    assert answer["failed"]
    assert "is running where the package of 4.0 is installed" in str(answer["msg"])


def test_a_database_that_refuses_the_command_fails_with_its_words(server):
    """SecantusDB is of 8.2 with data of 7.0, and cannot raise it."""
    answer = run(version="8.2", port=urlsplit(server.uri).port)
    assert answer["failed"]
    assert "no such command" in str(answer["msg"])
    assert run(version="8.2", port=urlsplit(server.uri).port, _ansible_check_mode=True) == {
        "changed": True,
        "before": "7.0",
        "running": "8.2",
        "invocation": answer["invocation"],
    }
