"""The commands that run on a server, as strings. Pure: every value is quoted, nothing is run."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Sequence

from controller.deploy.server import SERVER_JSON, ServerConfig

__all__ = [
    "as_user",
    "collections",
    "free_kib",
    "join",
    "logs",
    "mark_complete",
    "memory",
    "place",
    "prepare_incoming",
    "read_file",
    "releasectl",
    "remove",
    "restore",
    "script",
    "sha256",
    "size",
    "slotctl",
    "sudo_is_free",
    "what_is_there",
]

# The service's settings out of $1, to the letter as systemd takes them: sourced, the & of a
# database's address would end it.
SETTINGS = (
    'cd /; while IFS= read -r line; do case $line in TOX_COM_DET_*=*) export "$line" ;; esac; '
    'done < "$1"; '
)


def join(arguments: Sequence[str]) -> str:
    """Return the words as one command line of a POSIX shell."""
    return shlex.join(arguments)


def script(text: str, *arguments: str) -> list[str]:
    """Return a call of sh that stops at the first error and gets the values as $1, $2, ..."""
    return ["sh", "-euc", text, "sh", *arguments]


def as_user(arguments: Sequence[str], login: str, user: str = "root", ask: bool = False) -> str:
    """Return the command line that runs the words as another user.

    `login`: who is logged in; root needs no sudo, which may not be installed. `ask`: sudo reads
    the password from standard input, otherwise it must not ask (-n), or a task would hang.
    """
    if login == user:
        return join(arguments)
    if login == "root":
        return join(["runuser", "-u", user, "--", *arguments])
    how = ["sudo", "-S", "-k", "-p", ""] if ask else ["sudo", "-n"]
    return join([*how, "-u", user, "--", *arguments])


def sudo_is_free(user: str) -> str:
    """Return the command that succeeds when sudo lets in without a password, remembered or not."""
    return join(["sudo", "-n", "-k", "-u", user, "--", "true"])


def read_file(path: str = SERVER_JSON) -> str:
    """Return the command that prints a file."""
    return join(["cat", "--", path])


def sha256(path: str) -> str:
    """Return the command that prints a file's sha256 first, or nothing where there is no file."""
    return join(script('[ ! -f "$1" ] || sha256sum -- "$1"', path))


def size(path: str) -> str:
    """Return the command that prints a file's size in bytes, or nothing where there is none."""
    return join(script('[ ! -f "$1" ] || stat -c %s -- "$1"', path))


def free_kib(*paths: str) -> str:
    """Return the command that prints the free space below each path (df's fourth column, KiB)."""
    return join(["df", "-Pk", "--", *paths])


def prepare_incoming(server: ServerConfig, login: str) -> list[str]:
    """Return the words that give the logged-in user a directory of its own to upload into."""
    path = posixpath.join(server.incoming_dir, login)
    return ["install", "-d", "-m", "0755", "-o", login, "--", path]


def place(part: str, final: str) -> list[str]:
    """Return the words that put a complete upload in its place: root's, synced, by rename.

    First out of the directory of whoever uploaded it: what is a link there is looked at and given
    to root only where nobody else can exchange it.
    """
    text = (
        'to=${2%/*}; new=$to/.placing; install -d -m 0755 -- "$to"; mv -fT -- "$1" "$new"; '
        'if [ -L "$new" ] || [ ! -f "$new" ]; then rm -rf -- "$new"; '
        'echo "$1 is no file" >&2; exit 1; fi; '
        'chown root:root -- "$new"; chmod 0644 -- "$new"; '
        'sync "$new"; mv -fT -- "$new" "$2"; sync "$to"'
    )
    return script(text, part, final)


def what_is_there(paths: Sequence[str]) -> list[str]:
    """Return the words that print `<word>  <path>` for each of the paths that is there.

    The word is a file's sha256, and the size in bytes of what is only a part of one (.part).
    """
    text = (
        'for path; do [ -f "$path" ] || continue; '
        'case $path in *.part) stat -c "%s  %n" -- "$path" ;; *) sha256sum -- "$path" ;; esac; '
        "done"
    )
    return script(text, *paths)


def mark_complete(directory: str) -> list[str]:
    """Return the words that declare a release whole: the last thing written to it."""
    return script('[ -e "$1/.complete" ] || { touch -- "$1/.complete"; sync "$1"; }', directory)


def remove(path: str, below: str) -> list[str]:
    """Return the words that remove a path; ValueError unless it is really below `below`."""
    if posixpath.normpath(path) != path or not path.startswith(below.rstrip("/") + "/"):
        raise ValueError(f"{path} is not below {below}")
    return ["rm", "-rf", "--", path]


def restore(server: ServerConfig, manifest: str, dump: str | None) -> list[str]:
    """Return the words that restore a dump, or only look whether it is there (`dump` None).

    The service's settings (the database's address and password) are in env_file.
    """
    text = (
        f'{SETTINGS}export PYTHONPATH="$2" PYTHONUNBUFFERED=1; shift 2; '
        'exec "$PYTHONPATH/venv/bin/python" -m tox_com_det.store.restore "$@"'
    )
    what = ["--check-only"] if dump is None else ["--dump", dump]
    return script(text, server.env_file, server.app_link, "--manifest", manifest, *what)


def slotctl(server: ServerConfig, *arguments: str) -> list[str]:
    """Return the words that call the slot tool."""
    return [*server.slotctl, *arguments]


def releasectl(server: ServerConfig, *arguments: str) -> list[str]:
    """Return the words that call the tool for releases, lock and audit."""
    return [*server.releasectl, *arguments]


def collections(server: ServerConfig) -> list[str]:
    """Return the words that list the collections of word vectors, and do nothing else."""
    text = (
        f'{SETTINGS}export PYTHONPATH="$2"; '
        'exec "$PYTHONPATH/venv/bin/python" -m tox_com_det.store.collections'
    )
    return script(text, server.env_file, server.app_link)


def memory() -> str:
    """Return the command that prints a container's "limit used" in bytes, --, /proc/meminfo.

    In a container /proc/meminfo is the host's; the control group of its first process, or the one
    above that, has the limit (version 1 and 2 name the files differently).
    """
    text = (
        "m=/sys/fs/cgroup/memory; p=$(sed -n 's/^[0-9]*:memory://p' /proc/1/cgroup); "
        'for d in "$m${p%/init.scope}" "$m" /sys/fs/cgroup; do '
        '[ ! -r "$d/memory.limit_in_bytes" ] || '
        '{ echo $(cat "$d/memory.limit_in_bytes" "$d/memory.usage_in_bytes"); break; }; '
        '[ ! -r "$d/memory.max" ] || '
        '{ echo $(cat "$d/memory.max" "$d/memory.current"); break; }; '
        "done; echo --; cat /proc/meminfo"
    )
    return join(script(text))


def logs(server: ServerConfig, lines: int, follow: bool) -> list[str]:
    """Return the words that print the journal of every slot."""
    words = ["journalctl", "-u", server.unit.format(slot="*"), "-n", str(lines), "--no-pager"]
    return [*words, "-f"] if follow else words
