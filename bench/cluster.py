"""What several app hosts answer, and what a request costs each part: `python -m bench.cluster`.

    ANSIBLE_INVENTORY=molecule/cluster/inventory python -m bench.cluster --write docs/scaling.md

Sends a bounded load through the balancer of an inventory (docs/scaling.md), first with one app host
in it, then with two, and so on; the others are held out (`toxctl balancer hold-out`). Warm: texts
whose words the hosts know. Cold: each word is asked once in the whole run. Before and after each
load the processor time of the parts is read on their hosts, so the cost of a request is known even
where all hosts share this machine's processors. From that cost the table says what hosts with a
processor each would answer: this is computed, not measured.

It makes an API key for the time of the run, and revokes it. Containers of this machine only, unless
--anywhere is given: it is a load test.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.cluster_report import Case, table, write
from bench.serving import BenchError
from bench.serving.load import request, send

PROJECT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
WORDS = 14
CONNECTIONS_PER_HOST = 8
MOST_SECONDS = 30
COLD_REQUESTS = 900
FREQUENT = 2000
KEY_NAME = "bench-cluster"
# The parts by a word of their command line, the first that fits; ticks of the processor in each.
PARTS = {
    "bin/uwsgi": "service",
    "uWSGI": "service",
    "gunicorn": "service",
    "nginx": "nginx",
    "haproxy": "balancer",
    "secantusd": "database",
    "mongod": "database",
}
READ = (
    "for p in /proc/[0-9]*; do "
    "printf '%s|%s\\n' \"$(cat $p/stat)\" \"$(tr '\\0' ' ' <$p/cmdline)\"; "
    "done 2>/dev/null; getconf CLK_TCK; nproc"
)


@dataclass(frozen=True)
class Cluster:
    """The hosts of an inventory by group, and the balancer's address."""

    app: list[str]
    balancer: str
    address: str

    @classmethod
    def of_inventory(cls) -> Cluster:
        """Read the inventory of ansible.cfg or ANSIBLE_INVENTORY.

        Raises:
            BenchError: it has no app hosts or no balancer.
        """
        found = json.loads(run("ansible-inventory", "--list"))
        hosts = {name: found.get(name, {}).get("hosts", []) for name in ("app", "balancer")}
        if not hosts["app"] or not hosts["balancer"]:
            raise BenchError("the inventory has no groups app and balancer: see docs/scaling.md")
        balancer = hosts["balancer"][0]
        return cls(hosts["app"], balancer, found["_meta"]["hostvars"][balancer]["cluster_address"])


