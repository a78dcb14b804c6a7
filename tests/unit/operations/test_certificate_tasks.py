"""A run that gets no certificate ends with toxctl's one line, which names the next command."""

from __future__ import annotations

import json

import pytest
from role_tasks import evaluate_assert, task

LINE = "ca gave no certificate: too many; the old one stays: run `fab renew-certificate` again"


def ended(*lines: object, rc: int = 0) -> dict[str, object]:
    """What a call of toxctl leaves."""
    return {"rc": rc, "stdout_lines": [json.dumps(line) for line in lines], "stderr": "Traceback"}


@pytest.mark.parametrize(
    ("name", "registered"),
    [
        ("Require a certificate of the authority", "__tls_issued"),
        ("Require a certificate", "__tls_made"),
        ("Require a certificate", "__tls_placed"),
    ],
)
def test_a_missing_certificate_is_one_line(name: str, registered: str) -> None:
    values = {"ansible_check_mode": False, "__tls_renewed": registered == "__tls_made"}
    one = task("tls", name)
    good = ended({"say": "a"}, {"result": {"changed": True}})
    assert evaluate_assert(one, {**values, registered: good}).passed
    bad = evaluate_assert(one, {**values, registered: ended({"error": LINE}, rc=1)})
    assert (bad.passed, bad.message) == (False, LINE)
    silent = evaluate_assert(one, {**values, registered: ended(rc=2)})
    assert (silent.passed, silent.message) == (False, "Traceback")
    assert not evaluate_assert(one, {**values, "ansible_check_mode": True, registered: {}}).ran
