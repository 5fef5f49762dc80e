"""`./dev call`: who may call a function gets a token for it, and is told what is missing.

Google is a server on this machine that answers as its pages say; the functions are ours.
"""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

from local import calling
from local.environment import ROOT
from local.failure import Failure
from local.functions import read_functions
from local.pipeline.cloud import METADATA_HOST
from tests.deployed import deployed
from tests.support import ADMIN_PASSWORD

ACCESS: Final = "ya29.an-access-token"
IDENTITY: Final = "eyJ.an-identity-token"
DEPLOYER: Final = "movies-deployer@movies-dev-example.iam.gserviceaccount.com"
SCHEDULER: Final = "movies-scheduler@movies-dev-example.iam.gserviceaccount.com"
LEFT_OUT: Final = object()
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Google:
    """A server that is IAM Credentials, the metadata server and Cloud Run at once.

    Attributes:
        answers: What it answers to a path; the last one again and again.
    """

    folder: Path
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, list[Answer]] = field(default_factory=dict)

    def answers_to(self, path: str, *answers: tuple[int, Any]) -> None:
        """Answer these, in JSON."""
        self.answers[path] = [(status, {}, json.dumps(body).encode()) for status, body in answers]

    def asked_for(self, path: str) -> list[Asked]:
        """Return the requests for a path."""
        return [one for one in self.asked if one.path == path]

    def outputs(self, **changed: object) -> Path:
        """Write what `terraform output -json` prints for functions that this server runs."""
        values: dict[str, object] = {
            "base_url": None,
            "deployer": DEPLOYER,
            "scheduler": SCHEDULER,
            "urls": dict.fromkeys(read_functions(), self.url),
            **changed,
        }
        named = {
            name: {"sensitive": False, "type": "string", "value": value}
            for name, value in values.items()
            if value is not LEFT_OUT
        }
        file = self.folder / "outputs.json"
        file.write_text(json.dumps(named), encoding="utf-8")
        return file

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        self.asked.append(asked)
        left = self.answers.get(asked.path, [(404, {}, b"<html>not found</html>")])
        return left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """Run it, where calls to Google go; it gives tokens and runs every function."""
    it = Google(folder=tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked = Asked(
                method=self.command,
                path=self.path,
                headers=dict(self.headers),
                body=self.rfile.read(length),
            )
            status, headers, body = it.answer(asked)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        host = f"127.0.0.1:{server.server_address[1]}"
        it.url = f"http://{host}"
        for account in (DEPLOYER, SCHEDULER):
            it.answers_to(minting(account), (200, {"token": IDENTITY}))
        token = {"access_token": ACCESS, "expires_in": 3599, "token_type": "Bearer"}
        it.answers_to("/computeMetadata/v1/instance/service-accounts/default/token", (200, token))
        monkeypatch.setattr(calling, "IAM_CREDENTIALS", it.url)
        monkeypatch.setenv(METADATA_HOST, host)
        monkeypatch.setenv("PATH", "/nonexistent")  # neither gcloud nor terraform
        yield it
        server.shutdown()
        thread.join(10)


def minting(account: str) -> str:
    """Return where an identity token of an account is asked for."""
    return f"/v1/projects/-/serviceAccounts/{account}:generateIdToken"


def install(folder: Path, program: str, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program on the path that notes what it is called with; return where."""
    folder.mkdir(exist_ok=True)
    file = folder / program
    file.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>"{folder / "called"}"\n{script}\n')
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if "cat" in script else str(folder))
    return folder / "called"


# --- Tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "account", "path"),
    [("migrate", DEPLOYER, "/migrate"), ("movies_import", SCHEDULER, "/movies.import")],
)
def test_a_private_function_is_called_as_the_one_account_that_may(
    google: Google,
    capsys: pytest.CaptureFixture[str],
    function: str,
    account: str,
    path: str,
) -> None:
    google.answers_to(path, (200, {"data": {"done": True}}))

    calling.run(function, None, outputs=google.outputs())

    [minted] = google.asked_for(minting(account))
    assert minted.headers["Authorization"] == f"Bearer {ACCESS}"
    assert json.loads(minted.body) == {"audience": google.url, "includeEmail": True}
    [called] = google.asked_for(path)
    assert called.method == "POST"
    assert called.headers["Authorization"] == f"Bearer {IDENTITY}"
    assert called.headers["Content-Type"] == "application/json"
    assert called.body == b"{}"
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"data": {"done": True}}
    assert "token" not in printed.out + printed.err


def test_the_metadata_server_is_asked_as_it_demands_where_there_is_no_gcloud(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.answers_to("/migrate", (200, {}))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # never for this one
    monkeypatch.setenv("NO_PROXY", "")

    with pytest.raises(Failure, match="does not answer: ProxyError"):
        calling.run("migrate", None, outputs=google.outputs())

    [asked] = google.asked
    assert asked.headers["Metadata-Flavor"] == "Google"
    assert "Authorization" not in asked.headers


def test_gcloud_is_asked_where_there_is_one(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.answers_to("/migrate", (200, {}))
    called = install(tmp_path / "bin", "gcloud", "echo ya29.of-a-person", monkeypatch)

    calling.run("migrate", None, outputs=google.outputs())

    assert called.read_text().split() == ["auth", "print-access-token", "--quiet"]
    [minted] = google.asked_for(minting(DEPLOYER))
    assert minted.headers["Authorization"] == "Bearer ya29.of-a-person"


def test_a_person_who_has_not_logged_in_is_told_so(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "bin", "gcloud", "echo 'ERROR: no account' >&2; exit 1", monkeypatch)

    with pytest.raises(Failure, match=r"\(gcloud auth login\): ERROR: no account"):
        calling.run("migrate", None, outputs=google.outputs())

    assert not google.asked


def test_who_is_nobody_is_told_so(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(METADATA_HOST, "127.0.0.1:9")
    with pytest.raises(Failure, match="neither gcloud nor a metadata server"):
        calling.run("migrate", None, outputs=google.outputs())


def test_a_netrc_takes_no_tokens_place(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password theirs\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    google.answers_to("/migrate", (200, {}))

    calling.run("migrate", None, outputs=google.outputs())

    sent = [one.headers.get("Authorization", "") for one in google.asked]
    assert sent == ["", f"Bearer {ACCESS}", f"Bearer {IDENTITY}"]


def test_a_redirect_takes_no_token_elsewhere(google: Google) -> None:
    google.answers["/migrate"] = [(302, {"Location": f"{google.url}/elsewhere"}, b"")]

    calling.run("migrate", None, outputs=google.outputs())

    assert not google.asked_for("/elsewhere")


# --- What is missing ------------------------------------------------------------------------------


def refusal(status: int, reason: str, message: str) -> tuple[int, Any]:
    """Return an error as Google's APIs write it: https://cloud.google.com/apis/design/errors."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return status, {"error": {"code": status, "message": message, "details": details}}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            refusal(403, "IAM_PERMISSION_DENIED", "Permission '…getOpenIdToken'"),
            [
                "Permission '…getOpenIdToken'",
                f"add-iam-policy-binding {DEPLOYER} --member=user:YOU --role=roles/iam.service",
                "takes roles/iam.serviceAccountOpenIdTokenCreator on that account",
                "a minute or more to be known",
            ],
        ),
        (
            refusal(403, "SERVICE_DISABLED", "The API has not been used"),
            ["gcloud services enable iamcredentials.googleapis.com"],
        ),
        (refusal(401, "ACCESS_TOKEN_EXPIRED", "Request had invalid credentials"), ["auth login"]),
        (refusal(404, "", "Not found; Gaia id not found"), ["is the account there"]),
        ((200, {"unexpected": True}), ["no identity token"]),
        ((502, None), ["502"]),
    ],
)
def test_a_refused_token_is_told_with_its_remedy(
    google: Google, answer: tuple[int, Any], told: list[str]
) -> None:
    google.answers_to(minting(DEPLOYER), answer)

    with pytest.raises(Failure) as caught:
        calling.run("migrate", None, outputs=google.outputs())

    for words in told:
        assert words in str(caught.value)
    assert ACCESS not in str(caught.value)
    assert not google.asked_for("/migrate")


