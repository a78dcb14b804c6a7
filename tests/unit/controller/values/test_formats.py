"""Formats accept what the programs take and refuse what they would ignore or misread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from good_values import CERTIFICATE, GOOD, KEY, USER

from controller.values.options import defaults_of_roles, options_of_roles
from controller.values.problems import problems_of
from controller.values.table import FORMATS

NO_INVENTORY_NAMES = ["-web", "_web", ".web", "a b", "a/b", "a%b", "web\n", "x" * 254, ["web1"]]
ANY_TEXT: list[Any] = [
    "x\n",
    "a\0b",
    "",
    None,
    True,
    [],
    {},
    "\x1b[31m",
    "a b;c",
    "x" * 5000,
    "😀 {",
]
BAD: dict[str, list[Any]] = {
    "backup_name": [*ANY_TEXT, *NO_INVENTORY_NAMES],
    "uninstall_confirm": NO_INVENTORY_NAMES,
    "backup_repository": [
        "relative",
        "/a/../b",
        "rest:https://u:p@h/",
        "sftp:host:path",
        "sftp://u:p@h//a",
        "sftp://u@h:99999//a",
        "sftp://u@h:0//a",
        "s3:https://h:65536/bucket",
        "s3:h/bucket",
        "/a b",
    ],
    "backup_password": ["short", 123456789012, "a\nlonger password"],
    "backup_ssh_known_hosts": [["192.0.2.9"], ["# comment"], [f"a {KEY}\nb {KEY}"]],
    "backup_schedule": ["", "03:31; reboot", "%h"],
    "flask_app_memory_max": [*ANY_TEXT, "300MB", "300m", "50%", "infinity", "0", "-1M", "1.5G"],
    "mongodb_memory_max": [
        *ANY_TEXT,
        "300MB",
        "300m",
        "101%",
        "0%",
        "0",
        "-1",
        "1M 1G",
        "50 %",
        "500M\n",
        "\n500M",
        "1G\t5M",
    ],
    "base_journal_max_size": [*ANY_TEXT, "200MB", "10%", "infinity", "1,5G"],
    "log_rotation_max_size": [*ANY_TEXT, "20MB", "20m", "1.5G", 0, "-1"],
    "log_rotation_interval": [*ANY_TEXT, "5m", "5", "0s", "1h 30min", "weekly"],
    "nginx_log_refused_percent": [*ANY_TEXT, -1, 101, "1%"],
    "nginx_worker_connections": [*ANY_TEXT, 0, 127, 500001],
    "base_swap_size": [*ANY_TEXT, "1", 1024, "0G", "1 Gigabyte", "1GiB"],
    "nginx_client_max_body_size": [*ANY_TEXT, "1mb", "1.5m", "10 m", "-1m", "1m; }", "1g", "1G"],
    "nginx_read_timeout": [
        *ANY_TEXT,
        "5 s",
        "30sec",
        "0s",
        "1s1m",
        "-1",
        "1m 30s",
        "5/s",
        "2M",
        "1y",
    ],
    "nginx_header_timeout": ["1M", "1y30s"],
    "nginx_requests_per_second": [*ANY_TEXT, "5/s", "5r/s", 0, -1, 1.5],
    "nginx_listen_port": [*ANY_TEXT, 0, 65536, -1, "80/tcp", "http", 80.5, 10**5000],
    "nginx_server_name": [
        *ANY_TEXT,
        "a;b",
        "a  b",
        "http://a",
        "a.b:80",
        "a/b",
        '"a"',
        "-a",
        "~a\\",
        "~a\\\\",
        "~(a",
        "a.example.org ~a)",
        "~[a",
        "~*.example.org",
    ],
    "nginx_module_stream": [1.24, "nginx:1.24", "1.24/common", "latest"],
    "nginx_public_url": ["x", "ftp://a", "https://", "https://a b", "http://a:99999", "//a"],
    "flask_app_mongodb_uri": [
        *ANY_TEXT,
        "mongodb://",
        "127.0.0.1",
        "mongodb://a:b@c@d",
        "mongodb://a:b%zz@c",
        "mongodb://a:b:c@d",
        "mongodb://a:b/c@d",
        "mongodb://a:\\b@c",
        "mongodb://h \n",
        "http://h",
        "mongodb://h:99999",
        "mongodb://h:0",
        "mongodb://h/?tsl=true",
        "mongodb://h/?tls=maybe",
        "mongodb://h/?tls=true&tls=false",
        "mongodb://h/?tlsCAFile",
        "mongodb+srv://h/?tls=maybe",
        "mongodb+srv://h:27017/",
    ],
    "firewalld_extra_ports": ["8443/tcp", [8443], ["8443"], ["0/tcp"], ["9-8/tcp"], ["1/icmp"]],
    "firewalld_services": ["http", ["ht tp"], ['a"/><b'], [None], [["http"]]],
    "mongodb_remote_sources": ["10.0.0.0/8", ["10.0.0.0/33"], ["10.0.0"], ["a.example.org"], [1]],
    "mongodb_remote_bind_ip": ["localhost", "10.0.0.0/8", "256.1.1.1"],
    "mongodb_max_connections": [0, 4],
    "mongodb_cache_size_gb": [*ANY_TEXT, 0.1, 10_001, "256M", float("nan"), float("inf"), -1],
    "mongodb_version": [8.0, "3.6", None, True, ["8.0"]],
    "mongodb_key_fingerprint": [*ANY_TEXT, "4B07 52C1"],
    "mongodb_access_users": [
        {},
        ["a"],
        [{}],
        [{**USER, "x": 1}],
        [{**USER, "password": ""}],
        [{**USER, "roles": ["root"]}],
        [{**USER, "password": "a\nb"}],
        [{**USER, "password": 123456789012}],
    ],
    "tls_mode": [True, "on", None, ["off"]],
    "tls_names": [
        "toxic.example.org",
        ["*.example.org"],
        ["203.0.113.300"],
        ["a_b.example.org"],
        ["https://a"],
        ["a,b"],
        ["x" * 64 + ".org"],
    ],
    "tls_certificate_file": ["tls/fullchain.pem", "/a\nb"],
    "tls_acme_directory": ["http://ca.example.org", "", "ca.example.org"],
    "tls_email": ["example.org", "a b@example.org", "a@b,c@d"],
    "tls_acme_profile": ["--force", "a b"],
    "sudo_user_name": [*ANY_TEXT, "Deploy User", "-a", "a:b", "ALL=(ALL)", "a,b", "%wheel"],
    "sudo_user_shell": [*ANY_TEXT, "bash", "/bin/../x", "/bin/ba sh", "/bin/%h", "~/x"],
    "sudo_user_authorized_keys": [
        KEY,
        ["ssh-ed25519 AAAA"],
        ["~/.ssh/id.pub"],
        ["# a"],
        ["-----BEGIN OPENSSH PRIVATE KEY-----"],
        [f"{KEY}\nxx"],
    ],
    "sudo_user_password_hash": ["secret", "$6$short", "$6$a:b$" + "c" * 80, "{{ x }}"],
    "sudo_user_nopasswd": ["true", "no", "False", 1, 0, None, "", []],
    "base_packages": ["htop", ["ht op"], ["-y"], [""], [{"name": "a"}], ["a;b"]],
    "miniconda_environments": [
        [{"name": "a", "python": 3.1}],
        [{"name": "a b", "python": "3"}],
        [{"name": "a"}],
        [{"name": "a", "python": "3.6.8; x"}],
        {"name": "a"},
    ],
    "package_sources_base_url": ["", "a b", "http://x/'; reboot'", "ssh://a"],
    "package_sources_proxy": ["proxy:3128", "http://a b", "http://a;reboot"],
    "python_interpreter": ["python3", "/usr/bin/python3 -x", "/a;b", "/a$b", "/a%b"],
    "selinux_http_ports": [80, [0], ["http"], [True]],
    "flask_app_threads": [*ANY_TEXT, 0, 1001, "4 threads", 8.0, "\uff11"],
    "flask_app_wheel_target": [*ANY_TEXT, "ubuntu", "el8"],
    "flask_app_drain_seconds": ["3s", -1, 0.5],
    "sshd_permit_root_login": [False, "yes", None],
}


@pytest.mark.parametrize("sign", ["\0", "\x07", "\x1b", "\x7f", "\x9b"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tls_email", "{}a@x.org"),
        ("nginx_server_name", "~^a{}"),
        ("backup_password", "twelve characters{}"),
        ("sudo_user_authorized_keys", [f"{KEY} name{{}}"]),
        ("mongodb_tls_ca", f"# of the house {{}}\n{CERTIFICATE}"),
        ("flask_app_perspective_attributes", [{"attribute": "TOXICITY", "label": "toxic{}"}]),
    ],
)
def test_no_value_has_a_control_character(name: str, value: Any, sign: str) -> None:
    def filled(one: Any, text: str) -> Any:
        if isinstance(one, list):
            return [filled(each, text) for each in one]
        if isinstance(one, dict):
            return {key: filled(each, text) for key, each in one.items()}
        return one.replace("{}", text)

    assert problems_of(name, filled(value, "")) == []
    assert len(problems_of(name, filled(value, sign))) == 1


def named(value: Any) -> str:
    """A value as a part of a test's name."""
    return "digits" if isinstance(value, int) and value > 2**64 else ascii(value)[:30]


