"""Line-based settings: INI files, package repositories, apt, sudoers and sshd."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable

from parsers.error import ParseError

BOOLEAN = r"true|false|yes|no"


def ini(known: dict[str, dict[str, str]]) -> Callable[[str], configparser.ConfigParser]:
    """Return a parser of INI files whose values must match the patterns in `known`."""

    def parse(text: str) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        parser.optionxform = str  # type: ignore[assignment] # as its documentation says
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise ParseError(str(error).replace("\n", " ")) from None
        for section in parser.sections():
            for key, value in parser[section].items():
                form = known.get(section, {}).get(key)
                if form is None:
                    raise ParseError(f"[{section}] {key} is unknown")
                if not re.fullmatch(form, value):
                    raise ParseError(f"[{section}] {key} cannot be {value!r}")
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
                    "log-slow",
                    "max-vars",
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
    """Return the repositories; each must have a name, a baseurl, enabled and gpgcheck."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ParseError(str(error).replace("\n", " ")) from None
    for section in parser.sections():
        found = parser[section]
        for key, value in found.items():
            if not re.fullmatch(YUM_REPOSITORY.get(key, r"(?!)"), value):
                raise ParseError(f"[{section}] {key} cannot be {value!r}")
        if missing := {"name", "baseurl", "enabled", "gpgcheck"} - set(found):
            raise ParseError(f"[{section}] has no {', '.join(sorted(missing))}")
    return parser


def apt(text: str) -> dict[str, str]:
    """Return apt's settings: `Name::Name "value";` lines; `//` begins a comment."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("//"):
            continue
        match = re.fullmatch(r'([A-Za-z][\w-]*(?:::[A-Za-z][\w-]*)+) "([^"]*)";', line)
        if not match or match[1] in found:
            raise ParseError(f"line {number}: {line!r} is not a setting of apt, or a duplicate")
        found[match[1]] = match[2]
    return found


def sudoers(text: str) -> str:
    """Return the name of the only user that the file grants sudo."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    rule = r"([a-z_][a-z0-9_-]*) ALL=\(ALL\) (NOPASSWD: )?ALL"
    if not lines or not (match := re.fullmatch(rule, lines[-1])):
        raise ParseError(f"{lines!r} does not end with a rule for one user")
    # Neither Ansible nor fab has a terminal, which old distributions require for sudo.
    path = rf"Defaults:{match[1]} !requiretty, secure_path=(/[a-z/]+)(:/[a-z/]+)*"
    if len(lines) != 2 or not re.fullmatch(path, lines[0]):
        raise ParseError(
            f"{lines!r} is not !requiretty, one secure_path, and one rule for one user"
        )
    if not text.endswith("\n"):
        raise ParseError("the last line has no newline")
    return match[1]


def sshd(text: str) -> dict[str, str]:
    """Return sshd's settings. sshd uses the first of two equal names; this parser rejects both."""
    forms = {
        "ChallengeResponseAuthentication": "yes|no",
        **dict.fromkeys(("Ciphers", "KexAlgorithms", "MACs"), r"[a-z0-9@.-]+(,[a-z0-9@.-]+)*"),
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
            raise ParseError(f"line {number}: {line!r} is unknown or a duplicate")
        found[name] = value
    return found
