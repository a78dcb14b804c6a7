"""systemd units and drop-ins, and the settings of journald."""

from __future__ import annotations

import re

from parsers.error import ParseError

BOOLEAN = r"true|false|yes|no"
SIZE = r"\d+[KMGT]?"
SECONDS = r"\d+"

# Directive: the section, the version of systemd that brought it, what its value looks like.
UNIT_DIRECTIVES: dict[str, tuple[str, int, str]] = {
    "After": ("Unit", 0, r"[\w@.-]+( [\w@.-]+)*"),
    "Before": ("Unit", 0, r"[\w@.-]+( [\w@.-]+)*"),
    "CapabilityBoundingSet": ("Service", 0, r"(CAP_[A-Z_]+( CAP_[A-Z_]+)*)?"),
    "ConditionPathExists": ("Unit", 0, r"/\S+"),
    "Description": ("Unit", 0, r".+"),
    "DevicePolicy": ("Service", 0, r"closed"),
    "EnvironmentFile": ("Service", 0, r"-?/\S+"),
    "ExecReload": ("Service", 0, r"(/\S+( \S+)*)?"),
    "ExecStart": ("Service", 0, r"/\S+( \S+)*"),
    "ExecStartPre": ("Service", 0, r"/\S+( \S+)*"),
    "ExecStop": ("Service", 0, r"-?/\S+( \S+)*"),
    "IOSchedulingClass": ("Service", 0, r"idle|best-effort"),
    "IPAddressAllow": ("Service", 235, r"localhost( [0-9a-f.:/]+)*"),
    "IPAddressDeny": ("Service", 235, r"any"),
    "Nice": ("Service", 0, r"\d+"),
    "Group": ("Service", 0, r"[a-z_][a-z0-9_-]*"),
    "KillMode": ("Service", 209, r"control-group|process|mixed"),  # mixed is of 209
    "LimitCORE": ("Service", 0, r"0"),
    "LimitNOFILE": ("Service", 0, r"\d+"),
    "LockPersonality": ("Service", 235, BOOLEAN),
    "MemoryDenyWriteExecute": ("Service", 231, BOOLEAN),
    "MemoryLimit": ("Service", 0, SIZE),
    "MemoryMax": ("Service", 231, SIZE),
    "TasksMax": ("Service", 0, r"[0-9]+"),
    "NoNewPrivileges": ("Service", 187, BOOLEAN),
    "OOMScoreAdjust": ("Service", 0, r"-?\d+"),
    "PIDFile": ("Service", 0, r""),
    "PrivateDevices": ("Service", 209, BOOLEAN),
    "PrivateTmp": ("Service", 0, BOOLEAN),
    "ProtectClock": ("Service", 245, BOOLEAN),
    "ProtectControlGroups": ("Service", 232, BOOLEAN),
    "ProtectHome": ("Service", 214, BOOLEAN + r"|read-only|tmpfs"),
    "ProtectHostname": ("Service", 242, BOOLEAN),
    "ProtectKernelLogs": ("Service", 244, BOOLEAN),
    "ProtectKernelModules": ("Service", 232, BOOLEAN),
    "ProtectKernelTunables": ("Service", 232, BOOLEAN),
    "ProtectProc": ("Service", 247, r"invisible"),
    "ProtectSystem": ("Service", 232, BOOLEAN + r"|full|strict"),  # 214, but strict is of 232
    "ReadOnlyDirectories": ("Service", 0, r"-?/\S*( -?/\S+)*"),
    "ReadWriteDirectories": ("Service", 0, r"-?/\S+( -?/\S+)*"),
    "ReadWritePaths": ("Service", 231, r"-?/\S+( -?/\S+)*"),
    "RemoveIPC": ("Service", 232, BOOLEAN),
    "Restart": ("Service", 0, r"no|always|on-(success|failure|abnormal|watchdog|abort)"),
    "RestartSec": ("Service", 0, SECONDS),
    "RemainAfterExit": ("Service", 0, BOOLEAN),
    "RestrictAddressFamilies": ("Service", 211, r"~?AF_\w+( AF_\w+)*"),
    "RestrictNamespaces": ("Service", 233, BOOLEAN),
    "RestrictRealtime": ("Service", 231, BOOLEAN),
    "RestrictSUIDSGID": ("Service", 242, BOOLEAN),
    "RuntimeDirectory": ("Service", 211, r"[\w%-]+"),
    "RuntimeDirectoryMode": ("Service", 211, r"0[0-7]{3}"),
    "StartLimitInterval": ("Service", 0, SECONDS),
    "StartLimitIntervalSec": ("Unit", 230, SECONDS),
    "SupplementaryGroups": ("Service", 0, r"[a-z_][a-z0-9_ -]*"),
    "SystemCallArchitectures": ("Service", 209, r"native"),
    "SystemCallErrorNumber": ("Service", 209, r"EPERM"),
    "SystemCallFilter": ("Service", 231, r"~?@[a-z-]+( @[a-z-]+)*"),  # the groups are of 231
    "TimeoutStartSec": ("Service", 0, SECONDS),
    "TimeoutStopSec": ("Service", 0, SECONDS),
    "Type": ("Service", 0, r"simple|exec|notify|forking|oneshot"),
    "UMask": ("Service", 0, r"0[0-7]{3}"),
    "User": ("Service", 0, r"[a-z_][a-z0-9_-]*"),
    "WantedBy": ("Install", 0, r"[\w-]+\.target"),
    "Wants": ("Unit", 0, r"[\w@.-]+( [\w@.-]+)*"),
}
TIMER_DIRECTIVES: dict[str, tuple[str, int, str]] = {
    "Description": ("Unit", 0, r".+"),
    "OnBootSec": ("Timer", 0, r"\d+(s|min|h)"),
    "OnCalendar": ("Timer", 0, r"\*-\*-(\*|\d\d) \d\d(/\d)?:\d\d:\d\d"),
    "OnUnitActiveSec": ("Timer", 0, r"\d+(s|min|h)"),
    "Persistent": ("Timer", 212, BOOLEAN),
    "AccuracySec": ("Timer", 209, r"\d+(s|min|h)"),
    "WantedBy": ("Install", 0, r"timers\.target"),
}
PATH_DIRECTIVES: dict[str, tuple[str, int, str]] = {
    "Description": ("Unit", 0, r".+"),
    "PathChanged": ("Path", 0, r"/\S+"),
    "WantedBy": ("Install", 0, r"multi-user\.target"),
}
JOURNALD_DIRECTIVES = {
    "RuntimeMaxUse": ("Journal", 0, SIZE),
    "SystemMaxUse": ("Journal", 0, SIZE),
}


