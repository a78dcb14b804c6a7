"""The forms of the files that the templates become: a strict parser for each.

Where the program that reads a file is part of this project, it is the parser itself. Others know
the directives that are used here and refuse all else, so that a typo is found without the program:
whoever uses a new directive adds it, with where it may stand. Every error is a FormError.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from unittest import mock

import yaml

from controller.deploy.errors import DeployError
from controller.deploy.server import ServerConfig
from tox_com_det.settings import Settings, SettingsError

SIZE = r"\d+[KMGT]?"
SECONDS = r"\d+"
BOOLEAN = r"true|false|yes|no"


class FormError(ValueError):
    """The text is not in its program's form. One line."""


# --- systemd -------------------------------------------------------------------------------------

# Directive: the section, the version of systemd that brought it, what its value looks like.
UNIT_DIRECTIVES: dict[str, tuple[str, int, str]] = {
    "After": ("Unit", 0, r"[\w@.-]+( [\w@.-]+)*"),
    "Before": ("Unit", 0, r"[\w@.-]+( [\w@.-]+)*"),
    "CapabilityBoundingSet": ("Service", 0, r""),
    "Description": ("Unit", 0, r".+"),
    "EnvironmentFile": ("Service", 0, r"-?/\S+"),
    "ExecStart": ("Service", 0, r"/\S+( \S+)*"),
    "Group": ("Service", 0, r"[a-z_][a-z0-9_-]*"),
    "KillMode": ("Service", 209, r"control-group|process|mixed"),  # mixed is of 209
    "LockPersonality": ("Service", 235, BOOLEAN),
    "MemoryLimit": ("Service", 0, SIZE),
    "MemoryMax": ("Service", 231, SIZE),
    "NoNewPrivileges": ("Service", 187, BOOLEAN),
    "OOMScoreAdjust": ("Service", 0, r"-?\d+"),
    "PIDFile": ("Service", 0, r""),
    "PrivateDevices": ("Service", 209, BOOLEAN),
    "PrivateTmp": ("Service", 0, BOOLEAN),
    "ProtectControlGroups": ("Service", 232, BOOLEAN),
    "ProtectHome": ("Service", 214, BOOLEAN + r"|read-only|tmpfs"),
    "ProtectKernelModules": ("Service", 232, BOOLEAN),
    "ProtectKernelTunables": ("Service", 232, BOOLEAN),
    "ProtectSystem": ("Service", 232, BOOLEAN + r"|full|strict"),  # 214, but strict is of 232
    "ReadOnlyDirectories": ("Service", 0, r"-?/\S*( -?/\S+)*"),
    "ReadWriteDirectories": ("Service", 0, r"-?/\S+( -?/\S+)*"),
    "ReadWritePaths": ("Service", 231, r"/\S+( /\S+)*"),
    "Restart": ("Service", 0, r"no|always|on-(success|failure|abnormal|watchdog|abort)"),
    "RestartSec": ("Service", 0, SECONDS),
    "RestrictAddressFamilies": ("Service", 211, r"AF_[A-Z0-9]+( AF_[A-Z0-9]+)*"),
    "RestrictNamespaces": ("Service", 233, BOOLEAN),
    "RestrictSUIDSGID": ("Service", 242, BOOLEAN),
    "RuntimeDirectory": ("Service", 211, r"[\w%-]+"),
    "RuntimeDirectoryMode": ("Service", 211, r"0[0-7]{3}"),
    "StartLimitInterval": ("Service", 0, SECONDS),
    "StartLimitIntervalSec": ("Unit", 230, SECONDS),
    "SupplementaryGroups": ("Service", 0, r"[a-z_][a-z0-9_ -]*"),
    "SystemCallArchitectures": ("Service", 209, r"native"),
    "TimeoutStartSec": ("Service", 0, SECONDS),
    "TimeoutStopSec": ("Service", 0, SECONDS),
    "Type": ("Service", 0, r"simple|exec|notify|forking|oneshot"),
    "UMask": ("Service", 0, r"0[0-7]{3}"),
    "User": ("Service", 0, r"[a-z_][a-z0-9_-]*"),
    "WantedBy": ("Install", 0, r"[\w-]+\.target"),
}
JOURNALD_DIRECTIVES = {"SystemMaxUse": ("Journal", 0, SIZE)}


