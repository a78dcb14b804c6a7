"""Module `mongodb_replica_set` against a set in memory: order of commands, refusals, races."""

from __future__ import annotations

from typing import Any

import pytest
from fake_replica_set import MODULE, Fake

ONE, TWO, THREE, FOUR, FIVE = (f"192.0.2.{10 + i}:27017" for i in range(5))
ALL = [ONE, TWO, THREE]


def refused(fake: Fake, step: str = "adjust", **options: Any) -> str:
    with pytest.raises(MODULE.Refused) as caught:
        fake.run(step, **options)
    return str(caught.value)


# ---- initiation


def test_the_first_member_initiates_before_there_are_users():
    fake = Fake(ALL)
    answer = fake.run(wanted=ALL, may_initiate=True)
    assert answer == {
        "changed": True,
        "primary": ONE,
        "is_primary": True,
        "done": ["initiated"],
    }
    assert fake.changes() == ["replSetInitiate"]
    assert fake.members() == ALL


def test_a_single_member_is_a_set_that_can_grow():
    fake = Fake([ONE, TWO, THREE])
    assert fake.run(wanted=[ONE], may_initiate=True)["done"] == ["initiated"]
    fake.users = True
    assert fake.run(wanted=ALL)["done"] == [f"added {TWO}", f"added {THREE}"]
    assert fake.members() == ALL


def test_the_second_run_changes_nothing_and_needs_no_login():
    fake = Fake(ALL)
    fake.run(wanted=ALL, may_initiate=True)
    fake.commands.clear()
    assert fake.run(wanted=ALL, may_initiate=True)["changed"] is False
    assert {command for _, command in fake.commands} == {"hello"}


def test_check_mode_says_what_it_would_do():
    fake = Fake(ALL)
    answer = fake.run(wanted=ALL, may_initiate=True, check_mode=True)
    assert (answer["changed"], answer["done"]) == (True, ["initiated"])
    assert fake.changes() == []
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    answer = fake.run(wanted=[ONE, TWO, FOUR], check_mode=True)
    assert answer["done"] == [f"added {FOUR}", f"removed {THREE}"]
    assert fake.changes() == []


def test_another_run_that_initiates_at_the_same_time_is_no_error():
    fake = Fake(ALL)

    def faster(_address: str, command: str) -> None:
        if command == "replSetInitiate" and fake.config is None:
            fake.initiated(*ALL)
            fake.users = False

    fake.before = faster
    answer = fake.run(wanted=ALL, may_initiate=True)
    assert (answer["changed"], answer["done"]) == (False, [])
    assert fake.members() == ALL


def test_it_is_not_initiated_while_a_member_does_not_answer():
    fake = Fake(ALL)
    fake.servers[TWO].running = False
    words = refused(fake, wanted=ALL, may_initiate=True)
    assert f"not initiated, and {TWO} does not answer" in words
    assert fake.changes() == []


def test_only_the_first_member_initiates():
    words = refused(Fake(ALL), wanted=ALL, own=TWO)
    assert "rerun `ansible-playbook site.yml` without --limit" in words


def test_a_first_member_that_is_new_does_not_initiate_a_second_set():
    """The set is where the others are, whatever the order of the inventory."""
    fake = Fake([FOUR, *ALL]).initiated(*ALL)
    answer = fake.run(wanted=[FOUR, TWO, THREE], may_initiate=True)
    assert answer["done"] == [f"added {FOUR}", f"removed {ONE}"]
    assert "replSetInitiate" not in fake.changes()


def test_mongods_refusal_of_a_member_with_data_is_passed_on():
    fake = Fake(ALL)
    fake.servers[THREE].has_data = True
    assert f"{THREE} has data already" in refused(fake, wanted=ALL, may_initiate=True)


def test_a_member_of_another_set_is_refused():
    fake = Fake(ALL).initiated(*ALL)
    fake.servers[TWO].set_name = "other"
    assert f"{TWO} is a member of replica set other" in refused(fake, wanted=ALL)


def test_a_member_that_runs_without_a_set_is_refused():
    fake = Fake(ALL)
    fake.servers[TWO].set_name = None
    assert f"{TWO} runs without replica set toxic" in refused(fake, wanted=ALL, may_initiate=True)


# ---- members


