"""What `fab` reaches in the fuzz: a directory of its own, closed ports and stand-ins.

The checkout's build, the user's home, inventory and token are out of its reach.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from linode_account import Account
from linode_standin import TOKEN, StandIn, serving
from local_service import running
from tiny_bundle import TinyBundle

from controller.cloud import inventories
from controller.deploy import inventory, limits, paths, reach
from controller.deploy.inventory import Host
from controller.deploy.tasks import scored

KERAS = Path(__file__).parents[1] / "fixtures" / "keras"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDH7XHGNfAQCFdNvvoJGZQFpuxXX3sn8U6fa2Pm5Zxyz me\n"
HOST = Host("x", "127.0.0.1", 1, "deploy", known_hosts=(Path(os.devnull),))


class World:
    """The directory in which `fab` runs, and what is beside it.

    Attributes:
        root: everything that a task may write is below it.
        url: of a service that answers.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = ""
        self.build = root / "build"
        # Deep enough for ../../ in a value.
        self.here = root / "a" / "b" / "c" / "d"
        self.home = root / "home"
        self.here.mkdir(parents=True)
        self.home.mkdir()
        (self.here / "comments.csv").write_text(
            "comment_text,toxic\n" + "".join(f"comment {n} is,{n % 2}\n" for n in range(120))
        )
        (self.here / "pairs.csv").write_text(
            "text,attribute,score,problem\n"
            + "".join(f"comment {n},TOXICITY,{n / 100},\n" for n in range(40))
        )
        (self.here / "vectors.txt").write_text("comment 0.5 -1\nis 2 3e-1\n")
        words = {f"word{n}": n for n in range(1, 39)}
        (self.here / "words.json").write_text(json.dumps(words))
        (self.here / "key").write_text("AIza-made-up\n")
        (self.here / "id.pub").write_text(PUBLIC)
        shutil.copy(KERAS / "functional_keras2.h5", self.here / "model.h5")
        TinyBundle().write(self.here / "bundle")

    def content(self) -> dict[str, tuple[int, ...]]:
        """What tells whether a file was written, of each file but those that tasks build."""
        found: dict[str, tuple[int, ...]] = {}
        for parent, directories, files in os.walk(self.root):
            if parent == str(self.root):
                directories[:] = [name for name in directories if name != self.build.name]
            found[parent] = ()
            for name in files:
                state = os.lstat(os.path.join(parent, name))
                found[f"{parent}/{name}"] = (state.st_ino, state.st_size, state.st_mtime_ns)
        return found

    def clear(self) -> None:
        """Remove what was built."""
        shutil.rmtree(self.build, ignore_errors=True)

    def reach_nothing_else(self, patch: pytest.MonkeyPatch, linode: str) -> None:
        """Lead every way out of the directory to a stand-in."""
        patch.chdir(self.here)
        for name in list(os.environ):
            if name.startswith(("ANSIBLE_", "LINODE_", "SSH_AUTH_SOCK", "FABRIC_", "INVOKE_")):
                patch.delenv(name)
        patch.setenv("HOME", str(self.home))
        patch.setenv("LINODE_API_URL", linode)
        patch.setenv("LINODE_TOKEN", TOKEN)
        build = paths.BUILD
        for module, name, path in list(paths_below(build)):
            patch.setattr(sys.modules[module], name, self.build / path.relative_to(build))
        for one in (reach, scored):
            patch.setattr(one, "read_hosts", read_hosts)
        # Ansible reads a directory with all that is below it, such as /.
        patch.setattr(inventories, "read_inventory", inventories.Inventory)


def read_hosts(source: str | None, limit: str | None) -> list[Host]:
    """Read both as the real one does, without Ansible, which takes half a second."""
    inventory.inventory_source(source)
    if limit is not None:
        limits.refuse_limit_to_nothing(limit)
    return [HOST]


def paths_below(directory: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield module, name and value of each constant of this project's that is a path in it."""
    for module, content in list(sys.modules.items()):
        if module == "fabfile" or module.split(".")[0] == "controller":
            for name, value in list(vars(content).items()):
                if isinstance(value, Path) and value.is_relative_to(directory):
                    yield module, name, value


@contextmanager
def world_in(root: Path) -> Iterator[World]:
    """Yield the world, with the service and Linode's API that run in it."""
    made = World(root)
    patch = pytest.MonkeyPatch()
    account = Account(machine=lambda *_: pytest.fail("a server was created"))
    with running(root / "service") as service, serving(StandIn(account)) as linode:
        made.url = service.url
        made.reach_nothing_else(patch, linode.url)
        try:
            yield made
        finally:
            patch.undo()
