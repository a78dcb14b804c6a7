"""A laptop with an inventory of its own, Linode's API and the server that it creates: stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
import pytest
from linode_account import Account
from linode_standin import TOKEN, StandIn, serving
from ssh_standin import SshStandIn

from controller.cloud.api import open_client
from controller.cloud.create import Session, create_server
from controller.cloud.inventories import Inventory, make_inventory, read_inventory
from controller.cloud.keys import public_key
from controller.cloud.server import Wish
from controller.cloud.waiting import Clock


@dataclass
class Time:
    """Time that passes when somebody waits."""

    passed: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.passed += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.passed, self.sleep)


@dataclass
class Laptop:
    """What `fab create-server` works with, and what it said."""

    api: StandIn
    ssh: SshStandIn
    path: Path
    key: Path
    time: Time = field(default_factory=Time)
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    agrees: bool = True

    @property
    def account(self) -> Account:
        return self.api.account

    @property
    def inventory(self) -> Inventory:
        return Inventory(self.path)

    def client(self) -> Any:
        return open_client(TOKEN, self.said.append, self.time.sleep)

    def wish(self, **other: Any) -> Wish:
        asked = {
            "label": "web-1",
            "region": "de-fra-2",
            "image": "linode/debian13",
            "type": "g6-nanode-1",
            "key": public_key(self.key),
        }
        return Wish(**{**asked, **other})

    def create(self, dry_run: bool = False, **other: Any) -> bool:
        def agree(question: str) -> bool:
            self.asked.append(question)
            return self.agrees

        session = Session(
            client=self.client(),
            inventory=read_inventory(self.path),
            say=self.said.append,
            agree=agree,
            key_file=self.key.with_suffix(""),
            clock=self.time.clock,
            ssh_port=self.ssh.port,
        )
        return create_server(session, self.wish(**other), dry_run=dry_run)

    def posts(self) -> list[str]:
        """Return the paths of what was created, in its order."""
        return [path.removeprefix("/v4") for method, path in self.api.log if method == "POST"]


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's public key, with the private one beside it."""
    private = tmp_path_factory.mktemp("key") / "id_ecdsa"
    pair = paramiko.ECDSAKey.generate()
    pair.write_private_key_file(str(private))
    public = private.with_suffix(".pub")
    public.write_text(f"{pair.get_name()} {pair.get_base64()} me@laptop\n")
    return public


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshStandIn]:
    """The server that is created."""
    server = SshStandIn(tmp_path)
    yield server
    server.close()


@pytest.fixture
def api(ssh: SshStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Linode's API, chosen by LINODE_API_URL; its servers are the stand-in of sshd."""
    with serving(StandIn(Account(machine=ssh.boot))) as standin:
        monkeypatch.setenv("LINODE_API_URL", standin.url)
        yield standin


@pytest.fixture
def laptop(api: StandIn, ssh: SshStandIn, key: Path, tmp_path: Path) -> Laptop:
    """A laptop whose inventory is a copy of the example."""
    path = tmp_path / "mine"
    make_inventory(path)
    return Laptop(api, ssh, path, key)
