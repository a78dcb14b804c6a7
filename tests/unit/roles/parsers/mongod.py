"""The YAML of mongod.conf."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from parsers.error import ParseError

MONGOD_KEYS: dict[str, type | tuple[type, ...]] = {
    "net.bindIp": str,
    "net.ipv6": bool,
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
    "operationProfiling.mode": str,
    "operationProfiling.slowOpThresholdMs": int,
    "processManagement.timeZoneInfo": str,
    "replication.replSetName": str,
    "security.authorization": str,
    "security.clusterAuthMode": str,
    "security.keyFile": str,
    "storage.dbPath": str,
    "storage.journal.enabled": bool,
    "storage.wiredTiger.engineConfig.cacheSizeGB": (int, float),
    "systemLog.destination": str,
    "systemLog.logAppend": bool,
    "systemLog.path": str,
    "systemLog.quiet": bool,
}


def mongod(text: str) -> dict[str, object]:
    """Return mongod's settings by their dotted names."""
    try:
        found = dict(_dotted(yaml.safe_load(text), ""))
    except yaml.YAMLError as error:
        raise ParseError(str(error).replace("\n", " ")) from None
    for name, value in found.items():
        if name not in MONGOD_KEYS:
            raise ParseError(f"{name} is unknown")
        if not isinstance(value, MONGOD_KEYS[name]):
            raise ParseError(f"{name} cannot be {value!r}")
    return found


def _dotted(value: object, prefix: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _dotted(below, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
