"""Requests to a slot: what counts as an answer, and what is tried again."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
from fake_server import GOLDEN, LABELS, FakeServer

from toxctl import probe
from toxctl import watch as watch_module
from toxctl.errors import NotReady, ToxctlError
from toxctl.manifest import Case, Expected
from toxctl.slots import Slots
from toxctl.watch import Watch

EXPECTED = Expected("one", LABELS, 1e-4, [Case(*one) for one in GOLDEN.items()])


def live(server: FakeServer) -> str:
    return f"http://127.0.0.1:{server.port}/live"


def answers(monkeypatch: pytest.MonkeyPatch, server: FakeServer, status: int, body: Any) -> None:
    """Let /predict answer this."""
    before = server.answer

    def answer(path: str, sent: dict[str, Any] | None) -> tuple[int, Any]:
        return (status, body) if path.endswith("/predict") else before(path, sent)

    monkeypatch.setattr(server, "answer", answer)


def test_as_many_golden_outputs_are_asked_as_wanted(serving: FakeServer) -> None:
    assert probe.check_golden(live(serving), EXPECTED) == 2
    assert probe.check_golden(live(serving), EXPECTED, limit=1) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(500, NotReady), (503, NotReady), (404, ToxctlError), (422, ToxctlError)]
)
def test_only_faults_of_the_server_may_pass(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch, status: int, error: type[ToxctlError]
) -> None:
    answers(monkeypatch, serving, status, {"error": {"message": "no"}})
    with pytest.raises(ToxctlError, match=rf"predict returned {status} .*\('idiot'\)") as raised:
        probe.check_golden(live(serving), EXPECTED)
    assert type(raised.value) is error
    assert raised.value.details.startswith(f"the answer was {status}:")


@pytest.mark.parametrize("body", ["text", [], {"model": "other", "scores": {}}])
def test_answer_of_another_model_is_wrong(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    answers(monkeypatch, serving, 200, body)
    with pytest.raises(ToxctlError, match="the answer is not of model one"):
        probe.check_golden(live(serving), EXPECTED)


def test_slot_that_does_not_answer_is_not_ready() -> None:
    with pytest.raises(NotReady, match=r"http://127.0.0.1:9/readyz does not answer: .*refused"):
        probe.check_ready("http://127.0.0.1:9", "one")


def test_invalid_http_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise http.client.BadStatusLine("?")

    monkeypatch.setattr(probe.OPENER, "open", broken)
    with pytest.raises(NotReady, match="returned invalid output"):
        probe.ask("http://127.0.0.1:9/readyz")


def test_any_slot_may_answer_if_none_is_named(serving: FakeServer) -> None:
    probe.check_ready(live(serving), "one")
    probe.check_ready(live(serving), "one", "blue")
    with pytest.raises(ToxctlError, match="is answered by slot blue, not by green"):
        probe.check_ready(live(serving), "one", "green")


@pytest.mark.parametrize(
    ("errors", "forgiven"),
    [
        ([NotReady("timed out")], True),
        ([NotReady("timed out"), NotReady("timed out")], False),
        ([ToxctlError("another model")], False),
    ],
    ids=["lost", "lost-twice", "wrong"],
)
def test_one_lost_answer_is_forgiven_right_after_the_switch(
    serving: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    slots: Slots,
    errors: list[ToxctlError],
    forgiven: bool,
) -> None:
    """Also one that took longer than a stale connection may be in use."""
    watch = Watch(slots, "blue", EXPECTED, 100, [], poll=0.0)
    results = list(errors)

    def ask(self: Watch, limit: int | None) -> None:
        if results:
            raise results.pop()

    monkeypatch.setattr(watch_module, "STALE_SECONDS", -1.0)
    monkeypatch.setattr(Watch, "ask", ask)
    with serving.inside():
        if forgiven:
            watch.confirm()
        else:
            with pytest.raises(ToxctlError):
                watch.confirm()
    assert not results


@pytest.mark.parametrize("lost", [1, 2])
def test_one_lost_answer_is_forgiven_while_a_slot_is_watched(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch, slots: Slots, lost: int
) -> None:
    watch = Watch(slots, "blue", EXPECTED, 100, [], poll=0.0)
    results = [NotReady("502")] * lost

    def ask(self: Watch, limit: int | None) -> None:
        if results:
            raise results.pop()

    monkeypatch.setattr(Watch, "ask", ask)
    with serving.inside():
        if lost == 1:
            watch.watch(0.0001)
        else:
            with pytest.raises(NotReady):
                watch.watch(0.0001)
    assert not results
