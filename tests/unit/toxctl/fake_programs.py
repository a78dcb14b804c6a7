"""The programs that toxctl calls on a server (systemctl, runuser, Python), as shell scripts."""

from __future__ import annotations

from pathlib import Path

__all__ = ["APP_PYTHON", "write"]

SYSTEMCTL = """#!/bin/sh
# State of a unit: one file per property. `$FAKE/die` holds words at which the caller is killed.
echo "$*" >> "$FAKE/log"
for last; do :; done
case "$1" in show) last=$2 ;; esac
unit=$FAKE/units/$last
mkdir -p "$unit"
put() { echo "$2" > "$unit/$1.new" && mv "$unit/$1.new" "$unit/$1"; }
get() { cat "$unit/$1" 2>/dev/null || echo "$2"; }
slot=${last#*@}; slot=${slot%.service}
case "$1" in
  --version) echo "systemd $(cat "$FAKE/version" 2>/dev/null || echo 252) (252.1)" ;;
  show)
    echo "ActiveState=$(get active inactive)"; echo "SubState=$(get sub dead)"
    echo "MainPID=$(get pid 0)"; echo "MemoryCurrent=$(get memory 18446744073709551615)" ;;
  is-enabled) get enabled disabled ;;
  enable) put enabled enabled ;;
  disable) put enabled disabled ;;
  stop) put active inactive; put sub dead; put pid 0 ;;
  start)
    if [ -e "$FAKE/start-fails" ]; then put active activating; put sub auto-restart; exit 0; fi
    cp "$SLOTS/$slot.json" "$unit/pinned"
    put pid $(( $(get pid 0) + 100 )); put sub running; put active active ;;
esac
if [ -e "$FAKE/fail" ]; then
  case "$*" in $(cat "$FAKE/fail")*) echo "no luck" >&2; exit 1 ;; esac
fi
if [ -e "$FAKE/die" ]; then
  case "$*" in $(cat "$FAKE/die")*) rm "$FAKE/die"; kill -KILL $PPID ;; esac
fi
exit 0
"""
# The scope's command without the scope: its options are in the log. It runs in the service's
# environment, so the path of the log is written into it.
SYSTEMD_RUN = """#!/bin/sh
echo "systemd-run $*" >> "$FAKE/log"
while :; do case "$1" in -p) shift 2 ;; -*) shift ;; *) break ;; esac; done
exec "$@"
"""
RUNUSER = """#!/bin/sh
shift 3
exec "$@"
"""
JOURNALCTL = """#!/bin/sh
echo "journal of $2: the last words"
"""
# An app's interpreter: what a module prints and returns is in a file of its name.
APP_PYTHON = """#!/bin/sh
here=${0%/*}; answers=$here/../../../../answers
[ "$1" = -c ] && exec sh "$answers/import" "$PYTHONPATH" "$2"
[ "$2" = compileall ] && exit 0
[ "$2" = pip ] && exec sh "$answers/pip" "$@"
exec sh "$answers/${2##*.}" "$@"
"""
# The server's Python: makes an environment that has the interpreter above.
SERVER_PYTHON = """#!/bin/sh
mkdir -p "$4/bin"
cp "${0%/*}/app-python" "$4/bin/python"
"""


def write(directory: Path, fake: Path) -> None:
    """Write the programs into a directory; `fake` holds their state and their log."""
    programs = {
        "systemctl": SYSTEMCTL,
        "systemd-run": SYSTEMD_RUN.replace("$FAKE", str(fake)),
        "runuser": RUNUSER,
        "journalctl": JOURNALCTL,
        "app-python": APP_PYTHON,
        "python": SERVER_PYTHON,
    }
    for name, text in programs.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
