"""Google's APIs, as a build speaks to them: as the account that it runs as."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from local.failure import Failure

_METADATA_PATH: Final = "/computeMetadata/v1/instance/service-accounts/default/token"
# What says where a machine's metadata server is, to Google's own libraries as well.
METADATA_HOST: Final = "GCE_METADATA_HOST"
_TIMEOUT_SECONDS: Final = 120
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
# What Cloud Storage advises to try again: https://cloud.google.com/storage/docs/retry-strategy
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_OK: Final = 200
_MULTIPLE_CHOICES: Final = 300
_NOT_FOUND: Final = 404
_PRECONDITION_FAILED: Final = 412


@dataclass(frozen=True, kw_only=True)
class Build:
    """The build that this runs in, as its substitutions tell."""

    bucket: str
    build: str
    commit: str
    location: str
    project: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Build":
        """Read what Cloud Build sets.

        Raises:
            Failure: A substitution is missing.
        """
        names = {
            "bucket": "_PLANS_BUCKET",
            "build": "BUILD_ID",
            "commit": "COMMIT_SHA",
            "location": "LOCATION",
            "project": "PROJECT_ID",
        }
        missing = [name for name in names.values() if not env.get(name)]
        if missing:
            raise Failure(f"{' and '.join(missing)} must be set: this runs in a build of ours only")
        return cls(**{field: env[name] for field, name in names.items()})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an API answered: no fault, or one that the caller expects."""

    status: int
    content: bytes

    @property
    def is_ok(self) -> bool:
        """Whether it did what was asked."""
        return _OK <= self.status < _MULTIPLE_CHOICES

    def json(self) -> dict[str, Any]:
        """Return the content, which is an object."""
        content: dict[str, Any] = json.loads(self.content)
        return content


def token_url(env: Mapping[str, str]) -> str:
    """Return where a machine asks for an access token of the account that it runs as."""
    return f"http://{env.get(METADATA_HOST) or 'metadata.google.internal'}{_METADATA_PATH}"


class Cloud:
    """Cloud Build's and Cloud Storage's APIs.

    Where they are can be said in the variables that Google's own tools read, too.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        """Speak to Google, or to what stands in for it."""
        self._metadata = token_url(env)
        storage = env.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"
        self._storage = storage.rstrip("/")
        build = env.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD")
        self._build = (build or "https://cloudbuild.googleapis.com/").rstrip("/")

    # --- Cloud Build ------------------------------------------------------------------------------

    def ask_build(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        expected: frozenset[int] = frozenset(),
        repeatable: bool = True,
    ) -> Answer:
        """Ask Cloud Build; a status that is not expected fails."""
        content = None if body is None else json.dumps(body).encode()
        return self._ask(
            method, f"{self._build}/{path}", content, expected=expected, repeatable=repeatable
        )

    # --- Cloud Storage ----------------------------------------------------------------------------

    def read(self, bucket: str, name: str, generation: int | None = None) -> bytes | None:
        """Return an object's content, or None where it is not there."""
        query = {"alt": "media"} | ({} if generation is None else {"generation": str(generation)})
        answer = self._ask(
            "GET", self._object(bucket, name, query), expected=frozenset({_NOT_FOUND})
        )
        return answer.content if answer.is_ok else None

    def generation(self, bucket: str, name: str) -> int | None:
        """Return an object's generation, or None where it is not there."""
        url = self._object(bucket, name, {"fields": "generation"})
        answer = self._ask("GET", url, expected=frozenset({_NOT_FOUND}))
        return int(answer.json()["generation"]) if answer.is_ok else None

    def write(
        self,
        bucket: str,
        name: str,
        content: bytes,
        *,
        content_type: str = "application/octet-stream",
        generation: int | None = None,
    ) -> int | None:
        """Write an object, if it is still what it was; return its generation, or else None.

        Args:
            bucket: Its bucket.
            name: Its name.
            content: What it is to hold.
            content_type: How a browser shows it.
            generation: The one to be replaced, 0 for none: the check and the write are one.
                https://cloud.google.com/storage/docs/request-preconditions
        """
        query = {"uploadType": "media", "name": name}
        if generation is not None:
            query["ifGenerationMatch"] = str(generation)
        url = f"{self._storage}/upload/storage/v1/b/{bucket}/o?{urllib.parse.urlencode(query)}"
        answer = self._ask(
            "POST", url, content, content_type, expected=frozenset({_PRECONDITION_FAILED})
        )
        return int(answer.json()["generation"]) if answer.is_ok else None

    def delete(self, bucket: str, name: str, generation: int) -> bool:
        """Delete an object, if it is still what it was."""
        url = self._object(bucket, name, {"ifGenerationMatch": str(generation)})
        expected = frozenset({_NOT_FOUND, _PRECONDITION_FAILED})
        return self._ask("DELETE", url, expected=expected).is_ok

    def _object(self, bucket: str, name: str, query: Mapping[str, str]) -> str:
        quoted = urllib.parse.quote(name, safe="")
        return f"{self._storage}/storage/v1/b/{bucket}/o/{quoted}?{urllib.parse.urlencode(query)}"

    # --- Requests ---------------------------------------------------------------------------------

    def _ask(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        content_type: str = "application/json",
        *,
        expected: frozenset[int] = frozenset(),
        repeatable: bool = True,
    ) -> Answer:
        """Ask until there is an answer that says something."""
        pauses = list(_PAUSES) if repeatable else []
        while True:
            try:
                answer = self._ask_once(method, url, content, content_type)
            except OSError as error:
                said = f"{method} {url} gets no answer: {error}"
            else:
                if answer.is_ok or answer.status in expected:
                    return answer
                said = f"{method} {url} is answered {answer.status}: {_words(answer.content)}"
                if answer.status not in _PASSING:
                    raise Failure(said)
            if not pauses:
                raise Failure(said)
            time.sleep(pauses.pop(0))

    def _ask_once(self, method: str, url: str, content: bytes | None, content_type: str) -> Answer:
        headers = {"Authorization": f"Bearer {self._token()}"}
        if content is not None:
            headers["Content-Type"] = content_type
        return _send(urllib.request.Request(url, content, headers, method=method))  # noqa: S310

    def _token(self) -> str:
        """Return an access token; the metadata server keeps it for as long as it is good for."""
        request = urllib.request.Request(  # noqa: S310
            self._metadata, headers={"Metadata-Flavor": "Google"}
        )
        answer = _send(request)
        if not answer.is_ok:
            raise Failure(f"the metadata server gives no access token: {answer.status}")
        return str(answer.json()["access_token"])


def _send(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            return Answer(status=response.status, content=response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(status=error.code, content=error.read())


def _words(content: bytes) -> str:
    return " ".join(content.decode("utf-8", "replace").split())[:500]
