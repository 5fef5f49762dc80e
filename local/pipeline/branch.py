"""Whether a build's commit is still the head of its branch, as the repository itself says."""

import base64
import os
import subprocess
import time
from collections.abc import Mapping
from typing import Final

from local.failure import Failure
from local.pipeline.cloud import Build, Cloud

_SECONDS: Final = 60
_PAUSES: Final = (2.0, 5.0)
_CANCELLED_WITHIN_SECONDS: Final = 60.0


class Superseded(Failure):
    """Another commit has come after the build's."""


def require_current(cloud: Cloud, build: Build, env: Mapping[str, str]) -> None:
    """Say that the build's commit is its branch's head.

    Raises:
        Superseded: It is not, or the branch is gone.
        Failure: The repository does not say.
    """
    branch, repository = branch_of(env), env.get("_REPOSITORY", "")
    if not branch or not repository:
        raise Failure("the build knows no branch or no _REPOSITORY: run its trigger on a branch")
    head = read_head(cloud, repository, branch)
    short = build.commit[:12]
    if head is None:
        raise Superseded(f"{branch} is gone, and with it the commit {short}: nothing is to be done")
    if head != build.commit:
        raise Superseded(
            f"{short} is no longer the head of {branch}, which is {head[:12]}: go on with the build"
            f" of that commit. To go back to an earlier one, revert what came after it and push"
        )
    print(f"{short} is the head of {branch}")


def branch_of(env: Mapping[str, str]) -> str:
    """Return the branch that a build is of; one that applies is told by the one that planned."""
    return env.get("_BRANCH") or env.get("BRANCH_NAME") or ""


def read_head(cloud: Cloud, repository: str, branch: str) -> str | None:
    """Ask the repository for the commit that a branch is at; None where there is no such branch.

    A connection's `fetchGitRefs` gives names only, so git asks, with a token that reads this
    repository: https://cloud.google.com/build/docs/api/reference/rest/v2/projects.locations.connections.repositories/accessReadToken
    """
    remote = str(cloud.ask_build("GET", f"v2/{repository}").json()["remoteUri"])
    answer = cloud.ask_build("POST", f"v2/{repository}:accessReadToken", {})
    ref = f"refs/heads/{branch}"
    for line in _ask_git(remote, str(answer.json()["token"]), ref).splitlines():
        commit, _, name = line.partition("\t")
        if name == ref:
            return commit
    return None


def _ask_git(remote: str, token: str, ref: str) -> str:
    # GitHub's name for whoever has a token, which Google passes on for it as well:
    # https://cloud.google.com/developer-connect/docs/api/reference/rest/v1/projects.locations.connections.gitRepositoryLinks/fetchReadToken
    login = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    env = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        # Not among the arguments, which anything in the build may list.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{remote}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
    }
    command = ["git", "ls-remote", "--heads", remote, ref]
    said = ""
    for pause in (*_PAUSES, None):
        try:
            done = subprocess.run(
                command, env=env, capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            said = f"no answer within {_SECONDS} s"
        else:
            if done.returncode == 0:
                return done.stdout
            said = done.stderr
        if pause is not None:
            time.sleep(pause)
    raise Failure(f"git cannot read the branches of {remote}: {said}")


def cancel(cloud: Cloud, build: Build) -> None:
    """Cancel this very build and await its end: it has not failed, and nobody is to be alarmed."""
    path = f"v1/projects/{build.project}/locations/{build.location}/builds/{build.build}:cancel"
    cloud.ask_build("POST", path, {})
    time.sleep(_CANCELLED_WITHIN_SECONDS)
