"""`./dev call FUNCTION [BODY]`: call a function of a deployed environment, as the account that may.

A private function takes an identity token of its one invoker. Whoever may have such a token gets it
from IAM Credentials' `generateIdToken` with an access token of their own, which takes
`iam.serviceAccounts.getOpenIdToken` on that account and nothing else:
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
(`gcloud --impersonate-service-account` wants `getAccessToken` as well, as it asks for that first.)
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from requests.auth import AuthBase

from local.environment import ROOT
from local.failure import Failure
from local.functions import ID, Function, read_functions
from local.pipeline.cloud import token_url
from local.smoke import checked_url, json_object

IAM_CREDENTIALS: Final = "https://iamcredentials.googleapis.com"
TO_BE_GRANTED: Final = "roles/iam.serviceAccountOpenIdTokenCreator"
_SECONDS: Final = 30  # what Terraform gives a function that says nothing else, and to be connected
_ATTEMPTS: Final = 4
_STANDING: Final = 3  # times that the same may be left to do
_LONGEST_PAUSE: Final = 60
_FORBIDDEN: Final = 403
_UNAVAILABLE: Final = 503


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a function is, and who may call it.

    Attributes:
        url: The function's own, or where all routes are.
        account: The account whose identity is asked for; None where everybody may.
    """

    url: str
    account: str | None = None


