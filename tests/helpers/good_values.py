"""Values of variables that their formats accept, also where a default is empty or a template."""

from __future__ import annotations

import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDH7XHGNfAQCFdNvvoJGZQFpuxXX3sn8U6fa2Pm5Zxyz"
USER = {"name": "a", "password": "b", "roles": [{"role": "root", "db": "admin"}]}
# Ansible takes them, and they need not be names of DNS.
INVENTORY_NAMES = ["web1", "web_1", "WEB-1.example.org", "1", "192.0.2.7", "2001:db8::7"]


def _pem() -> tuple[str, str]:
    """A certificate and its key, the same in each run."""
    key = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(start).not_valid_after(start.replace(year=2036))
    certificate = builder.sign(key, None).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.decode(), private.decode()


CERTIFICATE, PRIVATE_KEY = _pem()

GOOD: dict[str, list[Any]] = {
    "flask_app_memory_max": ["300M", "1G", "307200K", "314572800", 314572800],
    "mongodb_memory_max": ["300M", "1G", "1.5G", "1G 500M", "300 M", "infinity", "50%", "12.5%"],
    "base_journal_max_size": ["200M", "1G", "1G512M", 104857600],
    "base_swap_size": ["1G", "512M", "1.5G", "2 G", "1GB"],
    "nginx_client_max_body_size": ["1m", "10M", "512k", "1048576", 1048576, 0],
    "nginx_read_timeout": ["30s", "30", 30, "1m30s", "1m", "500ms", "1h", "1d", "2w"],
    "nginx_listen_port": [1, 80, 65535, "8080"],
    "nginx_log_refused_percent": [0, 1, 100, "5"],
    "nginx_worker_connections": [128, 8192, "500000"],
    "log_rotation_max_size": ["20M", "512k", "1G", "1048576", 1048576],
    "log_rotation_interval": ["5min", "30s", "1h"],
    "nginx_server_name": [
        "_",
        "a.example.org b.example.org",
        "*.example.org",
        ".example.org",
        "~^www\\d+\\.example\\.org$",
        "~^(?<sub>[]a-z]+)\\.example\\.org$",
        "~(?|a|b)\\h*+$",  # PCRE alone knows it
        "~^[[:alnum:]]+$",  # Python warns of it
        "192.0.2.1",
        "www.example.*",
        "LOCALHOST",
    ],
    "nginx_module_stream": ["", None, "1.24", "1"],
    "nginx_public_url": [
        "",
        "https://toxic.example.org/",
        "http://192.0.2.1:8080",
        None,
        "http://[2001:db8::1]/",
    ],
    "flask_app_mongodb_uri": [
        "mongodb://127.0.0.1:27017",
        "mongodb://user:pass%2Fword@127.0.0.1:27018/?authSource=admin",
        "mongodb://a,b:27018,c/?replicaSet=x",
        "mongodb+srv://u:p@cluster.example.org/db?retryWrites=true",
        "mongodb://[::1]:27017",
        "mongodb://u:p{{a}}'$%25\"@h",
        # The file is the server's, and not on this computer.
        "mongodb://u:p@h:65535/?tls=true&tlsCAFile=/etc/tox_com_det/mongodb-ca.pem",
    ],
    "firewalld_extra_ports": [[], ["8443/tcp", "60000-61000/udp"]],
    "firewalld_services": [["http", "https", "dhcpv6-client", "RH-Satellite-6"]],
    "mongodb_remote_sources": [["203.0.113.7", "203.0.113.0/24", "2001:db8::/64", "10.0.0.5/8"]],
    "mongodb_remote_bind_ip": ["198.51.100.4", "", "2001:db8::1", "0.0.0.0"],
    "mongodb_cache_size_gb": [0.25, 1, "0.5", 2, 10_000],
    "mongodb_max_connections": [5, 64],
    "mongodb_version": ["4.0", "8.0"],
    "mongodb_key_fingerprint": ["4B0752C1BCA238C0B4EE14DC41DE058A4E7DCA05"],
    "mongodb_access_users": [[], [USER]],
    "tls_mode": ["off", False, "acme"],  # YAML reads off without quotes as false
    "tls_names": [[], ["toxic.example.org", "203.0.113.7", "2001:db8::7", "localhost"]],
    "tls_certificate_file": ["", "/etc/a b.pem", "~/tls/fullchain.pem"],
    "backup_name": INVENTORY_NAMES,
    "uninstall_confirm": ["", *INVENTORY_NAMES],
    "backup_repository": [
        "",
        "/mnt/disk/toxic",
        "sftp:b@backup.example.org:toxic/a",
        "sftp://b@192.0.2.9:2022//srv/toxic",
        "s3:https://s3.example.org/bucket/a",
        "s3:http://127.0.0.1:9000/bucket",
    ],
    "backup_password": ["", "a long pass{{word", "twelve chars"],
    "backup_ssh_known_hosts": [[], [f"192.0.2.9 {KEY}", f"[h]:2022,a {KEY} a comment"]],
    "backup_schedule": ["03:31", "*-*-* 03:31:00", "Mon,Thu 03:00", "hourly"],
    "tls_acme_directory": ["https://127.0.0.1:14000/dir"],
    "tls_email": ["", "a.b+c@example.org"],
    "tls_acme_profile": ["", "shortlived"],
    "sudo_user_name": ["deploy", "a", "svc_1-x"],
    "sudo_user_shell": ["/bin/bash", "/usr/bin/zsh"],
    "sudo_user_authorized_keys": [
        [KEY, f"{KEY} me@laptop", f'from="192.0.2.0/24" {KEY} a b'],
        [f"# mine\n{KEY}\n\n{KEY} two\n"],
    ],
    "sudo_user_password_hash": ["", "$6$salt$" + "a" * 86, "$y$j9T$abc/def.$" + "b" * 43],
    "sudo_user_nopasswd": [True, False],
    "base_packages": [
        [
            "htop",
            "libstdc++6",
            "gcc-c++",
            "python3.11",
            "nginx=1.2-3~deb12u1",
            "@development",
            "/usr/bin/semanage",
        ]
    ],
    "miniconda_environments": [
        [
            {
                "name": "article",
                "python": "3.6.8",
                "packages": ["tensorflow=1.9", "numpy>=1.1,<2"],
                "channels": ["conda-forge", "https://conda.example.org/a"],
            }
        ],
    ],
    "package_sources_base_url": [
        "https://vault.centos.org/7.9.2009/os/$basearch/",
        "file:///mnt/iso",
        "http://192.0.2.3:8000/a",
    ],
    "package_sources_proxy": ["", "http://proxy.example.org:3128", "http://u:p@192.0.2.1:1"],
    "package_sources_centos_key": ["RPM-GPG-KEY-CentOS-7", "/home/me/a key"],
    "python_interpreter": ["/usr/bin/python3.11"],
    "selinux_http_ports": [[80, 8081, "443"]],
    "flask_app_threads": [1, "64", 1000],
    "flask_app_wheel_target": ["debian13", "debian12", "el9", "el7"],
    "sshd_permit_root_login": ["no", "prohibit-password"],
    # Their defaults are empty, or templates.
    "balancer_listen_ipv6": [True],
    "nginx_listen_ipv6": [True],
    "backup_drill_schedule": ["*-*-02 03:07:00"],
    "flask_app_public_url": ["https://toxic.example.org"],
    "package_sources_updates_url": ["https://vault.centos.org/7.9.2009/updates/$basearch/"],
    "package_sources_extras_url": ["https://vault.centos.org/7.9.2009/extras/$basearch/"],
    "backup_ssh_private_key": [PRIVATE_KEY],
    "backup_s3_key_id": ["AKIAIOSFODNN7EXAMPLE"],
    "backup_s3_secret": ["wJalrXUtnFEMI/K7MDENG"],
    "balancer_app_hosts": [[{"name": "app1", "address": "192.0.2.7", "port": 80}]],
    "base_extra_packages": [["htop"]],
    "exposure_address": ["203.0.113.7"],
    "flask_app_mongodb_ca": [CERTIFICATE],
    "flask_app_perspective_attributes": [[{"attribute": "TOXICITY", "label": "toxic"}]],
    "flask_app_perspective_languages": [["en", "hi-Latn"]],
    "hardening_fail2ban_ignore": [["203.0.113.0/24"]],
    "miniconda_installer": ["Miniconda3-latest-Linux-x86_64.sh"],
    "miniconda_installer_sha256": ["a" * 64],
    "mongodb_repository_url": ["https://repo.example.org/apt"],
    "mongodb_key_url": ["https://repo.example.org/key.asc"],
    "mongodb_aur_commit": ["a" * 40],
    "mongodb_replica_set": ["toxic"],
    "mongodb_replica_set_key": ["a" * 64],
    "mongodb_tls_certificate_key": [CERTIFICATE + PRIVATE_KEY],
    "mongodb_tls_ca": [CERTIFICATE],
    "mongodb_secantusdb_target": ["debian13"],
    "nginx_metrics_allowed": [["203.0.113.7"]],
    "nginx_trusted_proxies": [["203.0.113.0/24", "2001:db8::1"]],
    "preflight_own_variables": [["my_variable"]],
    "selinux_booleans": [["httpd_can_network_connect"]],
    "tls_key_file": ["/etc/tls/key.pem"],
    "tls_acme_ca_file": ["~/ca.pem"],
}