def test_a_new_member_has_no_vote_before_it_has_copied_the_data():
    fake = Fake([*ALL, FOUR, FIVE]).initiated(*ALL)
    answer = fake.run(wanted=[*ALL, FOUR, FIVE])
    assert answer["done"] == [f"added {FOUR}", f"added {FIVE}"]
    assert [votes.get(FOUR) for votes in fake.votes_seen] == [0, 1, 1, 1]
    assert [votes.get(FIVE) for votes in fake.votes_seen] == [None, None, 0, 1]
    assert fake.now >= 2 * fake.copy_seconds


def test_a_member_is_replaced_by_adding_before_removing():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    answer = fake.run(wanted=[ONE, TWO, FOUR])
    assert answer["done"] == [f"added {FOUR}", f"removed {THREE}"]
    assert len(fake.votes_seen[-2]) == 4
    assert fake.members() == [ONE, TWO, FOUR]
    assert fake.run(wanted=[ONE, TWO, FOUR])["changed"] is False


def test_a_primary_that_leaves_steps_down_first():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    answer = fake.run(wanted=[TWO, THREE, FOUR], own=TWO)
    assert fake.changes()[-2:] == ["replSetStepDown", "replSetReconfig"]
    assert answer["primary"] in (TWO, THREE, FOUR)
    assert fake.members() == [TWO, THREE, FOUR]


def test_a_dead_member_is_replaced():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    fake.servers[THREE].running = False
    fake.run(wanted=[ONE, TWO, FOUR])
    assert fake.members() == [ONE, TWO, FOUR]


@pytest.mark.parametrize("wanted", [[ONE], [ONE, FOUR, FIVE], [FOUR, FIVE, "192.0.2.99:27017"]])
def test_half_of_the_votes_are_never_removed_in_one_run(wanted: list[str]):
    fake = Fake([*ALL, FOUR, FIVE, "192.0.2.99:27017"]).initiated(*ALL)
    assert "half of the votes or more" in refused(fake, wanted=wanted)
    assert fake.changes() == []


def test_two_of_five_leave_one_after_the_other():
    fake = Fake([*ALL, FOUR, FIVE]).initiated(*ALL, FOUR, FIVE)
    assert fake.run(wanted=ALL)["done"] == [f"removed {FOUR}", f"removed {FIVE}"]
    assert [len(votes) for votes in fake.votes_seen] == [4, 3]


def test_a_member_is_not_removed_if_the_rest_would_have_no_majority():
    """Of the three that would stay, two are down: together with the leaving one they are a set."""
    fake = Fake([*ALL, FOUR, FIVE]).initiated(*ALL, FOUR, FIVE)
    fake.servers[TWO].running = fake.servers[THREE].running = False
    words = refused(fake, wanted=[ONE, TWO, THREE])
    assert f"{FOUR} is not removed" in words
    assert len(fake.members()) == 5


def test_a_new_member_that_does_not_answer_is_not_added():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    fake.servers[FOUR].running = False
    assert f"{FOUR} is not added, because it does not answer" in refused(fake, wanted=[*ALL, FOUR])
    assert fake.members() == ALL


def test_a_member_that_never_finishes_copying_gets_no_vote_and_the_next_run_goes_on():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    fake.copy_seconds = float("inf")
    words = refused(fake, wanted=[ONE, TWO, FOUR], sync_timeout=60)
    assert f"{FOUR} is STARTUP2 after 60 s and has no vote yet" in words
    assert fake.votes_seen == [{ONE: 1, TWO: 1, THREE: 1, FOUR: 0}]
    fake.servers[FOUR].copied_at = fake.now
    answer = fake.run(wanted=[ONE, TWO, FOUR])
    assert answer["done"] == [f"gave {FOUR} its vote", f"removed {THREE}"]


def test_without_a_majority_nothing_is_changed():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    fake.servers[TWO].running = fake.servers[THREE].running = False
    fake.elect()
    words = refused(fake, wanted=[ONE, TWO, FOUR], timeout=30)
    assert "no primary after 30 s: 2 of 3 members answer" in words
    assert fake.changes() == []


def test_another_run_that_changes_the_configuration_meanwhile_is_read_again():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    left = [2]

    def faster(_address: str, command: str) -> None:
        if command == "replSetReconfig" and left[0] and fake.config is not None:
            left[0] -= 1
            fake.config["version"] += 1

    fake.before = faster
    fake.run(wanted=[*ALL, FOUR])
    assert fake.members() == [*ALL, FOUR]


def test_two_runs_that_add_the_same_member_add_it_once():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    other: list[Any] = []

    def second_run(_address: str, command: str) -> None:
        if command == "replSetReconfig" and not other:
            other.append(True)
            other.append(fake.run(wanted=[*ALL, FOUR]))

    fake.before = second_run
    fake.run(wanted=[*ALL, FOUR])
    assert fake.members() == [*ALL, FOUR]
    assert fake.voters() == [*ALL, FOUR]


