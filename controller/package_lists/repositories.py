"""Why package lists cannot be refreshed, in words: Ansible's module for apt hides them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = [
    "PACMAN_COMMAND",
    "SOURCES_COMMAND",
    "UPDATE_COMMAND",
    "broken_repositories",
    "failed_upgrade",
    "is_lock",
    "is_network",
]

PACMAN_COMMAND = ["pacman", "--sync", "--refresh", "--sysupgrade", "--noconfirm", "--noprogressbar"]

# Without Error-Mode apt-get succeeds if it can go on with old lists.
UPDATE_COMMAND = ["apt-get", "--quiet=2", "update", "-o", "APT::Update::Error-Mode=any"]
# Every line of apt's sources, with its file and its number.
SOURCES_COMMAND = [
    *("grep", "--recursive", "--line-number", "--with-filename", "--no-messages"),
    *("--include=*.list", "--include=*.sources", ""),
    *("/etc/apt/sources.list", "/etc/apt/sources.list.d"),
]
# Of apt's warnings only these are failures of a repository.
FAILURE = re.compile(
    r"E: |W: (?=GPG error|OpenPGP signature verification failed|Failed to fetch|"
    r"An error occurred during the signature)"
)
# What follows from another line.
CONSEQUENCE = re.compile(
    r"is not signed\.$|Some index files failed|The list of sources could not be read"
)
ADDRESS = re.compile(r"[a-z][a-z+-]*:/[^\s']*")
LIST_FILE = re.compile(r"/etc/apt/[^\s:']+\.(?:list|sources)\b")
# What is said before the reason, when the repository is known.
BEFORE = re.compile(
    r"(?:GPG error|OpenPGP signature verification failed): .*?: |Failed to fetch \S+\s+|"
    r"The repository '.*?' |Release file for \S+ |Conflicting values set for option "
)
NETWORK = re.compile(
    r"Could not resolve|Temporary failure|Could not connect|Cannot initiate the connection|"
    r"Connection (failed|timed out|refused)|Network is unreachable|Unable to connect"
)
LOCK = re.compile(r"Could not get lock|Unable to lock|unable to lock database")


@dataclass(frozen=True)
class Source:
    """One line of apt's sources that has an address."""

    file: str
    line: int
    address: str
    text: str


def is_lock(said: str) -> bool:
    """Return whether apt-get or pacman failed because another process holds its lock."""
    return LOCK.search(said) is not None


def failed_upgrade(said: str, host: str) -> str:
    """Return one line for a whole upgrade that pacman refused, with the next command.

    Args:
        said: what pacman wrote to stderr; its first error is the reason.
        host: name of the host in the inventory.
    """
    errors = [line.removeprefix("error: ") for line in said.splitlines() if "error: " in line]
    reason = (errors or [said.strip() or "no message"])[0]
    return (
        f"pacman could not upgrade {host}: {reason}: `sudo pacman -Syu` on the server shows all of "
        "it and asks what it cannot decide; then rerun the playbook"
    )


def is_network(said: str) -> bool:
    """Return whether all that apt-get reports may pass by itself, as an unreachable host."""
    failures = [line for line in said.splitlines() if is_failure(line)]
    return bool(failures) and all(NETWORK.search(line) for line in failures)


def is_failure(line: str) -> bool:
    """Return whether a line of apt-get says why a repository cannot be used."""
    return FAILURE.match(line) is not None and CONSEQUENCE.search(line) is None


def sources(listed: str) -> Iterator[Source]:
    """Yield what SOURCES_COMMAND printed, without comments."""
    for one in listed.splitlines():
        file, _, rest = one.partition(":")
        number, _, text = rest.partition(":")
        if not number.isdigit() or not re.match(r"\s*(deb|deb-src|URIs:)\s", text):
            continue
        for address in ADDRESS.findall(text):
            yield Source(file, int(number), address, text)


def broken_repositories(said: str, listed: str, host: str) -> list[str]:
    """Return one line for each repository that apt-get cannot use, with the next command.

    Args:
        said: what UPDATE_COMMAND wrote to standard error, with LC_ALL=C.
        listed: what SOURCES_COMMAND printed.
        host: name of the server.

    Returns:
        Lines in apt's order. One for the whole if apt-get names no repository.
    """
    known = list(sources(listed))
    failures = [line for line in said.splitlines() if is_failure(line)]
    # "Not signed" is a reason of its own only where apt gives no other.
    failures = failures or [line for line in said.splitlines() if line.startswith("E: ")]
    found: dict[str, str] = {}
    for failure in failures:
        place = place_of(failure, known)
        found.setdefault(place, reason_of(failure))
    if not found:
        return [f"apt-get cannot refresh the package lists of {host}: {last_line(said)}. {RUN_IT}"]
    return [
        f"apt-get on {host} cannot use {place or 'its repositories'}: {reason}. "
        f"{remedy(place, reason)}"
        for place, reason in found.items()
    ]


RUN_IT = "`sudo apt-get update` on the server shows the same; mend it, then rerun the playbook"


def last_line(said: str) -> str:
    """Return the last line that is not empty."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "no reason given"


def reason_of(failure: str) -> str:
    """Return apt's reason, without what the place says already."""
    text = BEFORE.sub("", failure[len("E: ") :], count=1)
    return " ".join(text.split()).rstrip(".")


def place_of(failure: str, known: list[Source]) -> str:
    """Return the repository and the file that a failure is about; empty if it names none."""
    named = LIST_FILE.search(failure)
    said = ADDRESS.search(failure)
    if not said:
        return named[0] if named else ""
    address = said[0].rstrip(":,.")
    # The longest address of the sources that the failure is below, and of equals the named suite.
    words = re.findall(r"[^\s':]+", failure)
    fits = [one for one in known if f"{address}/".startswith(one.address.rstrip("/") + "/")]
    fits.sort(
        key=lambda one: (
            len(one.address),
            any(word in one.text.split()[1:] for word in words),
            any(f"/dists/{word}/" in address for word in one.text.split()),
        ),
        reverse=True,
    )
    if not fits:
        return address
    best = fits[0]
    return f"{best.address} of {best.file}, line {best.line}"


def remedy(place: str, reason: str) -> str:
    """Return the next command for a repository."""
    if "not valid yet" in reason:
        return "The server's clock is slow: `timedatectl` shows it; set it, then rerun the playbook"
    if is_lock(reason):
        return "Rerun the playbook when that process has ended"
    file = LIST_FILE.search(place)
    if not file:
        return RUN_IT
    host = urlsplit(place.split()[0]).hostname
    mend = "Give it what it needs (its key, the right address)"
    if NETWORK.search(reason) and host:
        mend = f"See whether the server reaches it (`getent hosts {host}`)"
    name = shlex.quote(file[0])
    number = re.search(r", line (\d+)$", place)
    disable = f"sudo mv {name} {name}.disabled"
    if file[0] == "/etc/apt/sources.list" and number:
        disable = f"sudo sed -i '{number[1]}s/^/# /' {name}"
    return f"{mend}, or disable it with `{disable}` on the server, then rerun the playbook"
