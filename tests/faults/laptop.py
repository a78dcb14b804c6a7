"""The laptop: Fabric's tasks as processes, with an inventory that may lead through a proxy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cut_proxy import CutProxy
from faulty_server import HANG_SECONDS, STATE, wait

from controller.deploy.paths import ROOT

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, all of its output, seconds."""

    code: int
    output: str
    seconds: float

    @property
    def error(self) -> str:
        """The last line that says why it failed."""
        lines = [line for line in self.output.splitlines() if line.startswith("error:")]
        return lines[-1] if lines else ""


class Attempt:
    """A running command."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self.log, self.begin = process, log, time.monotonic()

    def output(self) -> str:
        """Its output so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, pattern: str, seconds: float = HANG_SECONDS) -> None:
        """Wait until it prints something; AssertionError if it ends before."""

        def reached() -> bool:
            ended = self.process.poll() is not None
            found = re.search(pattern, self.output(), re.MULTILINE)
            assert found or not ended, f"it ended without {pattern!r}:\n{self.output()}"
            return found is not None

        wait(reached, pattern, seconds)

    def wait(self, seconds: float = HANG_SECONDS) -> Done:
        """Wait until it has ended."""
        code = self.process.wait(seconds)
        return Done(code, self.output(), time.monotonic() - self.begin)

    def kill(self) -> None:
        """Kill it with SIGKILL, as an empty battery does."""
        self.process.kill()
        self.process.wait()


class Laptop:
    """Runs commands in a checkout."""

    def __init__(self, work: Path, inventory: Path, checkout: Path = ROOT) -> None:
        self.work, self.inventory, self.checkout = work, inventory, checkout
        self.attempts: list[Attempt] = []
        self.others: list[Laptop] = []
        work.mkdir(parents=True, exist_ok=True)

    def start(self, program: str, *arguments: str) -> Attempt:
        """Start a command and return at once."""
        log = self.work / f"{len(self.attempts)}-{program}.log"
        environment = {
            **os.environ,
            "ANSIBLE_INVENTORY": str(self.inventory),
            "ANSIBLE_NOCOLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }
        with log.open("w") as out:
            process = subprocess.Popen(  # noqa: S603 (words of the tests)
                [str(BIN / program), *arguments],
                cwd=self.checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.attempts.append(Attempt(process, log))
        return self.attempts[-1]

    def fab(self, *arguments: str) -> Done:
        """Run a Fabric task to its end."""
        return self.start("fab", *arguments).wait()

    def call(self, command: list[str]) -> str:
        """Run a program that has to succeed, and return its output."""
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (words of the tests, no shell)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def new_host_key(self) -> str:
        """A host key that no server has, in the form of known_hosts."""
        key = self.work / "other-host-key"
        key.unlink(missing_ok=True)
        self.call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
        return Path(f"{key}.pub").read_text(encoding="utf-8")

    def end(self) -> None:
        """Leave nothing running."""
        for other in self.others:
            other.end()
        for attempt in self.attempts:
            if attempt.process.poll() is None:
                attempt.kill()

    def through(self, proxy: CutProxy) -> Laptop:
        """The same laptop with an inventory that leads through the proxy."""
        key = (STATE / "known_hosts").read_text(encoding="utf-8").split(maxsplit=1)[1]
        return self.with_host_key(key, "proxied", ansible_port=proxy.port)

    def with_host_key(self, key: str, name: str, **variables: Any) -> Laptop:
        """The same laptop with this host key of the server (type and base64) in known_hosts."""
        known = self.work / f"known_hosts-{name}"
        port = variables.get("ansible_port") or self._host()["ansible_port"]
        known.write_text(f"[127.0.0.1]:{port} {key}", encoding="utf-8")
        options = (
            f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
        )
        return self.with_variables(name, ansible_ssh_common_args=options, **variables)

    def with_hooks(self, **scripts: str) -> Laptop:
        """The same laptop with hooks, `before_verify="..."` and so on, as shell scripts."""
        hooks = self.work / "hooks"
        hooks.mkdir(exist_ok=True)
        for name, script in scripts.items():
            hook = hooks / name.replace("_", "-")
            hook.write_text(f"#!/bin/sh\nset -eu\n{script}\n", encoding="utf-8")
            hook.chmod(0o755)
        return self.with_variables("hooked", deploy_hooks_dir=str(hooks))

    def with_variables(self, name: str, **variables: Any) -> Laptop:
        """The same laptop with other variables of the server in its inventory."""
        inventory = self.work / f"inventory-{name}"
        shutil.copytree(self.inventory / "group_vars", inventory / "group_vars", dirs_exist_ok=True)
        (host,) = self._hosts()
        content = {"tox_com_det": {"hosts": {host: {**self._host(), **variables}}}}
        (inventory / "hosts.yml").write_text(json.dumps(content) + "\n", encoding="utf-8")
        return self._other(Laptop(self.work / name, inventory, self.checkout))

    def in_checkout(self, checkout: Path) -> Laptop:
        """The same laptop in another checkout."""
        return self._other(Laptop(self.work / checkout.name, self.inventory, checkout))

    def _other(self, other: Laptop) -> Laptop:
        self.others.append(other)
        return other

    def _hosts(self) -> dict[str, Any]:
        text = (self.inventory / "hosts.yml").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return json.loads("\n".join(lines))["tox_com_det"]["hosts"]

    def _host(self) -> dict[str, Any]:
        return next(iter(self._hosts().values()))
