# shellcheck shell=sh
# Sourced by the other scripts: Ansible refuses to run in a locale without UTF-8, such as LC_ALL=C or a
# LANG that is not installed.
if [ "$(locale charmap 2>/dev/null)" != UTF-8 ]; then
    for LC_ALL in C.UTF-8 en_US.UTF-8; do
        [ "$(LC_ALL=$LC_ALL locale charmap 2>/dev/null)" != UTF-8 ] || break
    done
    export LC_ALL
fi