def systemd(
    text: str, directives: dict[str, tuple[str, int, str]] = UNIT_DIRECTIVES
) -> list[tuple[str, str, str]]:
    """Return (section, name, value) in order, those that stand twice included."""
    found, section = [], None
    known = {where for where, _, _ in directives.values()}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith(("#", ";")):
            continue
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
            if section not in known:
                raise FormError(f"line {number}: there is no section [{section}]")
            continue
        name, equals, value = line.partition("=")
        if not equals or section is None:
            raise FormError(f"line {number}: {line!r} is no directive of a section")
        if name not in directives:
            raise FormError(f"line {number}: {name} is not known here")
        where, _, form = directives[name]
        if section != where:
            raise FormError(f"line {number}: {name} belongs into [{where}], not [{section}]")
        if not re.fullmatch(form, value):
            raise FormError(f"line {number}: {name} cannot be {value!r}")
        found.append((section, name, value))
    return found


def unit(text: str) -> list[tuple[str, str, str]]:
    """A whole unit, which can be started and enabled."""
    found = systemd(text)
    names = [name for _, name, _ in found]
    for name in ("Description", "ExecStart", "WantedBy"):
        if names.count(name) != 1:
            raise FormError(f"{name} stands there {names.count(name)} times")
    return found


def journald(text: str) -> list[tuple[str, str, str]]:
    return systemd(text, JOURNALD_DIRECTIVES)


# --- nginx ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """A directive; `block` is None where it ends in a semicolon."""

    name: str
    arguments: tuple[str, ...]
    block: tuple[Statement, ...] | None
    line: int

    def all(self, name: str) -> Iterator[Statement]:
        """Yield every directive of that name below this one."""
        for below in self.block or ():
            if below.name == name:
                yield below
            yield from below.all(name)


# Directive: the blocks it may stand in, how few and how many arguments, whether it may be repeated.
NGINX_DIRECTIVES: dict[str, tuple[str, int, int, bool]] = {
    "access_log": ("http server location", 1, 2, True),
    "add_header": ("http server location", 2, 3, True),
    "charset": ("http server location", 1, 1, False),
    "client_body_timeout": ("http server location", 1, 1, False),
    "client_header_timeout": ("http server", 1, 1, False),
    "client_max_body_size": ("http server location", 1, 1, False),
    "default_type": ("http server location", 1, 1, False),
    "error_log": ("main http server location", 1, 2, True),
    "error_page": ("http server location", 2, 9, True),
    "include": ("main events http server location", 1, 1, True),
    "internal": ("location", 0, 0, False),
    "keepalive_timeout": ("http server location", 1, 2, False),
    "limit_conn": ("http server location", 2, 2, True),
    "limit_conn_status": ("http server location", 1, 1, False),
    "limit_conn_zone": ("http", 2, 2, True),
    "limit_req": ("http server location", 1, 3, True),
    "limit_req_status": ("http server location", 1, 1, False),
    "limit_req_zone": ("http", 3, 3, True),
    "listen": ("server", 1, 4, True),
    "log_format": ("http", 2, 9, True),
    "pid": ("main", 1, 1, False),
    "return": ("server location", 1, 2, False),
    "proxy_next_upstream": ("http server location", 1, 9, False),
    "proxy_pass": ("location", 1, 1, False),
    "proxy_read_timeout": ("http server location", 1, 1, False),
    "proxy_set_header": ("http server location", 2, 2, True),
    "rewrite": ("server location", 2, 3, True),
    "sendfile": ("http server location", 1, 1, False),
    "server": ("upstream", 1, 4, True),
    "server_name": ("server", 1, 9, True),
    "server_tokens": ("http server location", 1, 1, False),
    "user": ("main", 1, 2, False),
    "uwsgi_next_upstream": ("http server location", 1, 9, False),
    "uwsgi_pass": ("location", 1, 1, False),
    "uwsgi_read_timeout": ("http server location", 1, 1, False),
    "worker_connections": ("events", 1, 1, False),
    "worker_processes": ("main", 1, 1, False),
}
# Block: the blocks it may stand in, the least and the most arguments.
NGINX_BLOCKS = {
    "events": ("main", 0, 0),
    "http": ("main", 0, 0),
    "location": ("server location", 1, 2),
    "server": ("http", 0, 0),
    "upstream": ("http", 1, 1),
}
NGINX_VARIABLES = {
    "binary_remote_addr", "body_bytes_sent", "http_host", "remote_addr", "request_method",
    "request_time", "scheme", "status", "time_iso8601", "upstream_response_time", "uri", "1",
}  # fmt: skip
NGINX_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n]*)|(?P<mark>[{};])"""
    r"""|'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<word>[^\s{};'"][^\s{};]*)"""
)


