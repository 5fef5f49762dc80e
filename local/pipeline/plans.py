"""A plan's way from the build that made it, past whoever approves it, to its apply."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from local.failure import Failure
from local.pipeline.branch import branch_of
from local.pipeline.cloud import Build, Cloud
from local.pipeline.lock import Lock

# All that an apply of the plan reads: the zips as well, which Terraform made as it planned.
PARTS: Final = ("terraform", "functions", "lib", "requirements.txt", "build")
APPLIED: Final = "applied.tar.gz"
# Builds run where the checkout is.
_CHECKOUT: Final = Path()
_PACKED: Final = _CHECKOUT / ".local" / "plan.tar.gz"
# A substitution's value may have 4,000 characters (maxSubstValueLength in
# github.com/GoogleCloudPlatform/cloud-build-local/blob/master/validate/validate.go).
_LONGEST_SUMMARY: Final = 1000
_REPLACED: Final = (["delete", "create"], ["create", "delete"])
_LEFT_OUT: Final = frozenset({".terraform", "__pycache__", "all.txt", "plan.json"})


def summarize(plan: Mapping[str, Any]) -> str:
    """Say in a line what a plan (`terraform show -json`) does, and what it takes away.

    Numbers are Terraform's own: what is replaced is added and destroyed.
    """
    replaced, destroyed, counts = [], [], {"create": 0, "update": 0, "delete": 0}
    for change in plan.get("resource_changes", []):
        actions = change["change"]["actions"]
        for action in actions:
            if action in counts:
                counts[action] += 1
        if actions in _REPLACED:
            replaced.append(change["address"])
        elif actions == ["delete"]:
            destroyed.append(change["address"])
    said = (
        f"{counts['create']} to add, {counts['update']} to change, {counts['delete']} to destroy"
        if any(counts.values())
        else "no changes: migrates and checks"
    )
    return said + _named("replaces", replaced) + _named("destroys", destroyed)


def _named(what: str, addresses: Iterable[str]) -> str:
    text = ", ".join(sorted(addresses))
    if len(text) > _LONGEST_SUMMARY // 2 - 100:
        text = text[: _LONGEST_SUMMARY // 2 - 100] + " ... (more in the plan)"
    return f"; {what} {text}" if text else ""


def offer(cloud: Cloud, build: Build, env: Mapping[str, str]) -> None:
    """Keep the plan, and have the trigger that applies it start a build of just this one.

    Where a person approves, that build waits for them, and shows them its substitutions: "Execution
    Details: details of your build including environment variables and substitutions"
    (https://cloud.google.com/build/docs/view-build-results). They lead to the whole text.
    """
    summary, text = _shown()
    packed = pack(_CHECKOUT)
    place = f"plans/{build.commit}/{build.build}"
    named = f"{place}/plan.tar.gz"
    cloud.write(build.bucket, named, packed)
    cloud.write(build.bucket, _text_of(named), text, content_type="text/plain; charset=utf-8")
    own = f"v1/projects/{build.project}/locations/{build.location}/builds/{build.build}"
    substitutions = {
        "_BRANCH": branch_of(env),
        "_PLAN": named,
        "_PLAN_LOG": str(cloud.ask_build("GET", own).json().get("logUrl", "")),
        "_PLAN_SHA256": hashlib.sha256(packed).hexdigest(),
        "_PLAN_SUMMARY": summary,
        "_PLAN_TEXT": _url_of_text(build, named),
    }
    started = _start(cloud, build, env["_APPLY_TRIGGER"], substitutions)
    print(f"The plan: {summary}")
    if env.get("_APPROVAL") == "true":
        Lock(cloud, build).release()
        print(f"It waits for somebody's approval: {started['logUrl']}")
    else:
        # No other build comes between: its apply would make this plan stale.
        Lock(cloud, build).hand_over(str(started["id"]))
        print(f"It is being applied: {started['logUrl']}")


def _shown() -> tuple[str, bytes]:
    """Return what terraform/pipeline/show.sh says of the plan: in a line, and as a whole."""
    folder = _CHECKOUT / "terraform"
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    return summarize(plan), (folder / "plan.txt").read_bytes()


def _text_of(plan: str) -> str:
    return f"{plan.rpartition('/')[0]}/plan.txt"


def _url_of_text(build: Build, plan: str) -> str:
    # For whoever may read the bucket:
    # https://cloud.google.com/storage/docs/access-control/cookie-based-authentication
    return f"https://storage.cloud.google.com/{build.bucket}/{_text_of(plan)}"


def _start(
    cloud: Cloud, build: Build, trigger: str, substitutions: Mapping[str, str]
) -> dict[str, Any]:
    """Run a trigger on this build's commit; what is asked twice would be built twice."""
    name = f"projects/{build.project}/locations/{build.location}/triggers/{trigger}"
    body = {
        "projectId": build.project,
        "triggerId": trigger,
        "source": {"commitSha": build.commit, "substitutions": dict(substitutions)},
    }
    answer = cloud.ask_build("POST", f"v1/{name}:run", body, repeatable=False)
    started: dict[str, Any] = answer.json()["metadata"]["build"]
    return started


def take(cloud: Cloud, build: Build, env: Mapping[str, str]) -> None:
    """Bring the plan that was approved, and no other, to where it was made.

    Raises:
        Failure: There is none, or it is another than the one that was approved.
    """
    name = env.get("_PLAN", "")
    if not name:
        raise Failure("no plan is named: builds that plan start this trigger, nobody else")
    packed = cloud.read(build.bucket, name)
    if packed is None:
        raise Failure(f"gs://{build.bucket}/{name} is gone: build the branch's head again")
    if hashlib.sha256(packed).hexdigest() != env.get("_PLAN_SHA256"):
        raise Failure(f"gs://{build.bucket}/{name} is not the plan that was offered")
    unpack(packed, _CHECKOUT)
    _PACKED.parent.mkdir(mode=0o700, exist_ok=True)
    _PACKED.write_bytes(packed)


def verify(cloud: Cloud, build: Build, env: Mapping[str, str]) -> None:
    """Say that the plan does what whoever approved was shown.

    Raises:
        Failure: It does something else.
    """
    named = env.get("_PLAN", "")
    summary, text = _shown()
    if summary != env.get("_PLAN_SUMMARY"):
        raise Failure(f"_PLAN_SUMMARY is not what the plan does, which is: {summary}")
    url = _url_of_text(build, named)
    if env.get("_PLAN_TEXT") != url or cloud.read(build.bucket, _text_of(named)) != text:
        raise Failure(f"_PLAN_TEXT does not lead to the plan's text, which {url} is to be")
    print(f"The plan: {summary}")


def record(cloud: Cloud, build: Build) -> None:
    """Keep what was applied: the environment is compared with it until the next apply."""
    cloud.write(build.bucket, APPLIED, _PACKED.read_bytes())


def restore_applied(cloud: Cloud, build: Build, folder: Path) -> None:
    """Bring what was applied last into a folder, which stays away where nothing was yet."""
    packed = cloud.read(build.bucket, APPLIED)
    if packed is None:
        print("The pipeline has applied nothing yet: there is nothing to compare with")
        return
    folder.mkdir()
    unpack(packed, folder)


def pack(root: Path) -> bytes:
    """Pack what an apply reads."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for part in PARTS:
            if (root / part).exists():
                archive.add(root / part, arcname=part, filter=_kept)
    return target.getvalue()


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _LEFT_OUT & set(Path(member.name).parts) else member


def unpack(packed: bytes, folder: Path) -> None:
    """Unpack what was packed."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")
