"""GET /metrics of a slot with several workers: whichever answers, the figures are those of all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

# Does what its input says, one line each: requests a path and prints the answer's length and text.
WORKER = """
import sys
from tox_com_det.wsgi import application
client = application.test_client()
for line in sys.stdin:
    text = client.get(line.strip()).text
    print(len(text), flush=True)
    print(text, end="", flush=True)
"""


class Worker:
    """A worker process of a slot."""

    def __init__(self, model: Path, directory: Path) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "TOX_COM_DET_MODEL": str(model),
                "TOX_COM_DET_MONGODB_URI": "mongodb://127.0.0.1:9",
                "PROMETHEUS_MULTIPROC_DIR": str(directory),
            },
        )

    def get(self, path: str) -> str:
        """Return the body of the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(path + "\n")
        self.process.stdin.flush()
        return self.process.stdout.read(int(self.process.stdout.readline()))

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Value of each sample by its name and the values of its labels."""
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(self.get("/metrics"))
            for sample in family.samples
        }

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def workers(model: Path, tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    directory = tmp_path / "metrics"
    directory.mkdir()
    both = Worker(model, directory), Worker(model, directory)
    yield both
    for worker in both:
        worker.kill()


LIVEZ = "tox_com_det_requests_total", "/livez", "200"
RUNNING = "tox_com_det_requests_held", "running"


def test_each_worker_shows_what_all_of_them_counted(workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    one.get("/livez")
    two.get("/livez")
    two.get("/livez")
    assert one.metrics()[LIVEZ] == 3
    assert two.metrics()[LIVEZ] == 3
    found = one.metrics()
    assert found["tox_com_det_request_seconds_count", "/livez"] == 3
    assert [value for name, value in found.items() if name[0] == "tox_com_det_info"] == [1]
    assert found[RUNNING] == 0


def test_what_a_killed_worker_counted_stays_and_what_it_held_does_not(
    workers: tuple[Worker, Worker], tmp_path: Path
) -> None:
    one, two = workers
    two.get("/livez")
    pid = two.process.pid
    assert list((tmp_path / "metrics").glob(f"gauge_live*_{pid}.db"))
    two.kill()
    assert one.metrics()[LIVEZ] == 1
    assert list((tmp_path / "metrics").glob(f"counter_{pid}.db"))
    assert not list((tmp_path / "metrics").glob(f"gauge_live*_{pid}.db"))