def nginx(text: str) -> Statement:
    """Return the whole file as one block, `main`."""
    main = Statement("main", (), tuple(_nginx_block(_nginx_tokens(text), None)), 0)
    _nginx_places(main)
    _nginx_references(main)
    return main


def _nginx_tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text):
        match = NGINX_TOKEN.match(text, at)
        line = text.count("\n", 0, at) + 1
        if not match:
            raise FormError(f"line {line}: cannot be read from {text[at : at + 20]!r} on")
        at = match.end()
        if match.lastgroup in ("single", "double") and text[at : at + 1] not in (*" \n\t;{", ""):
            raise FormError(f"line {line}: a quote ends within a word")
        if match.lastgroup not in ("space", "comment"):
            kind = "mark" if match.lastgroup == "mark" else "word"
            yield kind, match[match.lastgroup], line


def _nginx_block(tokens: Iterator[tuple[str, str, int]], opened: int | None) -> Iterator[Statement]:
    words: list[str] = []
    for kind, value, line in tokens:
        if kind == "word":
            words.append(value)
        elif value == "}":
            if words or opened is None:
                raise FormError(f"line {line}: unexpected }}")
            return
        elif not words:
            raise FormError(f"line {line}: unexpected {value}")
        else:
            block = tuple(_nginx_block(tokens, line)) if value == "{" else None
            yield Statement(words[0], tuple(words[1:]), block, line)
            words = []
    if words or opened is not None:
        raise FormError(f"the file ends within {' '.join(words) or f'the block of line {opened}'}")


def _nginx_places(parent: Statement) -> None:
    seen = set()
    for one in parent.block or ():
        where = f"line {one.line}: {one.name}"
        table = NGINX_DIRECTIVES if one.block is None else NGINX_BLOCKS
        if one.name not in table:
            raise FormError(f"{where} is not known here")
        places, least, most = table[one.name][:3]
        if parent.name not in places.split():
            raise FormError(f"{where} does not belong into {parent.name}")
        if not least <= len(one.arguments) <= most:
            raise FormError(f"{where} has {len(one.arguments)} arguments")
        key = (one.name, one.arguments if one.block is not None else ())
        once = one.name != "server" if one.block is not None else not table[one.name][3]
        if once and key in seen:
            raise FormError(f"{where} is duplicate")
        seen.add(key)
        for name in re.findall(r"\$\{?(\w+)", " ".join(one.arguments)):
            if name not in NGINX_VARIABLES:
                raise FormError(f"{where} uses ${name}, which is not known here")
        _nginx_places(one)


def _nginx_references(main: Statement) -> None:
    """Zones, upstreams, log formats and named locations that are used have to be there."""
    upstreams = {one.arguments[0] for one in main.all("upstream")}
    zones = {
        word.split(":")[0].removeprefix("zone=")
        for name in ("limit_req_zone", "limit_conn_zone")
        for one in main.all(name)
        for word in one.arguments
        if word.startswith("zone=")
    }
    formats = {one.arguments[0] for one in main.all("log_format")}
    locations = {one.arguments[-1] for one in main.all("location")}
    for name, known, used in (
        ("uwsgi_pass", upstreams, lambda a: [w for w in a if not w.startswith("unix:/")]),
        ("proxy_pass", upstreams, lambda a: _proxied(a[0])),
        ("limit_req", zones, lambda a: [w[5:] for w in a if w.startswith("zone=")]),
        ("limit_conn", zones, lambda a: a[:1]),
        ("access_log", formats, lambda a: a[1:2]),
        ("error_page", locations, lambda a: [w for w in a if w.startswith("@")]),
    ):
        for one in main.all(name):
            for word in used(one.arguments):
                if word not in known:
                    raise FormError(f"line {one.line}: {name} names {word}, which is not there")


def _proxied(address: str) -> list[str]:
    """Return the upstream that the address names, if it names one; only plain HTTP is known."""
    if not address.startswith("http://"):
        raise FormError(f"proxy_pass {address} does not begin with http://")
    name = address.removeprefix("http://")
    return [] if name.startswith("unix:/") else [name]


# --- key and value -------------------------------------------------------------------------------


