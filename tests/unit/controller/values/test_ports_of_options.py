"""Two ports of nginx, or of HAProxy, are not the same."""

from __future__ import annotations

from typing import Any

import pytest

from controller.values.options import defaults_of_roles
from controller.values.ports import OPTIONS, port_problems

CLUSTER = {"tox_com_det": ["lb", "app1"], "balancer": ["lb"], "app": ["app1"]}
ONE = {"tox_com_det": ["app1"]}


def problems(groups: dict[str, list[str]], host: str, **options: Any) -> list[str]:
    known = {name: defaults_of_roles()[name] for name in OPTIONS}
    return list(port_problems({**known, **options}, groups, host))


@pytest.mark.parametrize("mode", ["off", False, "selfsigned"])
@pytest.mark.parametrize(("groups", "host"), [(ONE, "app1"), (CLUSTER, "app1"), (CLUSTER, "lb")])
def test_the_defaults_differ(groups: dict[str, list[str]], host: str, mode: object) -> None:
    assert problems(groups, host, tls_mode=mode) == []


@pytest.mark.parametrize(
    ("host", "options", "first", "second"),
    [
        ("app1", {"tls_listen_port": 80}, "nginx_listen_port", "tls_listen_port"),
        ("app1", {"nginx_listen_port": "443"}, "nginx_listen_port", "tls_listen_port"),
        ("app1", {"nginx_listen_port": 8081}, "nginx_listen_port", "nginx_probe_port"),
        ("app1", {"tls_listen_port": "08081"}, "nginx_probe_port", "tls_listen_port"),
        ("lb", {"balancer_listen_port": 443}, "balancer_listen_port", "tls_listen_port"),
        ("lb", {"balancer_metrics_port": 80}, "balancer_listen_port", "balancer_metrics_port"),
    ],
)
def test_equal_ports_are_one_line(
    host: str, options: dict[str, Any], first: str, second: str
) -> None:
    groups = CLUSTER if host == "lb" else ONE
    (found,) = problems(groups, host, tls_mode="selfsigned", **options)
    assert found.startswith(f"{first} and {second} are both ")
    assert found.endswith(": set one of them to another port")


def test_a_port_that_nothing_listens_on_may_be_that_of_another() -> None:
    assert problems(ONE, "app1", tls_mode="off", nginx_listen_port=443) == []
    assert problems(CLUSTER, "app1", tls_mode="acme", nginx_listen_port=443) == []
    assert problems(CLUSTER, "lb", tls_mode="acme", nginx_listen_port=443) == []
    assert list(port_problems({"tls_mode": "acme", "nginx_listen_port": 80}, ONE, "app1")) == []
