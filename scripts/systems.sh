# shellcheck shell=sh
# Sourced by the tests that set up a server of any system: what the environment says of its container, as molecule's scenarios read it
# (docs/centos7.md, docs/el9.md, docs/arch.md: "In a container").

of_system() { # of_system SYSTEM IMAGE|VOLUMES|SOURCES: the value of NANODE_<SYSTEM>_<name>, or nothing
    printenv "NANODE_$(printf %s "$1" | tr '[:lower:]' '[:upper:]')_$2" || true
}

create_nanode() { # create_nanode SYSTEM ARGUMENT...: python -m controller.nanode create, with the system's volumes
    system=$1
    shift
    for volume in $(of_system "$system" VOLUMES); do
        set -- "$@" --volume "$volume"
    done
    python -m controller.nanode create --system "$system" "$@"
}