def ini(known: dict[str, dict[str, str]]) -> Callable[[str], configparser.ConfigParser]:
    """Return a parser of sections in which each key has to look as `known` says."""

    def parse(text: str) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        parser.optionxform = str
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise FormError(str(error).replace("\n", " ")) from None
        for section in parser.sections():
            for key, value in parser[section].items():
                form = known.get(section, {}).get(key)
                if form is None:
                    raise FormError(f"[{section}] {key} is not known here")
                if not re.fullmatch(form, value):
                    raise FormError(f"[{section}] {key} cannot be {value!r}")
        return parser

    return parse


uwsgi = ini(
    {
        "uwsgi": {
            **dict.fromkeys(
                (
                    "disable-logging",
                    "lazy-apps",
                    "log-5xx",
                    "master",
                    "need-app",
                    "strict",
                    "vacuum",
                ),
                BOOLEAN,
            ),
            **dict.fromkeys(
                (
                    "buffer-size",
                    "harakiri",
                    "listen",
                    "log-slow",
                    "post-buffering",
                    "processes",
                    "threads",
                ),
                r"\d+",
            ),
            "chmod-socket": r"[0-7]{3}",
            "hook-master-start": r"unix_signal:\d+ \w+",
            "module": r"[\w.]+:\w+",
            "procname-prefix-spaced": r"\S+",
            "socket": r"/\S+",
            "worker-reload-mercy": r"\d+",
        }
    }
)
dnf_automatic = ini(
    {
        "commands": {
            "upgrade_type": r"default|security",
            "random_sleep": r"\d+",
            "download_updates": BOOLEAN,
            "apply_updates": BOOLEAN,
        },
        "emitters": {"emit_via": r"stdio|email|motd|command"},
    }
)
yum_cron = ini(
    {
        "commands": {
            "update_cmd": r"default|security|security-severity:\w+|minimal(-security)?",
            "update_messages": BOOLEAN,
            "download_updates": BOOLEAN,
            "apply_updates": BOOLEAN,
            "random_sleep": r"\d+",
        },
        "emitters": {"emit_via": r"stdio|email"},
        "base": {"debuglevel": r"-?\d+"},
    }
)

YUM_REPOSITORY = {
    "baseurl": r"(https?|ftp|file)://\S+",
    "enabled": "[01]",
    "gpgcheck": "[01]",
    "gpgkey": r"file:///etc/pki/rpm-gpg/\S+",
    "metadata_expire": r"\d+[dhm]?",
    "name": r".+",
    "proxy": r"https?://\S+",
}


def yum_repositories(text: str) -> configparser.ConfigParser:
    """Return the repositories, each with a name, an address and a word about signatures."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise FormError(str(error).replace("\n", " ")) from None
    for section in parser.sections():
        found = parser[section]
        for key, value in found.items():
            if not re.fullmatch(YUM_REPOSITORY.get(key, r"(?!)"), value):
                raise FormError(f"[{section}] {key} cannot be {value!r}")
        if missing := {"name", "baseurl", "enabled", "gpgcheck"} - set(found):
            raise FormError(f"[{section}] has no {', '.join(sorted(missing))}")
    return parser


def apt(text: str) -> dict[str, str]:
    """Return what apt's configuration sets: `Name::Name "value";` lines and // comments."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("//"):
            continue
        match = re.fullmatch(r'([A-Za-z][\w-]*(?:::[A-Za-z][\w-]*)+) "([^"]*)";', line)
        if not match or match[1] in found:
            raise FormError(f"line {number}: {line!r} is no setting of apt, or stands twice")
        found[match[1]] = match[2]
    return found


def sudoers(text: str) -> str:
    """Return the name of the one user whom the file lets sudo."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    rule = r"([a-z_][a-z0-9_-]*) ALL=\(ALL\) (NOPASSWD: )?ALL"
    if len(lines) != 1 or not (match := re.fullmatch(rule, lines[0])):
        raise FormError(f"{lines!r} is not one rule for one user")
    if not text.endswith("\n"):
        raise FormError("the last line does not end")
    return match[1]


def sshd(text: str) -> dict[str, str]:
    """Return sshd's settings. Of two words for one thing it takes the first: refused here."""
    forms = {
        "ChallengeResponseAuthentication": "yes|no",
        "PasswordAuthentication": "yes|no",
        "PermitRootLogin": "no|prohibit-password",
        "PubkeyAuthentication": "yes",
    }
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        name, _, value = line.partition(" ")
        if name in found or not re.fullmatch(forms.get(name, r"(?!)"), value):
            raise FormError(f"line {number}: {line!r} is not known here, or stands twice")
        found[name] = value
    return found


