# shellcheck shell=sh
# Sourced by scripts/venv and scripts/up, which need a Python before there is an environment.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# As root on Debian and Ubuntu, install a missing program; elsewhere, name the command that does.
need() { # need <purpose> <package>...
    purpose=$1
    shift
    command -v apt-get >/dev/null 2>&1 || die "$purpose is missing: install it, then run this again"
    [ "$(id -u)" -eq 0 ] || die "$purpose is missing: run 'sudo apt-get install $*', then run this again"
    say "Installing $* for $purpose ..."
    apt-get -qq update >/dev/null || die "'apt-get update' failed"
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$@" >/dev/null 2>&1 ||
        die "'apt-get install $*' failed"
}

find_python() { # set $python to Python 3.11 or newer; install venv and ssh if they are missing
    python=
    for candidate in python3.11 python3.12 python3.13 python3 "$(readlink -f .venv/bin/python)"; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || die "Python 3.11 or newer is missing: install it, then run this again"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need "a virtual environment" python3-venv
    command -v ssh >/dev/null 2>&1 || need "ssh" openssh-client
}
