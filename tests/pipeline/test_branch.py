"""A build of a commit that is no longer its branch's head changes nothing."""

import time

import pytest

from local.failure import Failure
from local.pipeline.branch import Superseded, require_current
from local.pipeline.cloud import Build, Cloud
from tests.pipeline.google import COMMIT, READ_TOKEN, Google
from tests.pipeline.steps import run, start

OTHER = "beef" + "1" * 36


def ask(google: Google, **more: str) -> None:
    env = google.env("a-build", **more)
    require_current(Cloud(env), Build.from_env(env), env)


def test_the_head_of_its_branch_is_built(google: Google) -> None:
    ask(google)
    google.branches |= {"feature/x": COMMIT, "main": OTHER}
    ask(google, BRANCH_NAME="feature/x")


def test_an_apply_is_of_the_branch_that_was_planned(google: Google) -> None:
    google.branches |= {"feature/x": OTHER}

    with pytest.raises(Superseded, match="no longer the head of feature/x"):
        ask(google, BRANCH_NAME="", _BRANCH="feature/x")


def test_a_commit_that_others_came_after_is_refused_with_the_way_on(google: Google) -> None:
    google.branches["main"] = OTHER

    with pytest.raises(Superseded) as refused:
        ask(google)

    said = str(refused.value)
    assert f"{COMMIT[:12]} is no longer the head of main, which is {OTHER[:12]}" in said
    assert "go on with the build of that commit" in said
    assert "revert what came after it" in said


def test_a_branch_that_is_gone_is_not_built(google: Google) -> None:
    # Git takes "refs/heads/main" for the end of a longer name as well.
    google.branches = {"refs/heads/main": COMMIT, "main2": COMMIT}

    with pytest.raises(Superseded, match="main is gone"):
        ask(google)


def test_a_repository_that_does_not_say_is_no_go_ahead(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.pipeline.branch._PAUSES", ())
    google.accepted = "another-token"

    with pytest.raises(Failure, match="git cannot read the branches") as refused:
        ask(google)

    assert not isinstance(refused.value, Superseded)
    assert READ_TOKEN not in str(refused.value)


@pytest.mark.parametrize("missing", ["BRANCH_NAME", "_REPOSITORY"])
def test_without_a_branch_or_a_repository_nothing_is_built(google: Google, missing: str) -> None:
    done = run("current", google.env("a-build", **{missing: ""}))

    assert done.returncode == 1
    assert "run its trigger on a branch" in done.stderr


@pytest.mark.parametrize("command", ["current", "lock", "take"])
def test_a_superseded_build_ends_as_cancelled_and_alarms_nobody(
    google: Google, command: str
) -> None:
    google.branches["main"] = OTHER

    with start(command, google.env("old")) as process:
        deadline = time.monotonic() + 30
        while not google.cancelled:
            assert time.monotonic() < deadline
            assert process.poll() is None, "it went on, or failed"
            time.sleep(0.01)
        process.terminate()  # as Cloud Build does to a build that is cancelled
        _, said = process.communicate(timeout=30)

    assert google.cancelled == ["old"]
    assert "no longer the head of main" in said