class _Bearer(AuthBase):
    """A token, and nothing that a .netrc has for the host; it is in no text of ours."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def run(
    name: str, body: str | None, *, outputs: Path | None = None, url: str | None = None
) -> None:
    """Call a function, and print what it answers; again while it says that something is left to do.

    Args:
        name: The function's, as its folder is called.
        body: JSON to send; without it a private function is sent an empty object.
        outputs: What `terraform output -json` wrote; without it Terraform is asked.
        url: Where a service is that takes no identity, such as `./dev serve`'s.

    Raises:
        Failure: It cannot be called, or answers anything but a success.
    """
    function = _find(name)
    content = _read_body(function, body)
    target = Target(url=checked_url(url)) if url else _target(function, _read_outputs(outputs))
    print(_call_to_the_end(function, target, content))


def _find(name: str) -> Function:
    function = read_functions().get(name.replace("-", "_"))
    if function is None:
        raise Failure(f"there is no function {name!r}: there are {', '.join(read_functions())}")
    if ID in function.routes[0]:
        raise Failure(f"{name} is told by its path what to do: call {function.routes[0]} by curl")
    return function


def _read_body(function: Function, body: str | None) -> bytes | None:
    if body is None:
        return None if function.is_public else b"{}"
    try:
        json.loads(body)
    except ValueError as error:
        raise Failure(f"the body is no JSON: {error}") from error
    return body.encode("utf-8")


# --- Where it is ----------------------------------------------------------------------------------


def _read_outputs(file: Path | None) -> Mapping[str, Any]:
    """Return Terraform's outputs by their names."""
    source = str(file) if file else "`terraform output -json`"
    try:
        text = file.read_text(encoding="utf-8") if file else _ask_terraform()
        outputs = {name: output["value"] for name, output in json.loads(text).items()}
    except OSError as error:
        raise Failure(f"{source} cannot be read: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Failure(f"{source} is not what `terraform output -json` prints") from error
    if "urls" not in outputs:
        raise Failure(f"{source} has no urls: nothing is applied there yet")
    return outputs


def _ask_terraform() -> str:
    folder = ROOT / "terraform"
    if shutil.which("terraform") is None:
        raise Failure("terraform is not installed: name what it wrote elsewhere, by --outputs FILE")
    command = ["terraform", f"-chdir={folder}", "output", "-no-color", "-json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"`terraform output` in {folder} fails: {_said(done.stderr)}")
    return done.stdout


def _target(function: Function, outputs: Mapping[str, Any]) -> Target:
    if function.is_public and outputs.get("base_url"):
        return Target(url=checked_url(outputs["base_url"]))  # its own may be closed then
    if function.name not in outputs["urls"]:
        raise Failure(f"Terraform's outputs name no URL of {function.name}")
    url = checked_url(outputs["urls"][function.name])
    if function.is_public:
        return Target(url=url)
    if function.invoker not in outputs:
        raise Failure(f"Terraform's outputs do not name the {function.invoker}'s account: apply")
    return Target(url=url, account=outputs[function.invoker])


# --- Tokens ---------------------------------------------------------------------------------------


def _identity(target: Target) -> str:
    """Return an identity token of the account, for the function."""
    path = f"/v1/projects/-/serviceAccounts/{target.account}:generateIdToken"
    asked = {"audience": target.url, "includeEmail": True}
    with requests.Session() as session:
        session.auth = _Bearer(_access_token())
        try:
            response = session.post(
                IAM_CREDENTIALS + path, json=asked, timeout=_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise Failure(f"{IAM_CREDENTIALS} does not answer: {type(error).__name__}") from error
    token = json_object(response).get("token")
    if not response.ok or not isinstance(token, str):
        raise Failure(_explain_refusal(target, response))
    return token


def _explain_refusal(target: Target, response: requests.Response) -> str:
    error = _member(json_object(response), "error")
    said = f"{response.status_code}: {error.get('message') or response.text[:200]}"
    reasons = {one.get("reason") for one in error.get("details", []) if isinstance(one, dict)}
    if "SERVICE_DISABLED" in reasons:
        remedy = "gcloud services enable iamcredentials.googleapis.com, and wait a minute"
    elif response.status_code == _FORBIDDEN:
        remedy = (
            f"it takes {TO_BE_GRANTED} on that account, and a minute or more to be known"
            f" after it was granted: gcloud iam service-accounts add-iam-policy-binding"
            f" {target.account} --member=user:YOU --role={TO_BE_GRANTED}"
        )
    elif response.status_code == requests.codes.unauthorized:
        remedy = "gcloud auth login"
    else:
        remedy = "is the account there, in the project that Terraform's outputs are of?"
    return f"no identity token of {target.account} ({said}): {remedy}"


def _access_token() -> str:
    """Return an access token of whoever calls: gcloud's, or else this machine's."""
    if shutil.which("gcloud") is None:
        return _metadata_token()
    command = ["gcloud", "auth", "print-access-token", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise Failure(f"gcloud gives no access token (gcloud auth login): {_said(done.stderr)}")
    return done.stdout.strip()


def _metadata_token() -> str:
    """Return the token of the account that this machine, or build, runs as."""
    with requests.Session() as session:
        session.trust_env = False  # neither a proxy nor a .netrc stands between
        try:
            response = session.get(
                token_url(os.environ), headers={"Metadata-Flavor": "Google"}, timeout=5
            )
        except requests.RequestException as error:
            message = "there is neither gcloud nor a metadata server: who calls?"
            raise Failure(f"{message} Install gcloud, and gcloud auth login") from error
    token = json_object(response).get("access_token")
    if not response.ok or not isinstance(token, str):
        raise Failure(f"the metadata server gives no access token: {response.status_code}")
    return token


# --- The call -------------------------------------------------------------------------------------


def _call_to_the_end(function: Function, target: Target, content: bytes | None) -> str:
    """Call until nothing is left to do, such as what a migration leaves for afterwards."""
    lefts: list[object] = []
    while True:
        # A token lives for an hour, and this may take longer.
        auth = None if target.account is None else _Bearer(_identity(target))
        response = _ask(function, target, content, auth)
        if not response.ok:
            raise Failure(_explain(function, target, response))
        data = _member(json_object(response), "data")
        if not data.get("left"):
            return response.text
        said = str(data.get("message") or data["left"])
        lefts.append(data["left"])
        if lefts[-_STANDING:] == [data["left"]] * _STANDING:
            raise Failure(f"{function.name} does not get on: {said}")
        print(said, file=sys.stderr, flush=True)


def _ask(
    function: Function, target: Target, content: bytes | None, auth: AuthBase | None
) -> requests.Response:
    """Ask, and again where the function says that it will soon be able to."""
    usual = function.usual_call
    method = "POST" if content is not None or not usual else usual.method
    seconds = int(function.sizes.get("timeout_seconds", 0)) + _SECONDS
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            response = requests.request(
                method,
                target.url + function.routes[0],
                data=content,
                headers={"Content-Type": "application/json"} if content is not None else {},
                auth=auth,
                timeout=(_SECONDS, seconds),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Failure(f"{target.url} does not answer: {type(error).__name__}") from error
        pause = _pause(response)
        if pause is None or attempt == _ATTEMPTS:
            break
        print(f"{function.name} answers 503, and is asked again in {pause} s", file=sys.stderr)
        time.sleep(pause)
    return response


def _pause(response: requests.Response) -> int | None:
    after = response.headers.get("Retry-After", "")
    if response.status_code != _UNAVAILABLE or not after.isdecimal():
        return None
    return int(after) if int(after) <= _LONGEST_PAUSE else None


def _explain(function: Function, target: Target, response: requests.Response) -> str:
    said = f"{function.name} answers {response.status_code}: {response.text[:1000]}"
    if _member(json_object(response), "error").get("code"):
        return said  # our own words
    if response.status_code in {requests.codes.unauthorized, _FORBIDDEN}:
        who = target.account or "allUsers"
        return (
            f"Cloud Run refuses {who} ({response.status_code}): it takes roles/run.invoker on the"
            f" service behind {target.url}, which an apply grants, and a minute to be known"
        )
    return said


def _member(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    member = content.get(name)
    return member if isinstance(member, dict) else {}


def _said(text: str) -> str:
    return " ".join(text.split())[:500] or "it does not say why"
