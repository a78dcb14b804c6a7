"""Programs of this host that fail: one line with a command that can be pasted."""

from __future__ import annotations

import shlex
import sys

import pytest

from controller.nanode import NanodeError, run


def test_the_command_that_failed_is_quoted_for_a_shell() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no room')"]
    with pytest.raises(NanodeError, match=r"^the image was not built: no room: try `") as caught:
        run.must(command, "the image was not built")
    assert shlex.split(str(caught.value).split("`")[1]) == command