def environment(text: str) -> Settings:
    """Return what the service reads out of its EnvironmentFile; it is the parser."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Z_]+)=([^\s'\"\\]*)", line)
        if not match or match[1] in found:
            raise FormError(f"line {number}: {line!r} is no variable, or stands twice")
        found[match[1]] = match[2]
    try:
        return Settings.from_environment({**found, "TOX_COM_DET_MODEL": "/srv/model"})
    except SettingsError as error:
        raise FormError(str(error)) from None


GUNICORN_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "accesslog": type(None),
    "backlog": int,
    "bind": list,
    "control_socket_disable": bool,
    "errorlog": str,
    "graceful_timeout": int,
    "preload_app": bool,
    "threads": int,
    "timeout": int,
    "umask": int,
    "worker_class": str,
    "worker_tmp_dir": str,
    "workers": int,
    "wsgi_app": str,
}


def gunicorn(text: str) -> dict[str, object]:
    """Return the settings as slot blue has them. gunicorn passes over names it does not know."""
    found: dict[str, object] = {}
    with mock.patch.dict(os.environ, {"TOX_COM_DET_SLOT": "blue"}):
        try:
            exec(compile(text, "gunicorn.conf.py", "exec"), found)  # noqa: S102 (our own text)
        except (KeyError, NameError, SyntaxError, TypeError) as error:
            raise FormError(f"gunicorn.conf.py: {error!r}") from None
    settings = {name: value for name, value in found.items() if not name.startswith("_")}
    del settings["os"]
    for name, value in settings.items():
        if name not in GUNICORN_SETTINGS:
            raise FormError(f"{name} is not known here")
        if not isinstance(value, GUNICORN_SETTINGS[name]):
            raise FormError(f"{name} cannot be {value!r}")
    return settings


# --- SELinux -------------------------------------------------------------------------------------

FILE_CONTEXT = re.compile(r"(/\S+)\tsystem_u:object_r:(\w+_t):s0")


def file_contexts(text: str) -> dict[str, str]:
    """Return the type of each pattern of paths."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = FILE_CONTEXT.fullmatch(line)
        if not match or match[1] in found:
            raise FormError(f"line {number}: {line!r} is no label, or stands twice")
        re.compile(match[1])
        found[match[1]] = match[2]
    return found


def policy(text: str) -> list[tuple[set[str], set[str], str, set[str]]]:
    """Return (who, on what, class, permissions) of each allow rule of a module.

    checkmodule reads the whole (test_selinux_module.py); here it is held that the module does
    nothing but allow: no domain is made permissive, nothing is taken out of the audit.
    """
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    bare = " ".join(line.strip() for line in lines)
    if not re.match(r"module \w+ \d+\.\d+; ", bare):
        raise FormError("it does not begin as a module")
    if other := re.search(
        r"\b(attribute|auditallow|bool|dontaudit|permissive|typeattribute)\b", bare
    ):
        raise FormError(f"{other[0]} is not known here")
    rules = []
    for match in re.finditer(r"\ballow ({[^}]+}|\w+) ({[^}]+}|\w+):(\w+) ({[^}]+}|\w+);", bare):
        who, what, permissions = (set(match[part].strip("{} ").split()) for part in (1, 2, 4))
        rules.append((who, what, match[3], permissions))
    if len(rules) != len(re.findall(r"\ballow\b", bare)):
        raise FormError("an allow rule cannot be read")
    return rules


# --- JSON, YAML and XML --------------------------------------------------------------------------


def server_json(text: str) -> dict:
    """Return the JSON after the deploy tool, which reads it, took it."""
    try:
        ServerConfig.parse(text, "server")
    except DeployError as error:
        raise FormError(str(error)) from None
    return json.loads(text)


