"""The user's own programs, run on the laptop before and after each phase of an attempt.

Executables named `before-upload`, `after-confirm` and so on, in the directory that the inventory
names with `deploy_hooks_dir`. Any exit code but 0 stops the attempt.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.deploy.errors import DeployError

__all__ = ["MOMENTS", "PHASES", "HookError", "Hooks"]

PHASES = ("prepare", "upload", "verify", "activate", "confirm", "clean")
MOMENTS = ("before", "after")


class HookError(DeployError):
    """A hook failed, or could not be run."""


@dataclass(frozen=True)
class Hooks:
    """The hooks of one attempt; none if `directory` is None."""

    directory: Path | None
    task: str
    host: str
    release: str
    url: str

    def names(self) -> list[str]:
        """Return the names of the hooks in the directory, in the order of the phases.

        Raises HookError: no such directory, a hook for an unknown phase, one that is not
        executable.
        """
        if self.directory is None:
            return []
        try:
            found = {path.name for path in self.directory.iterdir()}
        except OSError as error:
            raise HookError(
                f"the hooks directory {self.directory} cannot be read ({error.strerror}): "
                "check deploy_hooks_dir in the inventory"
            ) from None
        known = [f"{moment}-{phase}" for phase in PHASES for moment in MOMENTS]
        meant = sorted(name for name in found if name.startswith(("before-", "after-")))
        for name in meant:
            if name not in known:
                raise HookError(
                    f"the hook {self.directory / name} is for an unknown phase: the phases are "
                    f"{', '.join(PHASES)}"
                )
            if not os.access(self.directory / name, os.X_OK):
                raise HookError(
                    f"the hook {self.directory / name} is not executable: run "
                    f"`chmod +x {self.directory / name}`"
                )
        return [name for name in known if name in meant]

    def run(self, moment: str, phase: str, say: Callable[[str], None]) -> None:
        """Run the hook of this moment, if there is one, and say so; HookError if it fails."""
        name = f"{moment}-{phase}"
        if self.directory is None or not (self.directory / name).exists():
            return
        path = self.directory / name
        say(f"hook {name}")
        values = {
            "TASK": self.task,
            "PHASE": phase,
            "HOST": self.host,
            "RELEASE": self.release,
            "URL": self.url,
        }
        variables = {f"TOX_COM_DET_{key}": value for key, value in values.items()}
        try:
            done = subprocess.run(  # noqa: S603 - the user's own program
                [str(path)],
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except OSError as error:
            raise HookError(
                f"the hook {path} cannot be run ({error.strerror}): fix it, then rerun "
                f"`fab {self.task}`"
            ) from None
        if done.returncode:
            raise HookError(
                f"the hook {path} failed with exit code {done.returncode}: see its output above, "
                f"then rerun `fab {self.task}`"
            )
