"""The formats of values that a program parses: systemd, nginx, firewalld, ssh and others.

A format accepts what all of its readers accept, on every supported system.
"""

from __future__ import annotations

import ipaddress
import re
import warnings
from urllib.parse import urlsplit

from controller.deploy.targets import TARGETS
from controller.values.format import Format, matching, quoted, whole
from tox_com_det.mongodb_uri import UriError, check_uri


def _is_address(text: str) -> bool:
    """An address without a scope: after % Python takes any text, and no program needs one."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_network(text: str) -> bool:
    """An address or a network with /prefix: nginx and nftables read no netmask.

    Bits of the host part are accepted, as firewalld does.
    """
    address, slash, prefix = text.partition("/")
    if not _is_address(address) or bool(slash) != bool(re.fullmatch(r"[0-9]{1,3}", prefix)):
        return False
    return not slash or int(prefix) <= ipaddress.ip_address(address).max_prefixlen


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    # Quotes, blanks and braces end a word in a shell or in a configuration file.
    if re.fullmatch(r"[^\s\x00-\x20\x7f'\"\\`<>{}|^;]+", text) is None:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    local = parts.scheme == "file" and parts.path.startswith("/")
    return parts.scheme in schemes and (bool(parts.hostname) or local) and port != 0


def _is_port_or_range(text: str) -> bool:
    found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?/(tcp|udp|sctp|dccp)", text)
    if found is None:
        return False
    first, last = int(found[1]), int(found[2] or found[1])
    return 0 < first <= last < 65536


def _is_server_name(text: str) -> bool:
    """Words of nginx's server_name; a name begins with a dot or a star, or ends with a star."""
    label = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    name = re.compile(rf"(?:\*\.|\.)?{label}(?:\.{label})*\.?(?:\*)?|_")
    # A backslash at its end would belong to the semicolon.
    regex = re.compile(r"~[^\s;{}'\"]*[^\s;{}'\"\\]")

    def is_one(word: str) -> bool:
        if regex.fullmatch(word):
            return _may_compile(word[1:])
        return name.fullmatch(word) is not None or _is_address(word)

    return all(map(is_one, text.split(" ")))


def _may_compile(regex: str) -> bool:
    """Whether PCRE may take a regular expression; only what is certainly wrong is refused."""
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of [[:alnum:]]
            re.compile(re.sub(r"\(\?(?=<[A-Za-z_])", "(?P", regex))
    except re.error as error:
        # Python does not know all of PCRE, so other errors prove nothing.
        starts_with_repeat = error.pos == 0 and error.msg.startswith("nothing to repeat")
        brackets = ("missing )", "unbalanced parenthesis", "unterminated character set")
        return not (starts_with_repeat or error.msg.startswith(brackets))
    except (OverflowError, RecursionError):
        return True
    return True


def _is_host(text: str) -> bool:
    label = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    is_name = re.fullmatch(rf"{label}(?:\.{label})*", text) is not None and len(text) <= 253
    return _is_address(text) or (is_name and not text.replace(".", "").isdigit())


def _is_mongodb_uri(text: str) -> bool:
    # Blanks and backslashes do not pass through systemd's EnvironmentFile as they are.
    if not re.match(r"mongodb(\+srv)?://", text) or re.search(r"[\s\\]", text):
        return False
    try:
        check_uri(text, files=False)
    except UriError:
        return False
    return text.isprintable()


def _is_public_key(text: str) -> bool:
    """Lines of OpenSSH's public keys: options, type, Base64, comment; or comments alone."""
    kind = (
        r"(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp(?:256|384|521)"
        r"|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)"
        r"(?:-cert-v01@openssh\.com)?"
    )
    key = re.compile(
        rf"(?:[^\x00-\x1f]+ )?{kind} [A-Za-z0-9+/]{{40,}}={{0,3}}(?:[ \t][^\x00-\x1f]*)?"
    )
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    keys = [line for line in lines if not line.startswith("#")]
    return bool(keys) and all(key.fullmatch(line) for line in keys)