MONGOD_KEYS: dict[str, type | tuple[type, ...]] = {
    "net.bindIp": str,
    "net.maxIncomingConnections": int,
    "net.port": int,
    "net.ssl.CAFile": str,
    "net.ssl.PEMKeyFile": str,
    "net.ssl.allowConnectionsWithoutCertificates": bool,
    "net.ssl.mode": str,
    "net.tls.CAFile": str,
    "net.tls.allowConnectionsWithoutCertificates": bool,
    "net.tls.certificateKeyFile": str,
    "net.tls.mode": str,
    "processManagement.timeZoneInfo": str,
    "security.authorization": str,
    "storage.dbPath": str,
    "storage.journal.enabled": bool,
    "storage.wiredTiger.engineConfig.cacheSizeGB": (int, float),
    "systemLog.destination": str,
    "systemLog.logAppend": bool,
    "systemLog.path": str,
}


def mongod(text: str) -> dict[str, object]:
    """Return mongod's settings by their dotted names."""
    try:
        found = dict(_dotted(yaml.safe_load(text), ""))
    except yaml.YAMLError as error:
        raise FormError(str(error).replace("\n", " ")) from None
    for name, value in found.items():
        if name not in MONGOD_KEYS:
            raise FormError(f"{name} is not known here")
        if not isinstance(value, MONGOD_KEYS[name]):
            raise FormError(f"{name} cannot be {value!r}")
    return found


def _dotted(value: object, prefix: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _dotted(below, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def zone(text: str) -> tuple[list[str], list[str]]:
    """Return the services and the ports (as `22/tcp`) that firewalld's zone lets in."""
    try:
        root = ET.fromstring(text.encode())  # noqa: S314 (our own text)
    except ET.ParseError as error:
        raise FormError(str(error)) from None
    services, ports = [], []
    for child in root:
        if child.tag == "service" and set(child.attrib) == {"name"} and child.get("name"):
            services.append(child.attrib["name"])
        elif child.tag == "port" and set(child.attrib) == {"port", "protocol"}:
            ports.append(f"{child.get('port')}/{child.get('protocol')}")
        elif child.tag == "rule":
            _zone_rule(child)
        elif child.tag not in ("short", "description"):
            raise FormError(f"<{child.tag} {child.attrib}> is not known here")
    for port in ports:
        match = re.fullmatch(r"(\d+)(?:-(\d+))?/(tcp|udp|sctp|dccp)", port)
        if not match or not 0 < int(match[1]) <= int(match[2] or match[1]) < 65536:
            raise FormError(f"{port} is no port")
    if root.tag != "zone":
        raise FormError(f"<{root.tag}> is no zone")
    return services, ports


def _zone_rule(rule: ET.Element) -> None:
    """A rich rule names a source, a port and what becomes of it, in this order."""
    if [part.tag for part in rule] != ["source", "port", "accept"]:
        raise FormError(f"<rule> has {[part.tag for part in rule]}")
    network = ip_network(rule[0].get("address", ""))
    if rule.get("family") != f"ipv{network.version}" or network.prefixlen == 0:
        raise FormError(f"<rule> of {rule.get('family')} has the source {network}")


FORMS: dict[str, Callable[[str], object]] = {
    "etc/apt/apt.conf.d/20auto-upgrades.j2": apt,
    "etc/dnf/automatic.conf.j2": dnf_automatic,
    "etc/firewalld/zones/public.xml.j2": zone,
    "etc/mongod.conf.j2": mongod,
    "etc/nginx/nginx.conf.j2": nginx,
    "etc/ssh/sshd_config.d/00-tox_com_det.conf.j2": sshd,
    "etc/sudoers.d/tox_com_det.j2": sudoers,
    "etc/systemd/journald.conf.d/tox_com_det.conf.j2": journald,
    "etc/systemd/system/mongod.service.d/tox_com_det.conf.j2": systemd,
    "etc/systemd/system/secantusdb.service.j2": unit,
    "etc/systemd/system/tox_com_det-recover.service.j2": unit,
    "etc/systemd/system/tox_com_det@.service.j2": unit,
    "etc/tox_com_det/app.env.j2": environment,
    "etc/tox_com_det/gunicorn.conf.py.j2": gunicorn,
    "etc/tox_com_det/server.json.j2": server_json,
    "etc/tox_com_det/uwsgi.ini.j2": uwsgi,
    "etc/yum.repos.d/CentOS-Base.repo.j2": yum_repositories,
    "etc/yum.repos.d/epel.repo.j2": yum_repositories,
    "etc/yum/yum-cron.conf.j2": yum_cron,
    "usr/local/share/tox_com_det/selinux/tox_com_det.fc.j2": file_contexts,
    "usr/local/share/tox_com_det/selinux/tox_com_det.te.j2": policy,
}
