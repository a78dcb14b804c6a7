"""What the fuzz tests share: how many examples, and values of every wrong kind.

The examples are the same in each run. FUZZ_FACTOR=50 tries 50 times as many, others in each run:
`scripts/test-fuzz`.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
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


# Without surrogates: a command line cannot hold them, a file can ("\\ud800" in JSON).
TEXT = st.text(max_size=20) | st.sampled_from(
    [
        "",
        " ",
        "\n",
        "\0",
        "\x1b[31m",
        "a\nb",
        "{{ 7 * 7 }}",
        "{{ nowhere }}",
        "{% raw %}",
        "{{",
        "%n",
        "%x\ny = 1",
        "::1%x\ny = 1",
        "$(reboot)",
        "'; reboot; '",
        "-x",
        "--",
        "../../etc/passwd",
        "/",
        "\u00a0",
        "\u202e",
        "😀",
        "a" * 3000,
        "9" * 5000,
        "nan",
        "1e400",
        "-1",
        "0",
        "true",
        "null",
    ]
)
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