def pairs(table: Mapping[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(name, value, id=f"{name}-{named(value)}")
        for name, values in table.items()
        for value in values
    ]


@pytest.mark.parametrize(("name", "value"), pairs(GOOD))
def test_value_that_the_program_takes_is_accepted(name: str, value: Any) -> None:
    assert problems_of(name, value) == []


@pytest.mark.parametrize(("name", "value"), pairs(BAD))
def test_value_that_the_program_does_not_take_is_one_line(name: str, value: Any) -> None:
    found = problems_of(name, value)
    assert found
    for where, words in found:
        assert where.startswith(name)
        assert "it must " in words or " key" in words
        assert len(words) < 400
        assert (where + words).isprintable()


def scalars(options: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every place of a text, a path or a number in the options, without those with choices."""
    for name, option in options.items():
        kind = option["elements"] if option["type"] == "list" else option["type"]
        if kind == "dict":
            yield from scalars(option["options"], f"{above}{name}.")
        elif kind != "bool" and not option.get("choices"):
            yield above + name, option


def test_every_option_that_a_program_may_parse_has_a_format() -> None:
    assert sorted(name for name, _ in scalars(options_of_roles())) == sorted(FORMATS)


def test_defaults_have_their_formats() -> None:
    for name, value in defaults_of_roles().items():
        if "{{" not in str(value):
            assert problems_of(name, value) == [], name


@pytest.mark.parametrize("value", ["canary", ["canary"], {"canary": "canary"}, [{"canary": 1}]])
@pytest.mark.parametrize(
    "name", [name for name, option in options_of_roles().items() if option.get("no_log")]
)
def test_value_of_a_secret_is_not_shown(name: str, value: Any) -> None:
    found = problems_of(name, value)
    assert found
    assert "canary" not in str(found)
