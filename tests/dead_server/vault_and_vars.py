"""The inventory of scripts/test-dead-server, and the account on the storage host that it names.

Usage: python tests/dead_server/vault_and_vars.py

As a reader of docs/backup.md would write it: settings in vars.yml, secrets in an encrypted
vault.yml, the storage host's key pinned.
"""

from __future__ import annotations

import json
import secrets
import subprocess

from machines import INVENTORY, WORK, Machine

from controller.deploy.paths import ROOT

VARS = INVENTORY / "group_vars" / "tox_com_det"
USER = "keeper"
KEY = WORK / "backup_key"
# A storage host as it should be: an account without a shell, whose key opens SFTP and nothing else.
ACCOUNT = f"""
useradd --create-home --shell /usr/sbin/nologin {USER}
install -d -m 0700 -o {USER} -g {USER} /home/{USER}/.ssh
printf '%s\\n' "$1" > /home/{USER}/.ssh/authorized_keys
chown {USER}:{USER} /home/{USER}/.ssh/authorized_keys
cat > /etc/ssh/sshd_config.d/backups.conf <<'END'
PasswordAuthentication no
Match User {USER}
    ForceCommand internal-sftp
END
systemctl restart ssh
"""


def settings(repository: str, **more: object) -> None:
    """Write vars.yml, with where backups go."""
    local = (ROOT / "inventory/local/group_vars/tox_com_det.yml").read_text(encoding="utf-8")
    kept = local.partition("# On the same disk")[0]
    own = {
        "flask_app_perspective_store_suggestions": True,
        "backup_repository": repository,
        "backup_password": "{{ vault_backup_password }}",
        **more,
    }
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in own.items()]
    (VARS / "vars.yml").write_text(kept + "".join(lines), encoding="utf-8")


def sftp(path: str) -> None:
    """Write vars.yml for SFTP to the storage host."""
    storage = Machine("storage")
    kind, blob = storage.run("cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    address = storage.address()
    settings(
        f"sftp:{USER}@{address}:{path}",
        backup_ssh_private_key="{{ vault_backup_ssh_private_key }}",
        backup_ssh_known_hosts=[f"{address} {kind} {blob}"],
    )


def vault(**values: str) -> None:
    """Write vault.yml, encrypted."""
    path = VARS / "vault.yml"
    path.write_text(json.dumps(values), encoding="utf-8")
    subprocess.run(["ansible-vault", "encrypt", str(path)], check=True, capture_output=True)  # noqa: S603, S607 (words of the tests)


def main() -> None:
    """Make the account and the inventory."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "backups", "-f", str(KEY)]
    subprocess.run(words, check=True)  # noqa: S603 (words of the tests)
    Machine("storage").run(ACCOUNT, KEY.with_suffix(".pub").read_text(encoding="utf-8").strip())
    (WORK / "vault-password").write_text(secrets.token_hex(20), encoding="utf-8")
    secret = {
        "vault_backup_password": secrets.token_hex(16),
        "vault_backup_ssh_private_key": KEY.read_text(encoding="utf-8"),
        "vault_s3_secret": secrets.token_hex(16),
    }
    (WORK / "secrets.json").write_text(json.dumps(secret), encoding="utf-8")
    vault(**secret)
    sftp("toxic")


if __name__ == "__main__":
    main()
