"""Each parser accepts a correct file and rejects a broken one."""

from __future__ import annotations

from collections.abc import Callable

import parsers
import pytest
from parsers import hardening
from parsers.error import ParseError
from rendered_files import SERVER_JSON, rendered

GOOD: dict[str, tuple[Callable[[str], object], str | None]] = {
    "apt": (parsers.apt, 'A::B "1";\n'),
    "dnf": (parsers.dnf_automatic, "[commands]\nupgrade_type = security\n"),
    "environment": (parsers.environment, "TOX_COM_DET_MAX_TEXTS=1\n"),
    "gunicorn": (parsers.gunicorn, "import os\n_a = os.environ['TOX_COM_DET_SLOT']\nthreads = 2\n"),
    "haproxy": (
        parsers.haproxy,
        "global\n  maxconn 1\nfrontend a\n  default_backend b\nbackend b\n",
    ),
    "json": (parsers.server_json, None),
    "mongod": (parsers.mongod, "net:\n  port: 1\n"),
    "nginx": (
        parsers.nginx,
        "events {\n}\nhttp {\n  upstream a {\n    server unix:/a;\n  }\n"
        "  server {\n    listen 80;\n    location / {\n      uwsgi_pass a;\n    }\n  }\n}\n",
    ),
    "nftables": (parsers.nftables, None),
    "sshd": (parsers.sshd, "PermitRootLogin no\n"),
    "audit": (hardening.audit, "-w /etc/ssh -p wa -k login\n"),
    "fail2ban": (hardening.fail2ban, "[sshd]\nenabled = true\nport = 22,2222\n"),
    "limits": (hardening.limits, "* hard core 0\n"),
    "sysctl": (hardening.sysctl, "kernel.dmesg_restrict = 1\n"),
    "sudoers": (parsers.sudoers, "Defaults:one !requiretty, secure_path=/bin\none ALL=(ALL) ALL\n"),
    "path": (parsers.path_unit, "[Path]\nPathChanged=/a\n"),
    "repositories": (
        parsers.yum_repositories,
        "[a]\nname=a\nbaseurl=https://a/\nenabled=1\ngpgcheck=1\n",
    ),
    "shell": (parsers.shell, "#!/bin/sh\nexec /bin/true\n"),
    "tmpfiles": (parsers.tmpfiles, "d /run/a 0700 root root -\n"),
    "unit": (
        parsers.unit,
        "[Unit]\nDescription=A\n[Service]\nExecStart=/a\nUMask=0027\n[Install]\nWantedBy=a.target\n",
    ),
    "uwsgi": (parsers.uwsgi, "[uwsgi]\nthreads = 2\n"),
    "zone": (parsers.zone, '<zone><service name="a"/><port port="1" protocol="tcp"/></zone>'),
}
# Parsers that take nothing less than a whole file.
WHOLE = {"json": SERVER_JSON, "nftables": "etc/tox_com_det-connections.nft.j2"}
BROKEN = [
    ("apt", '";', '"', "not a setting of apt"),
    ("apt", 'A::B "1";', 'A::B "1";\nA::B "2";', "a duplicate"),
    ("dnf", "upgrade_type", "update_type", "update_type is unknown"),
    ("dnf", "security", "secure", "cannot be 'secure'"),
    ("environment", "MAX_TEXTS", "MAX_TEXT", "MAX_TEXT is not a setting"),
    ("environment", "=1", "=none", "MAX_TEXTS"),
    ("environment", "=1", "=1 # one", "is not a variable"),
    ("gunicorn", "threads", "thread", "thread is unknown"),
    ("gunicorn", "2", "'two'", "threads cannot be 'two'"),
    ("gunicorn", "2", "two", "NameError"),
    ("haproxy", "  maxconn 1", "  maxcon 1", "line 2: maxcon is unknown here"),
    ("haproxy", "  maxconn 1", "  maxconn 1\n  maxconn 2", "line 3: maxconn is duplicate"),
    ("haproxy", "  maxconn 1", "  log-format '1", "line 2: No closing quotation"),
    ("haproxy", "\nbackend b\n", "\nbackend c\n", "names the backend b, which is not defined"),
    ("haproxy", "\nbackend b\n", "\nbackend a\n", "line 5: a is duplicate"),
    ("haproxy", "global", "globl", "line 1: globl is not a section"),
    ("path", "PathChanged", "PathChange", "PathChange is unknown"),
    ("json", '"user"', '"usr"', "no user"),
    ("json", "{\n", "\n", "cannot be read"),
    ("shell", "exec", "exec )", "shellcheck: "),
    ("shell", "#!/bin/sh", "", "shellcheck: "),
    ("mongod", "port", "prot", "net.prot is unknown"),
    ("mongod", "port: 1", "port: one", "net.port cannot be 'one'"),
    ("mongod", "  port: 1", "  port: 1\n port: 2", "expected <block end>"),
    ("nginx", "    listen 80;\n", "    listen 80\n", '"listen" is not terminated by ";"'),
    ("nginx", "\n}\nhttp", "\nhttp", 'line 2: "http" directive is not allowed here'),
    ("nginx", "  }\n}\n", "  }\n}\n}\n", "line 14: unexpected"),
    ("nginx", "listen 80;", "lisen 80;", 'unknown directive "lisen"'),
    (
        "nginx",
        "listen 80;",
        "worker_connections 80;",
        '"worker_connections" directive is not allowed here',
    ),
    ("nginx", "listen 80;", "listen;", 'invalid number of arguments in "listen"'),
    ("nginx", "listen 80;", 'return 404 \'{"a": 1}";', "unexpected end of file"),
    ("nginx", "listen 80;", "return 404 '$a';", r"uses \$a"),
    ("nginx", "uwsgi_pass a;", "uwsgi_pass a; uwsgi_pass a;", "uwsgi_pass is duplicate"),
    ("nginx", "uwsgi_pass a;", "uwsgi_pass b;", "names b, which is not defined"),
    ("nginx", "uwsgi_pass a;", "proxy_pass http://b;", "names b, which is not defined"),
    ("nginx", "uwsgi_pass a;", "proxy_pass a;", "does not begin with http://"),
    ("nginx", "listen 80;", "error_page 404 @b;", "names @b, which is not defined"),
    ("nginx", "listen 80;", "limit_req zone=b;", "names b, which is not defined"),
    ("nginx", "listen 80;", "access_log /a b;", "names b, which is not defined"),
    ("nftables", "delete table", "destroy table", "is not the table of the connections"),
    ("nftables", "ip saddr ct", "ip daddr ct", "is unknown, or comes after the limits"),
    ("nftables", "dport { 80 }", "dport { 80000 }", "are not ports"),
    ("nftables", "@clients6", "@clients4", "limits of"),
    ("repositories", "baseurl=https", "baseurl=htps", "baseurl cannot be"),
    ("repositories", "gpgcheck=1\n", "", "has no gpgcheck"),
    ("repositories", "[a]", "[a", "no section headers"),
    ("sshd", "PermitRoot", "PermitRot", "is unknown"),
    ("sshd", "no\n", "no\nPermitRootLogin no\n", "a duplicate"),
    ("audit", "-p wa", "-p rw", "is not a watch of auditd"),
    ("audit", "login\n", "login\n-w /etc/ssh -p wa -k login\n", "a duplicate"),
    ("fail2ban", "22,2222", "22 2222", "port cannot be"),
    ("fail2ban", "enabled", "enable", "enable is unknown"),
    ("limits", "core", "cores", "is not a limit"),
    ("sysctl", "= 1", "= yes", "is not a setting of the kernel"),
    ("sysctl", "1\n", "1\nkernel.dmesg_restrict = 0\n", "two values"),
    ("sudoers", "one ALL", "one two ALL", "does not end with a rule"),
    ("sudoers", "Defaults:one", "Defaults:two", "one secure_path"),
    ("sudoers", "Defaults:one", "one ALL=(ALL) ALL\nDefaults:one", "one secure_path"),
    ("sudoers", "!requiretty, ", "", "is not !requiretty"),
    ("sudoers", "=/bin", "=bin", "one secure_path"),
    ("sudoers", "ALL\n", "ALL", "last line has no newline"),
    ("tmpfiles", "d ", "e ", "is not a directory"),
    ("tmpfiles", "0700", "700", "is not a directory"),
    ("unit", "[Unit]", "[Unti]", "unknown section"),
    ("unit", "UMask=0027", "Umask=0027", "Umask is unknown"),
    ("unit", "UMask=0027", "UMask=27", "UMask cannot be '27'"),
    ("unit", "UMask=0027", "User=a=b", "User cannot be 'a=b'"),
    ("unit", "UMask=0027", "After=a", "After belongs in"),
    ("unit", "UMask=0027", "UMask", "is not a directive"),
    ("unit", "UMask=0027", "ExecStart=/b", "ExecStart occurs 2 times"),
    ("uwsgi", "threads", "thread", "thread is unknown"),
    ("uwsgi", "threads = 2", "threads = 2\nthreads = 3", "already exists"),
    ("zone", "/></zone>", "></zone>", "mismatched tag"),
    ("zone", 'port="1"', 'port="0"', "is not a port"),
    ("zone", "<service", "<servce", "is unknown"),
]


def good_text(parser: str) -> str:
    return GOOD[parser][1] or rendered(WHOLE[parser], "debian12")


@pytest.mark.parametrize("parser", GOOD)
def test_the_parser_accepts_a_correct_file(parser: str):
    GOOD[parser][0](good_text(parser))


@pytest.mark.parametrize(("parser", "good", "bad", "error"), BROKEN)
def test_the_parser_rejects_a_broken_file(parser: str, good: str, bad: str, error: str):
    assert good in good_text(parser)
    with pytest.raises(ParseError, match=error):
        GOOD[parser][0](good_text(parser).replace(good, bad, 1))
