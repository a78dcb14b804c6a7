"""A host of a cluster that switches and then fails, and what else stops a roll half way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

import pytest
import toxctl_answers as good
from fake_cluster import NEW, Cluster, rolled
from local_remote import GONE, LocalProcess

from controller.deploy.attempt import Interrupted
from controller.deploy.errors import DeployError
from controller.deploy.remote import ConnectionLost, Done


def break_the_balancer(cluster: Cluster) -> None:
    def switch() -> Done:
        cluster.lost = True
        return answer()

    answer = cluster.remotes["app2"].answers["activate"]
    assert callable(answer)
    cluster.remotes["app2"].answers["activate"] = switch


BREAK = {
    "the balancer's check": lambda cluster: cluster.unhealthy.add("app2"),
    "the balancer's connection": break_the_balancer,
    "the host's connection": lambda cluster: cluster.remotes["app2"].answers.update(prune=GONE),
    "the laptop": lambda cluster: cluster.remotes["app2"].answers.update(prune=broken_pipe),
}


def broken_pipe() -> Done:
    raise BrokenPipeError(32, "Broken pipe")


@pytest.fixture(params=BREAK)
def after_the_switch(request: pytest.FixtureRequest, cluster: Cluster) -> Cluster:
    """A cluster whose second host switches and then fails."""
    BREAK[request.param](cluster)
    return cluster


def test_a_host_that_fails_after_its_switch_is_named_with_those_to_return(after_the_switch):
    with pytest.raises(DeployError) as caught:
        rolled(after_the_switch)
    words = str(caught.value)
    assert "(done: app1, switched, then failed: app2, not begun: app3); " in words
    assert words.endswith("`fab rollback --limit app1,app2` returns the hosts that have switched")
    assert after_the_switch.remotes["app2"].sessions[0].notes["to"] == {
        "app": good.APP,
        "model": NEW,
    }


def test_all_or_none_returns_a_host_that_failed_after_its_switch(after_the_switch):
    with pytest.raises(DeployError) as caught:
        rolled(after_the_switch, all_or_none=True)
    switches = [one for one in after_the_switch.events if one.endswith("switches")]
    assert switches == [f"{name} switches" for name in ("app1", "app2", "app2", "app1")]
    words = str(caught.value)
    assert "app2 returned to its previous release" in words
    assert words.endswith("app1 returned to its previous release")


def test_a_host_that_cannot_be_returned_is_named_with_the_command(cluster):
    def lose() -> Done:
        cluster.remotes["app2"].start = refuse  # type: ignore[method-assign]  # a stand-in
        return GONE

    def refuse(_: Sequence[str]) -> LocalProcess:
        raise ConnectionLost("the connection to app2 was lost")

    cluster.remotes["app2"].answers["prune"] = lose
    with pytest.raises(DeployError) as caught:
        rolled(cluster, all_or_none=True)
    assert (
        "; app2 could not return to its previous release (the connection to app2 was lost; `fab "
        "rollback --limit app2` tries it again), app1 returned to its previous release"
    ) in str(caught.value)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let nobody read standard output any more, as `fab deploy-model | head` does."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as output:
        yield lambda: monkeypatch.setattr("sys.stdout", output)
        monkeypatch.undo()
        ignore_closed(output)


def ignore_closed(output: TextIO) -> None:
    """Let what is left in the buffer go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())


def closing(cluster: Cluster, verb: str, close: Callable[[], None]) -> None:
    """Close the output when the second host is asked for the verb."""
    answer = cluster.remotes["app2"].answers[verb]

    def close_and_answer() -> Done:
        close()
        return answer() if callable(answer) else answer

    cluster.remotes["app2"].answers[verb] = close_and_answer


def test_an_output_that_is_closed_stops_no_switch(cluster, closed):
    closing(cluster, "activate", closed)
    rolled(cluster, all_or_none=True)
    assert cluster.ends() == ["done"] * 3


def test_an_output_that_is_closed_after_the_switch_returns_the_hosts(cluster, closed):
    closing(cluster, "prune", closed)
    with pytest.raises(DeployError) as caught:
        rolled(cluster, all_or_none=True)
    assert str(caught.value) == (
        "[Errno 32] Broken pipe: see `fab status`, then rerun the command (done: app1, switched, "
        "then failed: app2, not begun: app3); app2 returned to its previous release, app1 returned "
        "to its previous release"
    )


def test_an_interruption_after_the_switch_returns_the_host_too(cluster):
    remote = cluster.remotes["app2"]
    answer = remote.answers["activate"]

    def interrupt() -> Done:
        cluster.events.append("app2 switches")
        remote.confirm(good.confirmed(NEW, previous={"model": good.OLD, "app": good.APP}))
        remote.answers["activate"] = answer
        raise KeyboardInterrupt

    remote.answers["activate"] = interrupt
    with pytest.raises(Interrupted) as caught:
        rolled(cluster, all_or_none=True)
    words = str(caught.value)
    assert "the switch is complete" in words
    assert "switched, then failed: app2" in words
    assert "; app2 returned to its previous release, app1 returned" in words


def test_a_balancer_that_is_gone_before_the_switch_changes_nothing(cluster):
    cluster.cut = True
    with pytest.raises(DeployError) as caught:
        rolled(cluster)
    words = str(caught.value)
    assert words.startswith("the connection to lb1 was lost before app1 switched: see `fab status`")
    assert "(failed: app1, not begun: app2 app3)" in words
    assert not cluster.remotes["app1"].called("activate")
