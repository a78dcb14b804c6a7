"""The account behind the stand-in of Linode's API: servers, firewalls, domains, events."""

from __future__ import annotations

import base64
import itertools
import re
import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from linode_catalog import CREATED, IMAGES, REGIONS, TYPES
from linode_filters import Invalid

LABEL = re.compile(r"[a-zA-Z]((?!--|__|\.\.)[a-zA-Z0-9-_.])+")
RULES = {"inbound", "inbound_policy", "outbound", "outbound_policy"}
PREPARED = {"provisioning": "booting", "booting": "running"}


@dataclass
class Account:
    """Everything that the stand-in remembers.

    Attributes:
        machine: called with a new server's request and user data; returns its address.
        looks: how often a server is asked for before its status goes on.
        fails: action of events that end as failed, such as "linode_boot".
    """

    machine: Callable[[dict[str, Any], str], str] = lambda request, user_data: "203.0.113.10"
    looks: int = 1
    fails: str = ""
    images: list[dict] = field(default_factory=lambda: deepcopy(IMAGES))
    types: list[dict] = field(default_factory=lambda: deepcopy(TYPES))
    regions: list[dict] = field(default_factory=lambda: deepcopy(REGIONS))
    servers: list[dict] = field(default_factory=list)
    firewalls: list[dict] = field(default_factory=list)
    devices: dict[int, list[dict]] = field(default_factory=dict)
    domains: list[dict] = field(default_factory=list)
    records: dict[int, list[dict]] = field(default_factory=dict)
    events: list[dict] = field(default_factory=list)
    requests: dict[int, dict] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1001))
    lock: Any = field(default_factory=threading.RLock)
    asked: dict[int, int] = field(default_factory=dict)

    def add_domain(self, name: str) -> dict[str, Any]:
        """Put a domain into the account, as its owner does in Cloud Manager."""
        domain = {
            "id": next(self.numbers),
            "domain": name,
            "type": "master",
            "status": "active",
            "soa_email": f"admin@{name}",
            "description": None,
            "group": "",
            "tags": [],
            "ttl_sec": 0,
            "axfr_ips": [],
            "master_ips": [],
            "expire_sec": 0,
            "refresh_sec": 0,
            "retry_sec": 0,
        }
        self.domains.append(domain)
        self.records[domain["id"]] = []
        return domain

    def add_record(self, domain_id: int, body: dict[str, Any]) -> dict[str, Any]:
        """POST /domains/{domainId}/records."""
        if body.get("type") not in ("A", "AAAA", "NS", "MX", "CNAME", "TXT", "SRV", "PTR", "CAA"):
            raise Invalid("type is required", "type")
        empty = dict.fromkeys(("priority", "weight", "port", "service", "protocol", "tag"))
        record = {**empty, "id": next(self.numbers), "name": "", "ttl_sec": 0, "target": ""}
        record |= {"created": CREATED, "updated": CREATED, **body}
        self.records[domain_id].append(record)
        return record

    def add_server(self, body: dict[str, Any]) -> dict[str, Any]:
        """POST /linode/instances."""
        plan = self._known("type", body, self.types)
        self._known("region", body, self.regions)
        if "image" in body:
            self._known("image", body, self.images)
            if not body.get("root_pass"):
                raise Invalid("root_pass is required", "root_pass")
        label = body.get("label") or f"linode{next(self.numbers)}"
        self._check_label(label, 64, self.servers)
        wall = body.get("firewall_id")
        if wall is not None and all(one["id"] != wall for one in self.firewalls):
            raise Invalid("Invalid firewall_id", "firewall_id")
        encoded = body.get("metadata", {}).get("user_data", "")
        user_data = base64.b64decode(encoded).decode()
        server = {
            "id": next(self.numbers),
            "label": label,
            "group": "",
            "status": "provisioning" if body.get("booted", True) else "offline",
            "type": body["type"],
            "region": body["region"],
            "image": body.get("image"),
            "ipv4": [self.machine(body, user_data)],
            "ipv6": "2001:db8::10/128",
            "tags": body.get("tags", []),
            "specs": {key: plan[key] for key in ("disk", "memory", "vcpus", "gpus", "transfer")},
            "backups": {
                "enabled": body.get("backups_enabled", False),
                "available": False,
                "schedule": {"day": None, "window": None},
                "last_successful": None,
            },
            "alerts": {"cpu": 90, "io": 10000, "network_in": 10, "network_out": 10},
            "hypervisor": "kvm",
            "host_uuid": "0" * 40,
            "has_user_data": bool(user_data),
            "watchdog_enabled": True,
            "lke_cluster_id": None,
            "capabilities": [],
            "created": CREATED,
            "updated": CREATED,
        }
        self.servers.append(server)
        self.requests[server["id"]] = body
        self.add_event("linode_create", server, "started")
        if wall is not None:
            self.add_device(wall, {"id": server["id"], "type": "linode"})
        return server

    def look(self, server: dict[str, Any]) -> dict[str, Any]:
        """GET /linode/instances/{linodeId}: each `looks` looks its status goes on."""
        seen = dict(server)
        self.asked[server["id"]] = self.asked.get(server["id"], 0) + 1
        if self.asked[server["id"]] % self.looks == 0 and server["status"] in PREPARED:
            for event in self.events:
                if event["entity"]["id"] == server["id"] and event["status"] == "started":
                    event |= {"status": "finished", "percent_complete": 100}
            if server["status"] == "provisioning":
                self.add_event("linode_boot", server, "started")
            failed = self.events[-1]["status"] == "failed"
            server["status"] = "offline" if failed else PREPARED[server["status"]]
        return seen

    def boot(self, server: dict[str, Any]) -> dict[str, Any]:
        """POST /linode/instances/{linodeId}/boot."""
        if server["status"] != "offline":
            raise Invalid("Linode is not powered off.")
        server["status"] = "booting"
        self.add_event("linode_boot", server, "started")
        return {}

    def add_event(self, action: str, server: dict[str, Any], status: str) -> None:
        """Note what is done with a server."""
        failed = action == self.fails
        self.events.append(
            {
                "id": next(self.numbers),
                "action": action,
                "status": "failed" if failed else status,
                "percent_complete": 30,
                "message": "Host is full" if failed else None,
                "entity": {
                    "id": server["id"],
                    "label": server["label"],
                    "type": "linode",
                    "url": f"/v4/linode/instances/{server['id']}",
                },
                "secondary_entity": None,
                "username": "tests",
                "created": CREATED,
                "duration": 0.0,
                "rate": None,
                "read": False,
                "seen": False,
                "time_remaining": None,
            }
        )

    def add_firewall(self, body: dict[str, Any]) -> dict[str, Any]:
        """POST /networking/firewalls."""
        self._check_label(body.get("label", ""), 32, self.firewalls)
        rules = body.get("rules")
        if not isinstance(rules, dict) or not RULES >= rules.keys() >= {"inbound_policy"}:
            raise Invalid("rules are required", "rules")
        for rule in rules.get("inbound", []) + rules.get("outbound", []):
            if rule["action"] not in ("ACCEPT", "DROP") or len(rule.get("label", "")) > 32:
                raise Invalid("Must be ACCEPT or DROP", "rules.inbound")
        firewall = {
            "id": next(self.numbers),
            "label": body["label"],
            "rules": {**rules, "version": 1, "fingerprint": "00000000"},
            "status": "enabled",
            "tags": body.get("tags", []),
            "created": CREATED,
            "updated": CREATED,
        }
        self.firewalls.append(firewall)
        self.devices[firewall["id"]] = []
        return firewall

    def add_device(self, firewall_id: int, body: dict[str, Any]) -> dict[str, Any]:
        """POST /networking/firewalls/{firewallId}/devices."""
        server = next((one for one in self.servers if one["id"] == body["id"]), None)
        if body["type"] != "linode" or server is None:
            raise Invalid("Invalid device", "id")
        entity = {"id": server["id"], "label": server["label"], "type": "linode"}
        device = {
            "id": next(self.numbers),
            "entity": {**entity, "url": f"/v4/linode/instances/{server['id']}"},
            "created": CREATED,
            "updated": CREATED,
        }
        self.devices[firewall_id].append(device)
        return device

    def remove_server(self, server: dict[str, Any]) -> None:
        """DELETE /linode/instances/{linodeId}, which takes it out of its firewalls."""
        self.servers.remove(server)
        for devices in self.devices.values():
            devices[:] = [one for one in devices if one["entity"]["id"] != server["id"]]

    def _known(self, name: str, body: dict[str, Any], offered: list[dict]) -> dict[str, Any]:
        found = next((one for one in offered if one["id"] == body.get(name)), None)
        if found is None:
            raise Invalid(f"{name} is not valid", name)
        return found

    def _check_label(self, label: str, longest: int, others: list[dict]) -> None:
        if not LABEL.fullmatch(label) or not 3 <= len(label) <= longest:
            raise Invalid(f"Length must be 3-{longest} characters", "label")
        if any(one["label"] == label for one in others):
            raise Invalid("Label must be unique among your resources", "label")
