"""Copies of this checkout with another app: `fab deploy-app` ships the checkout it runs in."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

from controller.deploy.paths import BUILD, ROOT

# Kills its own master process a second after it is live.
FATAL = """

def _end_once_live() -> None:
    import signal
    import time

    mine = f"/run/tox_com_det-{os.environ['TOX_COM_DET_SLOT']}/app.sock"
    while os.readlink("/etc/tox_com_det/live.sock") != mine:
        time.sleep(0.02)
    time.sleep(1)
    os.kill(os.getppid(), signal.SIGKILL)


__import__("threading").Thread(target=_end_once_live, daemon=True).start()
"""


def copied(out: Path, fatal: bool = False) -> Path:
    """A copy whose app has a new version; `fatal`: it crashes once it is live."""
    shutil.rmtree(out, ignore_errors=True)
    # With uncommitted changes: the app as it is in this checkout.
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603 (words of the tests, no shell)
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_symlink() or source.is_file():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, out / name, follow_symlinks=False)
    (out / "build").mkdir()
    (out / "build/wheels").symlink_to(BUILD / "wheels")
    version = out / "app/tox_com_det/version.py"
    line = f'__version__ = "0.2.1.dev{random.SystemRandom().randrange(10**9)}"'
    text = re.sub(r'^__version__ = ".*"$', line, version.read_text(), flags=re.MULTILINE)
    version.write_text(text)
    if fatal:
        wsgi = out / "app/tox_com_det/wsgi.py"
        wsgi.write_text(wsgi.read_text() + FATAL)
    return out
