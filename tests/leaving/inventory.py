"""The inventory of scripts/test-leaving, and the account on the storage host that it names.

Usage: python tests/leaving/inventory.py
"""

from __future__ import annotations

import json
import secrets
import subprocess

from leaving_hosts import MINE, WORK, run

from controller.deploy.paths import ROOT

USER = "keeper"
# An account without a shell, whose key opens SFTP and nothing else.
ACCOUNT = f"""
useradd --create-home --shell /usr/sbin/nologin {USER}
install -d -m 0700 -o {USER} -g {USER} /home/{USER}/.ssh
printf '%s\\n' "$1" > /home/{USER}/.ssh/authorized_keys
chown {USER}:{USER} /home/{USER}/.ssh/authorized_keys
printf 'Match User {USER}\\n    ForceCommand internal-sftp\\n' > /etc/ssh/sshd_config.d/backups.conf
systemctl restart ssh
"""


def main() -> None:
    """Make the account and the inventory."""
    key, storage = WORK / "backup_key", WORK / "storage.yml"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "backups", "-f", str(key)]
    subprocess.run(words, check=True)  # noqa: S603 (words of the tests)
    run(storage, ACCOUNT, key.with_suffix(".pub").read_text(encoding="utf-8").strip())
    address = run(storage, "hostname -I").split()[0]
    kind, blob = run(storage, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    local = (ROOT / "inventory/local/group_vars/tox_com_det.yml").read_text(encoding="utf-8")
    own = {
        "flask_app_perspective_store_suggestions": True,
        "backup_repository": f"sftp:{USER}@{address}:toxic",
        "backup_password": secrets.token_hex(16),
        "backup_ssh_private_key": key.read_text(encoding="utf-8"),
        "backup_ssh_known_hosts": [f"{address} {kind} {blob}"],
    }
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in own.items()]
    kept = local.partition("# On the same disk")[0]
    (MINE / "group_vars/tox_com_det.yml").write_text(kept + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