def run(program: str, *arguments: str) -> str:
    """Standard output of a program of this environment; BenchError if it fails."""
    done = subprocess.run(  # noqa: S603 (words of this program, no shell)
        [str(PROGRAMS / program), *arguments],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(
            f"{program} {' '.join(arguments[:2])}: {(done.stderr or done.stdout)[-800:]}"
        )
    return done.stdout


def processor_seconds() -> dict[str, float]:
    """Processor time of each part until now, over all hosts; `processors`: of the first host."""
    seconds = dict.fromkeys(PARTS.values(), 0.0)
    module = ("--module-name", "ansible.builtin.shell", "--args", READ)
    with tempfile.TemporaryDirectory() as tree:
        run("ansible", "tox_com_det", "--become", "--tree", tree, *module)
        answers = [json.loads(file.read_text()) for file in Path(tree).iterdir()]
    for answer in answers:
        lines = answer["stdout"].splitlines()
        ticks, processors = int(lines[-2]), int(lines[-1].split()[0])
        seconds["processors"] = float(processors)
        for process in lines[:-2]:
            stat, _, command = process.rpartition("|")
            part = next((PARTS[word] for word in PARTS if word in command), None)
            fields = stat.rpartition(")")[2].split()
            if part and len(fields) > 12:
                seconds[part] += (int(fields[11]) + int(fields[12])) / ticks
    return seconds


@contextmanager
def held_out(cluster: Cluster, host: str) -> Iterator[None]:
    """The balancer sends nothing to a host while the body runs."""
    command = f"sleep 600 | /usr/local/sbin/toxctl balancer hold-out {host}"
    unit = f"bench-hold-out-{host}"
    shell = ("--become", "--module-name", "ansible.builtin.shell", "--args")
    start = f"systemd-run --quiet --unit {unit} sh -c '{command}' && sleep 3"
    run("ansible", cluster.balancer, *shell, start)
    try:
        yield
    finally:
        run("ansible", cluster.balancer, *shell, f"systemctl stop {unit}.service; sleep 3")


def texts(vocabulary: Sequence[str]) -> tuple[list[str], Iterator[list[str]]]:
    """Texts of frequent words, and lists of texts whose words come once in all of them."""
    chosen = random.Random(18)  # noqa: S311 (a sample, not a secret)
    warm = [" ".join(chosen.choices(vocabulary[:FREQUENT], k=WORDS)) for _ in range(64)]
    rare = list(vocabulary[FREQUENT:])
    chosen.shuffle(rare)
    size = WORDS * COLD_REQUESTS
    parts = (rare[start : start + size] for start in range(0, len(rare) - size, size))
    cold = ([" ".join(part[at : at + WORDS]) for at in range(0, size, WORDS)] for part in parts)
    return warm, cold


def measure(
    name: str, count: int, address: str, requests: list[bytes], seconds: float, most: int
) -> Case:
    """Send a load with `count` app hosts and return what it cost."""
    connections = CONNECTIONS_PER_HOST * count
    before = processor_seconds()
    load = send(80, requests, connections, seconds, most, address)
    after = processor_seconds()
    cost = {part: after[part] - before[part] for part in set(PARTS.values())}
    answered = len(load.times)
    case = Case(
        name,
        count,
        connections,
        answered / load.seconds,
        sorted(load.times)[int(0.99 * answered) - 1],
        {part: 1000 * used / answered for part, used in cost.items()},
    )
    print(case.line(), flush=True)
    return case


def cases(cluster: Cluster, options: argparse.Namespace, key: str) -> list[Case]:
    """Measure 1, 2, ... app hosts, warm and cold."""
    vocabulary = list(json.loads((PROJECT / "sample_model/word_index.json").read_text()))
    warm, cold = texts(vocabulary)
    found = []

    def as_requests(chosen: list[str]) -> list[bytes]:
        bodies = (json.dumps({"text": text}).encode() for text in chosen)
        return [
            request("/predict", body, cluster.address, [f"X-Api-Key: {key}"]) for body in bodies
        ]

    for count in range(1, len(cluster.app) + 1):
        with ExitStack() as stack:
            for host in cluster.app[count:]:
                stack.enter_context(held_out(cluster, host))
            # Until each worker knows the words.
            send(80, as_requests(warm), CONNECTIONS_PER_HOST * count, 3, 100_000, cluster.address)
            for _ in range(options.rounds):
                found.append(
                    measure(
                        "warm", count, cluster.address, as_requests(warm), options.seconds, 10**6
                    )
                )
            found.append(
                measure(
                    "cold",
                    count,
                    cluster.address,
                    as_requests(next(cold)),
                    MOST_SECONDS,
                    COLD_REQUESTS,
                )
            )
    return found


@contextmanager
def api_key() -> Iterator[str]:
    """A key for the time of the run, with the limits of a key's holder."""
    shown = run("fab", "add-key", "--name", KEY_NAME)
    try:
        yield next(word for word in shown.split() if word.startswith("toxcomdet_"))
    finally:
        run("fab", "revoke-key", "--key", KEY_NAME)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each warm load, at most 30")
    parser.add_argument("--rounds", type=int, default=3, help="of warm loads")
    parser.add_argument("--write", type=Path, help="a page with the marks of the table")
    parser.add_argument("--anywhere", action="store_true", help="also a public address")
    options = parser.parse_args(arguments)
    options.seconds = min(options.seconds, MOST_SECONDS)
    try:
        cluster = Cluster.of_inventory()
        if not ipaddress.ip_address(cluster.address).is_private and not options.anywhere:
            raise BenchError(f"{cluster.address} is public: see --anywhere")
        with api_key() as key:
            found = cases(cluster, options, key)
        processors = int(processor_seconds()["processors"])
    except BenchError as error:
        print(f"bench.cluster: {error}", file=sys.stderr)
        return 1
    shown = table(found, datetime.now(UTC).date(), processors)
    print(shown)
    if options.write:
        write(options.write, shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
