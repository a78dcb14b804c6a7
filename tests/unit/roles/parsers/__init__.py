"""A strict parser for each file that the templates become.

Where the program that reads a file is part of this project, it is the parser itself. nginx's
configuration is parsed by crossplane. The other parsers know the settings that are used here and
reject all others, so that a typo is found without the program. Add a new setting where it is first
used. Every error is a ParseError.
"""

from __future__ import annotations

from collections.abc import Callable

from parsers.firewalld import zone
from parsers.haproxy import haproxy
from parsers.hardening import audit, coredump, fail2ban, limits, sysctl
from parsers.logrotate import logrotate
from parsers.mongod import mongod
from parsers.nftables import nftables
from parsers.nginx import nginx
from parsers.selinux import file_contexts, policy
from parsers.service import (
    backup_json,
    environment,
    gunicorn,
    server_json,
    shell,
    tls_json,
)
from parsers.settings import apt, dnf_automatic, sshd, sudoers, uwsgi, yum_cron, yum_repositories
from parsers.systemd import journald, path_unit, systemd, timer, tmpfiles, unit

PARSERS: dict[str, Callable[[str], object]] = {
    "etc/apt/apt.conf.d/20auto-upgrades.j2": apt,
    "etc/audit/rules.d/tox_com_det.rules.j2": audit,
    "etc/dnf/automatic.conf.j2": dnf_automatic,
    "etc/fail2ban/jail.d/tox_com_det.local.j2": fail2ban,
    "etc/firewalld/zones/public.xml.j2": zone,
    "etc/haproxy/haproxy.cfg.j2": haproxy,
    "etc/logrotate-syslog.conf.j2": logrotate,
    "etc/logrotate.d/mongod.j2": logrotate,
    "etc/logrotate.d/nginx.j2": logrotate,
    "etc/mongod.conf.j2": mongod,
    "etc/nginx/nginx.conf.j2": nginx,
    "etc/security/limits.d/tox_com_det.conf.j2": limits,
    "etc/ssh/sshd_config.d/00-tox_com_det.conf.j2": sshd,
    "etc/sudoers.d/tox_com_det.j2": sudoers,
    "etc/sysctl.d/60-tox_com_det.conf.j2": sysctl,
    "etc/systemd/coredump.conf.d/tox_com_det.conf.j2": coredump,
    "etc/systemd/journald.conf.d/tox_com_det.conf.j2": journald,
    "etc/systemd/system/haproxy.service.d/tox_com_det.conf.j2": systemd,
    "etc/systemd/system/mongod.service.d/tox_com_det.conf.j2": systemd,
    "etc/systemd/system/nginx.service.d/tox_com_det.conf.j2": systemd,
    "etc/systemd/system/mongod.service.j2": unit,
    "etc/systemd/system/secantusdb.service.j2": unit,
    "etc/systemd/system/ssh.service.d/tox_com_det.conf.j2": systemd,
    "etc/systemd/system/sshd.service.d/tox_com_det.conf.j2": systemd,
    "etc/systemd/system/tox_com_det-backup-drill.service.j2": systemd,
    "etc/systemd/system/tox_com_det-backup-drill.timer.j2": timer,
    "etc/systemd/system/tox_com_det-backup.service.j2": systemd,
    "etc/systemd/system/tox_com_det-backup.timer.j2": timer,
    "etc/systemd/system/tox_com_det-balancer-certificate.path.j2": path_unit,
    "etc/systemd/system/tox_com_det-balancer-certificate.service.j2": systemd,
    "etc/systemd/system/tox_com_det-certificate.service.j2": systemd,
    "etc/systemd/system/tox_com_det-certificate.timer.j2": timer,
    "etc/systemd/system/tox_com_det-connections.service.j2": unit,
    "etc/systemd/system/tox_com_det-logrotate.service.j2": systemd,
    "etc/systemd/system/tox_com_det-logrotate.timer.j2": timer,
    "etc/systemd/system/tox_com_det-recover.service.j2": unit,
    "etc/systemd/system/tox_com_det-verify.service.j2": systemd,
    "etc/systemd/system/tox_com_det-verify.timer.j2": timer,
    "etc/systemd/system/tox_com_det@.service.j2": unit,
    "etc/tmpfiles.d/nginx-bodies.conf.j2": tmpfiles,
    "etc/tox_com_det-connections.nft.j2": nftables,
    "etc/tox_com_det/app.env.j2": environment,
    "etc/tox_com_det/backup.json.j2": backup_json,
    "etc/tox_com_det/gunicorn.conf.py.j2": gunicorn,
    "etc/tox_com_det/server.json.j2": server_json,
    "etc/tox_com_det/tls.json.j2": tls_json,
    "etc/tox_com_det/uwsgi.ini.j2": uwsgi,
    "etc/yum.repos.d/CentOS-Base.repo.j2": yum_repositories,
    "etc/yum.repos.d/epel.repo.j2": yum_repositories,
    "etc/yum/yum-cron.conf.j2": yum_cron,
    "usr/local/sbin/toxctl.j2": shell,
    "usr/local/share/tox_com_det/selinux/tox_com_det.fc.j2": file_contexts,
    "usr/local/share/tox_com_det/selinux/tox_com_det.te.j2": policy,
}
