"""The files that the templates become on each system, rendered once and parsed."""

from __future__ import annotations

from functools import cache
from typing import Any

from parsers import PARSERS
from rendering import TREE, VARIANTS, Variant, owners, render

NGINX = "etc/nginx/nginx.conf.j2"
SLOT = "etc/systemd/system/tox_com_det@.service.j2"
RECOVER = "etc/systemd/system/tox_com_det-recover.service.j2"
BACKUP = "etc/systemd/system/tox_com_det-backup.service.j2"
DRILL = "etc/systemd/system/tox_com_det-backup-drill.service.j2"
VERIFY = "etc/systemd/system/tox_com_det-verify.service.j2"
VERIFY_TIMER = "etc/systemd/system/tox_com_det-verify.timer.j2"
SECANTUSDB = "etc/systemd/system/secantusdb.service.j2"
MONGOD_LIMITS = "etc/systemd/system/mongod.service.d/tox_com_det.conf.j2"
NGINX_LIMITS = "etc/systemd/system/nginx.service.d/tox_com_det.conf.j2"
SSH_LIMITS = "etc/systemd/system/ssh.service.d/tox_com_det.conf.j2"
SSHD_LIMITS = "etc/systemd/system/sshd.service.d/tox_com_det.conf.j2"
SERVER_JSON = "etc/tox_com_det/server.json.j2"
GUNICORN = "etc/tox_com_det/gunicorn.conf.py.j2"
TOXCTL = "usr/local/sbin/toxctl.j2"
UWSGI = "etc/tox_com_det/uwsgi.ini.j2"

_OWNERS = owners(TREE)


def variant_named(name: str) -> Variant:
    """Return the variant of that name."""
    (found,) = (one for one in VARIANTS if one.name == name)
    return found


@cache
def rendered(template: str, system: str, variant: str = "defaults") -> str:
    """Return the file's text on the system."""
    return render(template, _OWNERS[template], system, variant_named(variant))


def parsed(template: str, system: str, variant: str = "defaults") -> Any:
    """Return what the file's parser makes of it."""
    return PARSERS[template](rendered(template, system, variant))


def directives(template: str, system: str, variant: str = "defaults") -> dict[str, str]:
    """Return the directives of a systemd unit by name."""
    return {name: value for _, name, value in parsed(template, system, variant)}
