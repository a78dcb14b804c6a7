"""Serves the stand-in of Linode's API whose server is a local Nanode: scripts/test-create-server.

Usage: python tests/linode/linode_nanode.py NAME FILE

NAME is that of a Nanode that runs already and was never logged in to. What cloud-init and Linode do
on a new server is done through the container engine: authorized_keys and the host key. The address
of the API is written to FILE; it is served until the process is ended.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))

from linode_account import Account  # noqa: E402 (the paths above come first)
from linode_standin import StandIn, serving  # noqa: E402
from ssh_standin import cloud_config  # noqa: E402

from controller.nanode.engine import find_engine  # noqa: E402
from controller.nanode.host import inspect_host  # noqa: E402
from controller.nanode.instance import recorded  # noqa: E402
from controller.nanode.run import must  # noqa: E402

SET_UP = """
set -eu
umask 077
cd /etc/ssh
rm -f ssh_host_*
cat > ssh_host_ed25519_key
ssh-keygen -y -f ssh_host_ed25519_key > ssh_host_ed25519_key.pub
mkdir -p /root/.ssh
printf '%s\\n' "$1" > /root/.ssh/authorized_keys
systemctl restart ssh
"""


def boot(name: str, request: dict, user_data: str) -> str:
    """Do what a new server does when it boots for the first time; returns its address."""
    container = recorded(PROJECT / ".nanode" / name).container
    engine = find_engine(inspect_host(), os.environ.get("NANODE_ENGINE"))
    key = cloud_config(user_data)["ssh_keys"]["ed25519_private"]
    (authorized,) = request["authorized_keys"]
    shell = ("sh", "-c", SET_UP, "sh", authorized)
    command = engine.command("exec", "--interactive", container, *shell)
    must(command, f"{container} takes no host key", stdin=key)
    query = ("container", "inspect", "--format={{.NetworkSettings.IPAddress}}", container)
    return must(engine.command(*query), f"{container} has no address").strip()


def main(name: str, file: Path) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    account = Account(machine=lambda request, data: boot(name, request, data), looks=2)
    account.add_domain("example.org")
    with serving(StandIn(account)) as standin:
        beside = file.with_suffix(".new")
        beside.write_text(standin.url)
        beside.replace(file)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(sys.argv[1], Path(sys.argv[2]))
