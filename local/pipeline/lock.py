"""One build at a time in an environment, which Cloud Build has no option for.

The lock is an object beside the plans that names the build that holds it. Cloud Storage writes it
only if nobody else has in the meantime, and Cloud Build tells whether its holder still runs: a
build that was ended, at whatever moment, holds nothing, and no clock has a say.
"""

import json
import time
from dataclasses import dataclass
from typing import Final

from local.failure import Failure
from local.pipeline.cloud import Build, Cloud

NAME: Final = "lock.json"
# https://cloud.google.com/build/docs/api/reference/rest/v1/projects.builds#Build.Status
ENDED: Final = frozenset(
    {"SUCCESS", "FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"}
)
WAIT_SECONDS: Final = 1800.0
PAUSE_SECONDS: Final = 10.0
_NOT_FOUND: Final = 404


@dataclass(frozen=True, kw_only=True)
class Held:
    """The lock as it was found."""

    build: str
    generation: int


class Lock:
    """The environment's, as one of its builds sees it."""

    def __init__(
        self,
        cloud: Cloud,
        build: Build,
        *,
        wait_seconds: float = WAIT_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        """Take nothing yet."""
        self._cloud = cloud
        self._build = build
        self._wait_seconds = wait_seconds
        self._pause_seconds = pause_seconds

    def take(self) -> None:
        """Take the lock, once nobody else holds it.

        Raises:
            Failure: Another build has held it for too long.
        """
        deadline = time.monotonic() + self._wait_seconds
        awaited = None
        while True:
            held = self._read()
            if held is not None and held.build == self._build.build:
                break  # by an earlier step, or handed over by the build that planned
            if held is None or self._has_ended(held.build):
                if held is not None:
                    print(f"Build {held.build} has ended without giving back the environment")
                self._write(self._build.build, held)
                continue  # what stands there now tells who was first
            if time.monotonic() >= deadline:
                raise Failure(self._explain(held))
            if held.build != awaited:
                awaited = held.build
                print(f"Waiting for the environment's build {held.build} to end", flush=True)
            time.sleep(self._pause_seconds)
        print("No other build changes the environment now")

    def hand_over(self, build: str) -> None:
        """Give the lock, which is ours, to another build.

        Raises:
            Failure: It is not ours.
        """
        if self._write(build, self._ours()) is not None:
            return
        # Or it is done, and only the answer was lost: what was repeated then finds another lock.
        held = self._read()
        if held is None or held.build != build:
            raise Failure(_LOST)

    def release(self) -> None:
        """Give back the lock, which is ours.

        Raises:
            Failure: It is not ours.
        """
        if not self._cloud.delete(self._build.bucket, NAME, self._ours().generation):
            raise Failure(_LOST)

    def _ours(self) -> Held:
        held = self._read()
        if held is None or held.build != self._build.build:
            raise Failure(_LOST)
        return held

    def _read(self) -> Held | None:
        while (generation := self._cloud.generation(self._build.bucket, NAME)) is not None:
            content = self._cloud.read(self._build.bucket, NAME, generation)
            if content is not None:  # or else it was replaced between the two
                return Held(build=_holder(content), generation=generation)
        return None

    def _write(self, build: str, replaced: Held | None) -> int | None:
        content = json.dumps({"build": build, "commit": self._build.commit}).encode()
        return self._cloud.write(
            self._build.bucket,
            NAME,
            content,
            content_type="application/json",
            generation=replaced.generation if replaced else 0,
        )

    def _has_ended(self, build: str) -> bool:
        if not build:
            return False  # nobody can be asked
        path = f"v1/projects/{self._build.project}/locations/{self._build.location}/builds/{build}"
        answer = self._cloud.ask_build("GET", path, expected=frozenset({_NOT_FOUND}))
        return answer.is_ok and answer.json().get("status") in ENDED

    def _explain(self, held: Held) -> str:
        return (
            f"build {held.build or '(unknown)'} has held the environment for"
            f" {self._wait_seconds / 60:.0f} minutes: wait for its end or cancel it, then build"
            f" this commit again. Should there be no such build, delete"
            f" gs://{self._build.bucket}/{NAME}"
        )


_LOST: Final = (
    "the environment is no longer this build's: somebody has removed or replaced its lock, and"
    " another build may have changed it at the same time. Build the branch's head again"
)


def _holder(content: bytes) -> str:
    try:
        build = json.loads(content)["build"]
    except (ValueError, TypeError, KeyError):
        return ""
    return build if isinstance(build, str) else ""