@pytest.mark.parametrize("status", [401, 403])
def test_a_call_that_cloud_run_refuses_is_told_with_its_remedy(google: Google, status: int) -> None:
    page = b"<html><title>403 Forbidden</title>Your client does not have permission</html>"
    google.answers["/movies.import"] = [(status, {}, page)]

    with pytest.raises(Failure) as caught:
        calling.run("movies_import", None, outputs=google.outputs())

    assert f"refuses {SCHEDULER} ({status})" in str(caught.value)
    # Not by a name, which the prefix is part of.
    assert f"roles/run.invoker on the service behind {google.url}," in str(caught.value)
    assert IDENTITY not in str(caught.value)


def test_a_refusal_of_our_own_is_told_in_its_own_words(google: Google) -> None:
    error = {"code": "INVALID_REQUEST", "message": "search must be text."}
    google.answers_to("/movies.import", (400, {"error": error}))

    with pytest.raises(Failure, match=r"movies_import answers 400: .*search must be text"):
        calling.run("movies_import", '{"search": 1}', outputs=google.outputs())


def test_what_will_soon_be_possible_is_asked_again(
    google: Google, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = (503, {"Retry-After": "0"}, b'{"error": {"code": "DATABASE_UNAVAILABLE"}}')
    google.answers["/migrate"] = [busy, busy, (200, {}, b'{"data": {}}')]

    calling.run("migrate", None, outputs=google.outputs())

    assert len(google.asked_for("/migrate")) == 3
    assert capsys.readouterr().err.count("answers 503, and is asked again in 0 s") == 2


@pytest.mark.parametrize(
    ("headers", "calls"),
    [({"Retry-After": "0"}, 4), ({"Retry-After": "61"}, 1), ({"Retry-After": "soon"}, 1), ({}, 1)],
)
def test_what_will_not_be_is_told(google: Google, headers: dict[str, str], calls: int) -> None:
    google.answers["/migrate"] = [(503, headers, b"no")]

    with pytest.raises(Failure, match="migrate answers 503: no"):
        calling.run("migrate", None, outputs=google.outputs())

    assert len(google.asked_for("/migrate")) == calls


def left(*words: str) -> tuple[int, object]:
    return (200, {"data": {"left": words, "message": f"Left to do: {'; '.join(words)}."}})


def test_what_is_left_to_do_is_called_for_until_nothing_is(
    google: Google, capsys: pytest.CaptureFixture[str]
) -> None:
    google.answers_to("/migrate", left("documents: 1 of 3"), left("documents: 2 of 3"), left())

    calling.run("migrate", None, outputs=google.outputs())

    told = capsys.readouterr()
    assert len(google.asked_for("/migrate")) == 3
    assert len(google.asked_for(minting(DEPLOYER))) == 3  # a token ends sooner than the work may
    assert told.err.splitlines() == [
        "Left to do: documents: 1 of 3.",
        "Left to do: documents: 2 of 3.",
    ]
    assert json.loads(told.out)["data"]["left"] == []


def test_what_does_not_get_on_is_told(google: Google) -> None:
    google.answers_to("/migrate", left("documents: 1 of 3"), left("documents: 2 of 3"))

    with pytest.raises(Failure, match=r"migrate does not get on: Left to do: documents: 2 of 3\."):
        calling.run("migrate", None, outputs=google.outputs())

    assert len(google.asked_for("/migrate")) == 4


# --- Where it is ----------------------------------------------------------------------------------


def test_a_public_function_is_called_without_a_token(google: Google) -> None:
    google.answers_to("/movies.list", (200, {"data": []}))

    calling.run("movies_list", None, outputs=google.outputs())

    [asked] = google.asked
    assert asked.method == "GET"
    assert "Authorization" not in asked.headers


def test_a_public_function_is_called_at_the_domain_where_there_is_one(google: Google) -> None:
    google.answers_to("/movies.list", (200, {"data": []}))
    closed = dict.fromkeys(read_functions(), "http://127.0.0.1:9")

    calling.run("movies_list", None, outputs=google.outputs(base_url=google.url, urls=closed))

    assert len(google.asked) == 1


def test_terraform_is_asked_where_no_file_is_named(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    google.answers_to("/movies.list", (200, {"data": []}))
    called = install(tmp_path / "bin", "terraform", f"cat {google.outputs()}", monkeypatch)

    calling.run("movies_list", None)

    assert called.read_text().strip() == f"-chdir={ROOT / 'terraform'} output -no-color -json"
    assert len(google.asked) == 1


def test_terraforms_own_complaint_is_told(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint = "echo 'Error: Backend initialization required' >&2; exit 1"
    install(tmp_path / "bin", "terraform", complaint, monkeypatch)

    with pytest.raises(Failure, match="Backend initialization required"):
        calling.run("movies_list", None)

    assert not google.asked


@pytest.mark.usefixtures("google")
def test_a_machine_without_terraform_is_told_of_the_option() -> None:
    with pytest.raises(Failure, match="by --outputs FILE"):
        calling.run("movies_list", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "nothing is applied there yet"),
        ("[]", "is not what `terraform output -json` prints"),
        ("no JSON", "is not what `terraform output -json` prints"),
        ('{"urls": "bare"}', "is not what `terraform output -json` prints"),
    ],
)
def test_a_file_that_holds_no_outputs_is_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(text)
    with pytest.raises(Failure, match=message):
        calling.run("migrate", None, outputs=file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot be read"):
        calling.run("migrate", None, outputs=tmp_path / "outputs.json")


def test_outputs_that_lack_what_it_takes_are_told(google: Google) -> None:
    with pytest.raises(Failure, match="name no URL of movies_list"):
        calling.run("movies_list", None, outputs=google.outputs(urls={}))
    with pytest.raises(Failure, match="do not name the scheduler's account"):
        calling.run("movies_import", None, outputs=google.outputs(scheduler=LEFT_OUT))


@pytest.mark.parametrize(
    ("function", "body", "message"),
    [
        ("movies_lst", None, "there is no function 'movies_lst': there are api_docs, "),
        ("movies_delete", None, "by curl"),
        ("migrate", "{", "the body is no JSON"),
    ],
)
def test_what_cannot_be_called_is_told(function: str, body: str | None, message: str) -> None:
    with pytest.raises(Failure, match=message):
        calling.run(function, body, url="http://127.0.0.1:9")


# --- Against the functions themselves -------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_migrate_as_it_is_deployed_is_called_with_the_token(
    google: Google, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {"DATABASE_URL": database_url, "ADMIN_PASSWORD": ADMIN_PASSWORD}
    with deployed("migrate", variables, tmp_path) as function:
        url = f"http://127.0.0.1:{function.port}"
        calling.run("migrate", None, outputs=google.outputs(urls={"migrate": url}))

    [minted] = google.asked_for(minting(DEPLOYER))
    assert json.loads(minted.body)["audience"] == url
    answer = json.loads(capsys.readouterr().out)["data"]
    assert answer["before"] == answer["after"]
    assert answer["admin_created"]


def test_the_command_calls_a_service_that_takes_no_identity(base_url: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "local", "call", "movies-list", "--url", base_url + "/"]
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "pagination" in json.loads(done.stdout)


def test_the_command_tells_a_failure_in_one_line(base_url: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "local", "call", "movies_import", "[]"]
    done = subprocess.run(  # noqa: S603
        [*command, "--url", base_url],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("dev: movies_import answers 400: ")
    assert done.stderr.count("\n") == 1
