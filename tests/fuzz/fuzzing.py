"""What the fuzz tests share: how many examples, and values of every wrong kind.

The examples are the same in each run. FUZZ_FACTOR=50 tries 50 times as many, others in each run:
`scripts/test-fuzz`.
"""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))
LONGEST = 1500  # characters of a message


def fuzz(examples: int) -> settings:
    """Settings of a test with that many examples in the usual run; no limit on time."""
    return settings(
        max_examples=examples * FACTOR,
        deadline=None,
        derandomize=FACTOR == 1,
        database=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


# Texts that a program may take for something else, by kind.
KINDS: dict[str, tuple[str, ...]] = {
    "control": ("\n", "\0", "\x1b[31m", "a\nb", "%x\ny = 1", "::1%x\ny = 1", "\r\nX: y"),
    "template": ("{{ 7 * 7 }}", "{{ nowhere }}", "{% raw %}", "{{", "${HOME}", "%n", "%(here)s"),
    "shell": ("$(reboot)", "'; reboot; '", "`reboot`", "a b", "*", "~nobody_here/x", "&& x"),
    "option": ("-x", "--", "--help", "-1", "=", "--dry-run"),
    "path": ("../../etc/passwd", "/", ".", "/dev/null", "/etc/shadow/x", "a/../b", "file:///x"),
    "unicode": ("\u00a0", "\u202e", "\U0001f600", "\u00b2", "\uff11", "e\u0301", "\u0130"),
    "huge": ("a" * 3000, "9" * 5000, "../" * 900, "\U0001f600" * 300, "a," * 1000, "[" * 2000),
    "other type": ("nan", "1e400", "0", "true", "null", "[]", "{}", "", " ", "http://["),
}
# Without surrogates: a command line cannot hold them, a file can ("\\ud800" in JSON).
TEXT = st.text(max_size=20) | st.sampled_from([one for kind in KINDS.values() for one in kind])
SCALAR: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 0, 2**31, 2**63, float("nan"), float("inf")])
    | st.floats()
    | TEXT
)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


def number_of(name: str) -> int:
    """A number of a name, the same in each run."""
    return zlib.crc32(name.encode())


def one_of_each_kind(name: str) -> list[str]:
    """Texts of each kind but one, which ones differs by name; in a long run all of them."""
    if FACTOR > 1:
        return [one for kind in KINDS.values() for one in kind]
    chosen = random.Random(number_of(name))  # noqa: S311 (not a secret)
    # Every option gets the others.
    left = chosen.choice(["control", "other type"])
    return [chosen.choice(texts) for kind, texts in KINDS.items() if kind != left]


def tried(
    name: str,
    examples: int,
    run: Callable[..., None],
    *values: st.SearchStrategy[Any],
    also: tuple[str, ...] = (),
) -> None:
    """Run a test with that many examples of its own.

    Hypothesis chooses them by the source of the test: without the name, all cases of a test with
    parameters would get the same ones. `also`: texts that are tried before them.
    """
    test = given(*values)(run)
    for one in also:
        test = example(one)(test)
    if FACTOR == 1:
        test = seed(number_of(name))(test)
    fuzz(examples)(test)()


def is_one_line(text: str) -> bool:
    """Whether a message is one line that is not too long, without control characters."""
    return len(text.splitlines()) == 1 and len(text) <= LONGEST and "Traceback" not in text


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in parsed JSON, the outermost first."""
    if not isinstance(value, (dict, list)):
        return [path]
    below = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(found for key, one in below for found in paths_of(one, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of parsed JSON with another value at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy
