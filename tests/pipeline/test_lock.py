"""Builds of one environment do not overlap, however they begin and end."""

import json
import threading
import time
from collections.abc import Callable

import pytest

from local.failure import Failure
from local.pipeline.cloud import Build, Cloud
from local.pipeline.lock import Lock
from tests.pipeline.google import BUCKET, Google
from tests.pipeline.steps import run, start


def lock_of(google: Google, build: str, *, wait_seconds: float = 20) -> Lock:
    env = google.env(build)
    return Lock(Cloud(env), Build.from_env(env), wait_seconds=wait_seconds, pause_seconds=0.01)


def test_of_many_at_once_one_goes_on_at_a_time(google: Google) -> None:
    inside: list[str] = []
    most, done = [0], []

    def build(name: str) -> None:
        lock = lock_of(google, name)
        lock.take()
        inside.append(name)
        most[0] = max(most[0], len(inside))
        time.sleep(0.02)
        inside.remove(name)
        lock.release()
        done.append(name)

    builds = [threading.Thread(target=build, args=(f"build-{n}",)) for n in range(8)]
    for one in builds:
        one.start()
    for one in builds:
        one.join(30)

    assert len(done) == 8
    assert most == [1]
    assert google.holder() is None


@pytest.mark.parametrize("state", ["FAILURE", "TIMEOUT", "CANCELLED", "SUCCESS"])
def test_a_build_that_has_ended_holds_nothing(google: Google, state: str) -> None:
    lock_of(google, "dead").take()
    google.builds["dead"] = state

    lock_of(google, "next", wait_seconds=0).take()

    assert google.holder() == "next"


def test_of_many_that_find_a_dead_holder_one_takes_its_place(google: Google) -> None:
    lock_of(google, "dead").take()
    google.builds["dead"] = "FAILURE"
    taken, refused = [], []

    def build(name: str) -> None:
        try:
            lock_of(google, name, wait_seconds=0.5).take()
        except Failure:
            refused.append(name)
        else:
            taken.append(name)

    builds = [threading.Thread(target=build, args=(f"build-{n}",)) for n in range(6)]
    for one in builds:
        one.start()
    for one in builds:
        one.join(30)

    assert len(taken) == 1
    assert len(refused) == 5
    assert google.holder() == taken[0]


@pytest.mark.parametrize("state", ["WORKING", "QUEUED", "PENDING"])
def test_a_build_that_has_not_ended_is_waited_for_and_not_for_ever(
    google: Google, state: str
) -> None:
    lock_of(google, "first").take()
    google.builds["first"] = state
    before = google.objects["lock.json"]

    with pytest.raises(Failure, match="build first has held the environment for"):
        lock_of(google, "second", wait_seconds=0.1).take()

    assert google.objects["lock.json"] == before


def taken_by(google: Google, build: str) -> Callable[[], object]:
    google.builds[build] = "WORKING"
    return lambda: google.write("lock.json", json.dumps({"build": build}).encode(), None)


def test_who_comes_a_moment_too_late_takes_nothing(google: Google) -> None:
    google.meanwhile = [taken_by(google, "first")]

    with pytest.raises(Failure, match="build first has held"):
        lock_of(google, "late", wait_seconds=0.05).take()

    assert google.holder() == "first"


def test_who_comes_a_moment_too_late_takes_nothing_from_a_dead_holders_heir(
    google: Google,
) -> None:
    lock_of(google, "dead").take()
    google.builds["dead"] = "FAILURE"
    google.meanwhile = [taken_by(google, "heir")]

    with pytest.raises(Failure, match="build heir has held"):
        lock_of(google, "late", wait_seconds=0.05).take()

    assert google.holder() == "heir"


def test_a_lock_that_changes_hands_as_it_is_given_back_stays(google: Google) -> None:
    first = lock_of(google, "first")
    first.take()
    google.meanwhile = [taken_by(google, "second")]

    with pytest.raises(Failure, match="no longer this build's"):
        first.release()

    assert google.holder() == "second"


def test_killed_in_the_middle_a_step_leaves_no_lock_that_stays(google: Google) -> None:
    taken = run("lock", google.env("first"))
    assert taken.returncode == 0, taken.stderr
    with start("lock", google.env("second")) as waiting:
        assert waiting.stdout
        assert "Waiting for the environment's build first" in waiting.stdout.readline()
        waiting.kill()
    assert google.holder() == "first"

    google.builds |= {"first": "CANCELLED", "second": "CANCELLED"}
    third = run("lock", google.env("third"))

    assert third.returncode == 0, third.stderr
    assert "Build first has ended without giving back the environment" in third.stdout
    assert google.holder() == "third"


def test_a_lock_that_was_written_unheard_of_is_ones_own(google: Google) -> None:
    google.lose = 1

    lock_of(google, "first", wait_seconds=0).take()

    assert google.holder() == "first"


def test_a_lock_that_was_handed_over_unheard_of_is_handed_over(google: Google) -> None:
    planning = lock_of(google, "plans")
    planning.take()
    google.lose = 1

    planning.hand_over("applies")

    assert google.holder() == "applies"


def test_a_lock_that_another_has_taken_is_not_handed_over(google: Google) -> None:
    planning = lock_of(google, "plans")
    planning.take()
    google.meanwhile = [taken_by(google, "second")]

    with pytest.raises(Failure, match="no longer this build's"):
        planning.hand_over("applies")

    assert google.holder() == "second"


def test_the_steps_of_a_build_share_its_lock(google: Google) -> None:
    lock_of(google, "first").take()
    lock_of(google, "first", wait_seconds=0).take()
    lock_of(google, "first").release()

    assert google.holder() is None


def test_what_was_handed_over_is_the_other_builds(google: Google) -> None:
    planning = lock_of(google, "plans")
    planning.take()
    planning.hand_over("applies")

    with pytest.raises(Failure, match="no longer this build's"):
        planning.release()
    lock_of(google, "applies", wait_seconds=0).take()
    assert google.holder() == "applies"


def test_who_has_lost_the_lock_is_told_and_leaves_it(google: Google) -> None:
    lock_of(google, "first").take()
    stranger = lock_of(google, "second")

    with pytest.raises(Failure, match="another build may have changed it"):
        stranger.release()
    with pytest.raises(Failure, match="another build may have changed it"):
        stranger.hand_over("third")
    assert google.holder() == "first"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"build": 1}', b'{"build": "unheard-of"}'])
def test_a_lock_that_names_no_build_is_for_a_person_to_delete(
    google: Google, content: bytes
) -> None:
    google.write("lock.json", content, None)

    with pytest.raises(Failure, match=f"delete gs://{BUCKET}/lock.json"):
        lock_of(google, "first", wait_seconds=0.05).take()

    assert google.objects["lock.json"][1] == content