def test_the_primary_may_change_between_reading_and_changing():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    once = [True]

    def election(_address: str, command: str) -> None:
        if command == "replSetReconfig" and once:
            once.clear()
            fake.primary = TWO

    fake.before = election
    fake.run(wanted=[*ALL, FOUR])
    assert fake.members() == [*ALL, FOUR]


def test_members_that_an_administrator_hid_stay_without_a_vote():
    fake = Fake([*ALL, FOUR]).initiated(*ALL)
    assert fake.config is not None
    hidden = {"_id": 3, "host": FOUR, "votes": 0, "priority": 0, "hidden": True}
    fake.config["members"].append(hidden)
    fake.servers[FOUR].joined = True
    assert fake.run(wanted=[*ALL, FOUR])["changed"] is False


# ---- restarts


def test_a_secondary_is_not_stepped_down():
    fake = Fake(ALL).initiated(*ALL)
    answer = fake.run("step_down", own=TWO)
    assert (answer["changed"], answer["primary"], answer["is_primary"]) == (False, ONE, False)
    assert fake.changes() == []


def test_a_primary_steps_down_before_its_restart():
    fake = Fake(ALL).initiated(*ALL)
    answer = fake.run("step_down", own=ONE)
    assert fake.changes() == ["replSetStepDown"]
    assert answer["changed"]
    assert answer["primary"] in (TWO, THREE)
    assert fake.run("step_down", own=ONE)["changed"] is False


def test_check_mode_does_not_step_down():
    fake = Fake(ALL).initiated(*ALL)
    assert fake.run("step_down", own=ONE, check_mode=True)["changed"]
    assert fake.changes() == []


@pytest.mark.parametrize("own", [ONE, TWO])
def test_no_member_is_restarted_while_another_is_down(own: str):
    """A second run, or one whose first member did not come up, stops here."""
    fake = Fake(ALL).initiated(*ALL)
    fake.servers[THREE].running = False
    words = refused(fake, "step_down", own=own, timeout=20)
    assert "not restarted, because the others would have no majority" in words
    assert f"{THREE} is DOWN" in words
    assert fake.now >= 20
    assert fake.changes() == []


def test_it_waits_for_a_member_that_another_run_restarts():
    fake = Fake(ALL).initiated(*ALL)
    fake.servers[THREE].running = False

    def comes_back(_address: str, _command: str) -> None:
        fake.servers[THREE].running = fake.now >= 10

    fake.before = comes_back
    assert fake.run("step_down", own=ONE)["changed"]


def test_a_connection_that_closes_at_the_step_down_is_no_error():
    """MongoDB 4.0 closes all of them."""
    fake = Fake(ALL).initiated(*ALL)
    real = fake._replSetStepDown

    def closes(server: Any, command: dict[str, Any]) -> dict[str, Any]:
        real(server, command)
        raise MODULE.Unanswered("connection closed")

    fake._replSetStepDown = closes  # type: ignore[method-assign]  # as 4.0 does
    assert fake.run("step_down", own=ONE)["changed"]


@pytest.mark.parametrize("members", [[ONE], [ONE, TWO]])
def test_a_set_that_cannot_keep_its_majority_is_restarted_all_the_same(members: list[str]):
    fake = Fake(ALL).initiated(*members)
    answer = fake.run("step_down", own=members[0])
    assert answer["changed"] is (len(members) > 1)


def test_a_member_of_no_set_yet_is_restarted_as_it_is():
    assert Fake(ALL).run("step_down")["changed"] is False
    assert Fake(ALL).run("ready")["changed"] is False


def test_a_restarted_member_is_ready_once_it_is_secondary():
    fake = Fake(ALL).initiated(*ALL)
    fake.servers[TWO].copied_at = 30.0
    assert fake.run("ready", own=TWO)["primary"] == ONE
    assert fake.now >= 30


def test_a_member_that_does_not_come_up_stops_the_run():
    fake = Fake(ALL).initiated(*ALL)
    fake.servers[TWO].running = False
    words = refused(fake, "ready", own=TWO, timeout=45)
    assert "not ready after 45 s" in words
    assert "mongod.log" in words


def test_without_the_administrator_it_says_how_to_make_it():
    fake = Fake(ALL).initiated(*ALL)
    fake.users = False
    words = refused(fake, "step_down", own=ONE)
    assert "--tags mongodb_access" in words