def systemd(
    text: str, directives: dict[str, tuple[str, int, str]] = UNIT_DIRECTIVES
) -> list[tuple[str, str, str]]:
    """Return (section, name, value) in order, duplicates included."""
    found, section = [], None
    known = {where for where, _, _ in directives.values()}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith(("#", ";")):
            continue
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
            if section not in known:
                raise ParseError(f"line {number}: unknown section [{section}]")
            continue
        name, equals, value = line.partition("=")
        if not equals or section is None:
            raise ParseError(f"line {number}: {line!r} is not a directive in a section")
        if name not in directives:
            raise ParseError(f"line {number}: {name} is unknown")
        where, _, form = directives[name]
        if section != where:
            raise ParseError(f"line {number}: {name} belongs in [{where}], not [{section}]")
        if not re.fullmatch(form, value):
            raise ParseError(f"line {number}: {name} cannot be {value!r}")
        found.append((section, name, value))
    return found


def unit(text: str) -> list[tuple[str, str, str]]:
    """Parse a complete unit, which can be started and enabled."""
    found = systemd(text)
    names = [name for _, name, _ in found]
    for name in ("Description", "ExecStart", "WantedBy"):
        if names.count(name) != 1:
            raise ParseError(f"{name} occurs {names.count(name)} times")
    return found


def timer(text: str) -> list[tuple[str, str, str]]:
    """Parse a timer, which starts the service of its name."""
    return systemd(text, TIMER_DIRECTIVES)


def path_unit(text: str) -> list[tuple[str, str, str]]:
    """Parse a unit that watches a path, and starts the service of its name."""
    return systemd(text, PATH_DIRECTIVES)


def journald(text: str) -> list[tuple[str, str, str]]:
    return systemd(text, JOURNALD_DIRECTIVES)


def tmpfiles(text: str) -> list[tuple[str, str]]:
    """Return type and path of each line of a tmpfiles.d file that makes directories."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"(d) (/[\w./-]+) 0[0-7]{3} [a-z_][\w-]* [a-z_][\w-]* -", line)
        if not match:
            raise ParseError(f"line {number}: {line!r} is not a directory with mode and owner")
        found.append((match[1], match[2]))
    return found
