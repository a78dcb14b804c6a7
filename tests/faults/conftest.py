"""What the fault tests share: the server, the laptop, bundles, the load, and the table of rows.

scripts/test-faults creates the server; without it these tests stop at once and name that command.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from bundles import Bundles, read
from cut_proxy import CutProxy
from faulty_server import FaultyServer, promised, wait
from laptop import Done, Laptop
from rows import Row, table
from under_load import Seen, UnderLoad

from controller.deploy.paths import BUILD
from controller.nanode import NanodeError

WORK = BUILD / "faults"
RATE = float(os.environ.get("FAULTS_RATE", "40"))
# For a switch that has to be rolled back, or a slot that has to start again.
BACK_SECONDS = 15.0
MOMENT_SECONDS = 2.0
ROWS = pytest.StashKey[list[Row]]()


class Scene:
    """One fault under load: its setup, and what has to be true afterwards."""

    def __init__(
        self, row: Row, server: FaultyServer, laptop: Laptop, bundles: Bundles, load: UnderLoad
    ) -> None:
        self.row, self.server, self.laptop = row, server, laptop
        self.bundles, self.load = bundles, load
        # The live model, and another one to deploy next.
        self.old = bundles.good[server.live_model()]
        self.next = bundles.other() if self.old == bundles.base() else bundles.base()

    def fab(self, *arguments: str, laptop: Laptop | None = None) -> Done:
        """Run a task."""
        return (laptop or self.laptop).fab(*arguments)

    def succeeds(self, *arguments: str, laptop: Laptop | None = None) -> Done:
        """Run a task that has to succeed."""
        done = self.fab(*arguments, laptop=laptop)
        assert done.code == 0, done.output
        return done

    def fails(self, *arguments: str, words: str = "", laptop: Laptop | None = None) -> Done:
        """Run a task that has to fail with one line that helps."""
        done = self.fab(*arguments, laptop=laptop)
        self.check_failure(done, words)
        return done

    def check_failure(self, done: Done, words: str = "") -> None:
        """Assert that a task failed with a line, not with a traceback, and note the line."""
        assert done.code == 1, done.output
        assert "Traceback" not in done.output, done.output
        assert done.error, done.output
        assert words in done.output, f"{words!r} is not in: {done.output}"
        # The hooks of these tests inject a fault, they never fail themselves.
        assert "the hook /" not in done.error, done.output
        self.note(f"laptop: {done.error.removeprefix('error: ')}")

    def deploy(self, bundle: Path) -> tuple[str, ...]:
        """The arguments that deploy a bundle."""
        return ("deploy-model", "--bundle", str(bundle))

    def deploys(self, bundle: Path, laptop: Laptop | None = None) -> Done:
        """Assert that a bundle can be deployed and is live then."""
        done = self.succeeds(*self.deploy(bundle), laptop=laptop)
        self.server.serves(bundle)
        return done

    def unchanged(self) -> None:
        """Assert that the previous model is still live and healthy."""
        self.free()
        self.server.serves(self.old)

    def next_deploy_works(self) -> None:
        """Assert that the next good deploy succeeds."""
        self.deploys(self.next)

    def free(self) -> None:
        """Wait until nothing is running on the server."""
        self.server.when("free").struck()

    def note(self, words: str) -> None:
        """Add a remark to the table."""
        self.row.remarks.append(words if len(words) < 240 else words[:237] + "...")


Fault = Callable[..., AbstractContextManager[Scene]]


@pytest.fixture(scope="session")
def server() -> FaultyServer:
    try:
        return FaultyServer.find()
    except NanodeError:
        pytest.exit("these tests need a Nanode of their own: run scripts/test-faults", 2)


@pytest.fixture(scope="session")
def bundles() -> Bundles:
    return Bundles(WORK / "bundles")


@pytest.fixture(scope="session")
def inventory() -> Path:
    return WORK / "inventory"


@pytest.fixture(scope="session")
def serving(server: FaultyServer, bundles: Bundles, inventory: Path) -> FaultyServer:
    """The server with the sample model live."""
    if server.live_model() != read(bundles.base())["model_version"]:
        repair(server, bundles, Laptop(WORK / "laptop" / "before", inventory))
    server.serves(bundles.base())
    return server


@pytest.fixture
def laptop(request: pytest.FixtureRequest, inventory: Path) -> Iterator[Laptop]:
    name = "".join(one if one.isalnum() else "-" for one in request.node.name)
    made = Laptop(WORK / "laptop" / name, inventory)
    yield made
    made.end()


@pytest.fixture
def proxy(server: FaultyServer) -> Iterator[CutProxy]:
    made = CutProxy(server.instance.ssh_port, server.receives)
    yield made
    made.close()


@pytest.fixture
def fault(
    request: pytest.FixtureRequest, serving: FaultyServer, laptop: Laptop, bundles: Bundles
) -> Fault:
    """A function that opens a scene: load runs until it is left, then its answers are checked."""
    rows = request.config.stash[ROWS]

    @contextmanager
    def opened(
        fault: str, done: str, may_fail: Callable[[Seen], bool] | None = None, rate: float = RATE
    ) -> Iterator[Scene]:
        row = Row(fault, done)
        rows.append(row)
        load = UnderLoad(serving.url, bundles.known, laptop.work / "load.jsonl", rate)
        try:
            scene = Scene(row, serving, laptop, bundles, load)
            load.start()
            wait(lambda: load.so_far().requests, "the load")
            yield scene
            row.seen = load.stop()
            check_answers(row.seen, may_fail)
            row.verdict = "yes"
        except BaseException as error:
            row.verdict = "NO: " + (str(error).splitlines() or [type(error).__name__])[0][:100]
            raise
        finally:
            load.kill()
            row.seen = load.so_far()

    return opened


def check_answers(seen: Seen, may_fail: Callable[[Seen], bool] | None) -> None:
    """Assert correct answers, and no more failures than the fault allows (by default none)."""
    assert seen.requests
    assert not seen.wrong, f"{len(seen.wrong)} wrong answers: {seen.wrong[0]}"
    if may_fail is None:
        assert not seen.failed, f"{len(seen.failed)} failed requests: {seen.failed[0]}"
    else:
        assert may_fail(seen), f"{len(seen.failed)} failed requests: {seen.summary()}"


def fails_for_a_moment(seen: Seen, moment: float = MOMENT_SECONDS) -> bool:
    """Allow as many failures as are sent in a moment, if answers resume soon."""
    return len(seen.failed) <= promised(RATE * moment) and seen.downtime < promised(BACK_SECONDS)


@pytest.fixture(autouse=True)
def healthy_server(request: pytest.FixtureRequest) -> Iterator[None]:
    """Repair the server after a test that broke something, for the tests after it."""
    yield
    if "fault" not in request.fixturenames:
        return
    server: FaultyServer = request.getfixturevalue("server")
    bundles: Bundles = request.getfixturevalue("bundles")
    inventory: Path = request.getfixturevalue("inventory")
    state = server.state()
    healthy = (
        Path(state["confirmed"].get("model", "-")).name.split("-")[0] in bundles.good
        and state["live"] == state["confirmed"].get("slot")
        and not state["lock"]
        and not state["activation"]
        and server.is_ready()
    )
    if healthy and any(word in request.node.nodeid for word in ("test_embeddings", "a_dump")):
        # The stand-in for MongoDB keeps its data in memory: half a gigabyte is its limit.
        server.drop_words("big_")
    if not healthy:
        repair(server, bundles, Laptop(WORK / "laptop" / "repair", inventory))


def repair(server: FaultyServer, bundles: Bundles, laptop: Laptop) -> None:
    """Bring the server back to a good model, whatever state it is in."""
    server.inside(f"systemctl start {server.database} nginx")
    laptop.fab("unlock")
    # A running switch completes by itself.
    server.when("free").struck()
    for task in ("restore-embeddings", "deploy-model"):
        done = laptop.fab(task, "--bundle", str(bundles.base()))
        assert done.code == 0, done.output
    wait(server.is_ready, "the service after its repair")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []
    for line in (
        "quick: part of the bounded selection, scripts/test-faults --quick",
        "at_the_end: kills the container; for two minutes the host's address translation sends "
        "later clients to its previous address (EHOSTUNREACH)",
    ):
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("at_the_end") is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table and write it beside the logs."""
    rows = terminalreporter.config.stash[ROWS]
    if not rows:
        return
    lines = table(rows)
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "table.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    terminalreporter.section("faults")
    for line in lines:
        terminalreporter.write_line(line)