PORT = Format("a port, 1 to 65535", whole(1, 65535).accepts)
FIREWALL_PORT = Format(
    "a port or a range with its protocol, such as 8443/tcp or 60000-61000/udp", _is_port_or_range
)
ADDRESS = Format("an IP address, such as 203.0.113.7", _is_address)
NETWORK = Format("an IP address or a network, such as 203.0.113.7 or 203.0.113.0/24", _is_network)
WEB_ADDRESS = Format(
    "an address such as https://toxic.example.org", lambda text: _is_url(text, ("http", "https"))
)
DOWNLOAD = Format(
    "the address of a download, such as https://mirror.example.org/path",
    lambda text: _is_url(text, ("http", "https", "ftp", "file")),
)
PROXY = Format(
    "the address of a proxy, such as http://proxy.example.org:3128",
    lambda text: _is_url(text, ("http", "https", "socks4", "socks4a", "socks5", "socks5h")),
)
SERVER_NAME = Format("host names, such as toxic.example.org or _", _is_server_name)
MONGODB_URI = Format(
    "a MongoDB URI such as mongodb://127.0.0.1:27017, with a user and a password that are "
    "percent-encoded ({{ vault_name | urlencode | replace('/', '%2F') }}), ports from 1 to 65535, "
    "and only options that PyMongo knows, each once",
    _is_mongodb_uri,
)
REPLICA_SET = matching(
    r"[A-Za-z][A-Za-z0-9_-]{0,63}",
    "a name of letters, digits, _ and -, such as toxic",
)
# Characters of Base64, which mongod reads without its blanks.
REPLICA_SET_KEY = matching(
    r"(?:[A-Za-z0-9+/=][ \r\n]*){32,1024}",
    "a key of 32 to 1024 characters of Base64, as `openssl rand -base64 756` makes it",
)
# Names of a certificate: no wildcard, which the challenge over HTTP cannot prove.
HOST = Format(
    "a host name or an IP address, such as toxic.example.org or 203.0.113.7",
    _is_host,
)
# A host's own name, which need not be one of DNS.
INVENTORY_NAME = matching(
    r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}",
    "the name of a host in the inventory, such as web_1 (letters, digits, '.', '_', '-' and ':')",
)
HTTPS_ADDRESS = Format(
    "an address that begins with https://, such as https://ca.example.org/directory",
    lambda text: _is_url(text, ("https",)),
)
EMAIL = matching(
    r"[^\s@,;'\"\\<>]{1,64}@[A-Za-z0-9.-]{1,253}", "an email address, such as a@example.org"
)
PROFILE = matching(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "a profile of an ACME server, such as shortlived"
)
SHA256 = matching(r"[0-9A-Fa-f]{64}", "a SHA-256, 64 hexadecimal digits")
FINGERPRINT = matching(r"[0-9A-F]{40}", "a fingerprint, 40 hexadecimal digits in upper case")
COMMIT = matching(r"[0-9a-f]{40}", "a Git commit, 40 hexadecimal digits in lower case")
PACKAGE = matching(
    r"[A-Za-z0-9@/][A-Za-z0-9+._:~@/=^*<>-]{0,254}", "the name of a package, such as htop"
)
CONDA_PACKAGE = matching(
    r"[A-Za-z0-9_][\w.:/+*=<>!~,|\[\]' -]{0,254}",
    "a package in conda's notation, such as numpy=1.26",
)
CONDA_NAME = matching(r"[\w][\w.-]{0,63}", "the name of an environment, such as article")
CONDA_CHANNEL = matching(r"[A-Za-z0-9][\w.:/+@-]{0,254}", "a channel, such as conda-forge")
VERSION = quoted(matching(r"[0-9]{1,4}(\.[0-9]{1,6}){0,3}", 'a version in quotes, such as "3.11"'))
FIREWALL_SERVICE = matching(
    r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,63}", "a service of firewalld, such as https"
)
BOOLEAN_NAME = matching(
    r"[a-z][a-z0-9_]{0,63}", "a boolean of SELinux, such as httpd_can_network_connect"
)
VARIABLE_NAME = matching(r"[A-Za-z_][A-Za-z0-9_]{0,127}", "the name of a variable")
USER_NAME = matching(
    r"[a-z_][a-z0-9_-]{0,30}(?:[a-z0-9_-]|\$)?", "a login name, such as deploy (a-z, 0-9, _ and -)"
)
PASSWORD_HASH = matching(
    r"\$[0-9a-z]{1,8}\$[^\s:\x00-\x1f\x7f]{8,256}", "a hash as `openssl passwd -6` prints it"
)
PUBLIC_KEY = Format(
    "a public key as in a .pub file, such as ssh-ed25519 AAAA... name", _is_public_key
)
DATABASE_NAME = matching(r"[^\s/\\.\"$*<>:|?\x00]{1,63}", "the name of a database, such as admin")
DATABASE_ROLE = matching(r"[A-Za-z][A-Za-z0-9_.-]{0,127}", "a role of MongoDB, such as readWrite")
DATABASE_USER = matching(r"[^\x00-\x1f\x7f]{1,128}", "the name of a database user")
PASSWORD = quoted(
    matching(r"[^\x00-\x1f\x7f]{1,1024}", "a password in quotes, without control characters")
)
WHEEL_TARGET = Format(
    f"a platform that wheels are locked for, {' or '.join(sorted(TARGETS))}", TARGETS.__contains__
)
# What restic takes, without blanks; an address with a password would be shown, so there is none.
_REPOSITORY = re.compile(
    r"/(?!.*/\.\.(?:/|$))[\w./+@,=~-]+"
    r"|sftp:(?!//)[\w.-]+@[\w.-]+:[\w./+@,=~-]+"
    r"|sftp://[\w.-]+@[\w.-]+(?::([0-9]+))?/[\w./+@,=~-]+"
    r"|s3:https?://[\w.-]+(?::([0-9]+))?/[\w./+=~-]+"
)
REPOSITORY = Format(
    "a directory, sftp:user@host:path or s3:https://host/bucket",
    lambda text: (
        (found := _REPOSITORY.fullmatch(text)) is not None
        and all(PORT.accepts(port) for port in found.groups() if port)
    ),
)
KNOWN_HOST = matching(
    r"[^\s\x00-\x1f#]+ (ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{40,}={0,3}"
    r"( [^\x00-\x1f]*)?",
    "a line as ssh-keyscan prints it, such as backup.example.org ssh-ed25519 AAAA...",
)
S3_KEY = quoted(
    matching(
        r"[\x21-\x7e]{8,256}", "an access key of S3 in quotes, 8 characters or more, no blanks"
    )
)
LONG_PASSWORD = quoted(
    matching(r"[^\x00-\x1f\x7f]{12,1024}", "a password in quotes, 12 characters or more")
)
# The lists of the Perspective API are written with commas and "=" between their parts.
ATTRIBUTE = matching(r"[A-Z][A-Z0-9_]{0,63}", "an attribute of Perspective, such as TOXICITY")
LABEL = matching(r"[^\s,=\"'\\$%#]{1,64}", "a label of the model, such as toxic")
LANGUAGE = matching(r"[a-z]{2,3}(-[A-Za-z]{2,8})?", "a language, such as en")
ORIGIN = matching(
    r"\*|[a-z][a-z-]{1,31}://[A-Za-z0-9.:\[\]-]{1,255}",
    "an origin, such as https://example.org, or *",
)
