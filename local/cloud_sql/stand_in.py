"""A Cloud SQL of our own: Google's Admin API, its metadata server, an instance behind TLS.

What the real one does with IAM: the connector asks for a certificate and hands in an access token
for nothing but logins; the certificate carries it, and the instance's proxy logs its holder in as
the account's database user without asking for a password.

`python -m local.cloud_sql.stand_in DATABASE_URL` runs one until its input ends, and prints the
variables, as JSON, that a function is started with to use it.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import pg8000.native
from google.auth.credentials import Credentials, Scoped
from pg8000.native import identifier, literal
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from lib.database.settings import DatabaseSettings
from local.cloud_sql.authority import Authority
from local.cloud_sql.proxy import LoginRefused, Proxy
from local.servers import Server

PROJECT: Final = "demo-project"
REGION: Final = "europe-west1"
NAME: Final = "movies"
INSTANCE: Final = f"{PROJECT}:{REGION}:{NAME}"
ACCOUNT_ENDING: Final = ".gserviceaccount.com"
OK: Final = 200
ADMIN_SCOPE: Final = "https://www.googleapis.com/auth/sqlservice.admin"
LOGIN_SCOPE: Final = "https://www.googleapis.com/auth/sqlservice.login"
ENDPOINT: Final = "STAND_IN_ENDPOINT"


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token: whose it is, what for, until when."""

    email: str
    scopes: frozenset[str]
    expires: float


class CloudSqlStandIn:
    """Everything that a function meets on its way to one instance.

    Args:
        url: The database behind it, as its owner reaches it.

    Attributes:
        user: The database user of the service account.
        calls: What the Admin API was asked, in order.
        status: What it answers with, where that is not 200.
        hanging: Whether it accepts calls and does not answer them.
        certificate_lifetime: Of the certificates that it signs from now on.
        refused: The serial numbers of certificates that the instance takes no more.
        logins: Who logged in with the token in a certificate.
    """

    def __init__(self, url: str) -> None:
        self._owner = DatabaseSettings.from_env({"DATABASE_URL": url})
        self._authority = Authority(f"{PROJECT}:{NAME}")
        self._tokens: dict[str, Token] = {}
        self._carried: dict[int, Token | None] = {}
        self._password = secrets.token_hex(16)
        self.user = f"movies-list-{secrets.token_hex(4)}@{PROJECT}.iam"
        self.calls: list[str] = []
        self.status = OK
        self.hanging = False
        self.certificate_lifetime = timedelta(hours=1)
        self.refused: set[int] = set()
        self.logins: list[str] = []
        self.proxy = Proxy(self._authority.server_context(), self._owner.port, self._password_for)
        self._server = Server(self._api())
        self.endpoint = self._server.url

    def __enter__(self) -> Self:
        self._server.__enter__()
        password = literal(self._password)
        self._as_owner(f"create role {identifier(self.user)} login password {password}")
        self._as_owner(f"grant pg_read_all_data to {identifier(self.user)}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hanging = False
        self.proxy.close()
        self._server.__exit__(kind, error, trace)
        self._as_owner(f"drop role {identifier(self.user)}")

    def recover(self) -> None:
        """Be well again."""
        self.status, self.hanging = OK, False
        self.certificate_lifetime = timedelta(hours=1)
        self.refused.clear()
        self.calls.clear()
        self.logins.clear()
        self.proxy.recover()

    def settings(self, **changes: Any) -> DatabaseSettings:
        """Return what a function is deployed with; the database user is left to the account."""
        return DatabaseSettings(**{"instance": INSTANCE, "name": self._owner.name, **changes})

    def environment(self) -> dict[str, str]:
        """Return the variables of a process that reaches us as if it ran in the cloud."""
        host = self.endpoint.removeprefix("http://")
        return {
            "CLOUD_SQL_INSTANCE": INSTANCE,
            "DB_NAME": self._owner.name,
            "GCE_METADATA_HOST": host,
            "GCE_METADATA_IP": host,
            "CLOUDSDK_CONFIG": "/nonexistent",
            ENDPOINT: self.endpoint,
        }

    def refuse_certificates(self) -> None:
        """Take none of the certificates any more that were signed until now."""
        self.refused.update(self._carried)

    def issue(self, scopes: Sequence[str], lifetime: float = 3600) -> str:
        """Make an access token of the service account."""
        token = secrets.token_hex(16)
        self._tokens[token] = Token(
            email=self.user + ACCOUNT_ENDING,
            scopes=frozenset(scopes),
            expires=time.time() + lifetime,
        )
        return token

    def _as_owner(self, statement: str) -> None:
        owner = self._owner
        password = owner.password.reveal() if owner.password else None
        connection = pg8000.native.Connection(
            str(owner.user), owner.host, owner.name, owner.port, password
        )
        try:
            connection.run(statement)
        finally:
            connection.close()

    def _password_for(self, serial: int, user: str) -> str | None:
        """Let the holder of a certificate in as the account whose token it carries."""
        if serial in self.refused or serial not in self._carried:
            raise ConnectionAbortedError
        token = self._carried[serial]
        if token is None:
            return None
        if token.expires < time.time() or LOGIN_SCOPE not in token.scopes:
            raise LoginRefused("the token is none to log in with")
        if token.email != user + ACCOUNT_ENDING:
            raise LoginRefused(f"Cloud SQL IAM service account authentication failed for {user}")
        self.logins.append(user)
        return self._password

    def _api(self) -> Starlette:
        instance = "/sql/v1beta4/projects/{project}/instances/{instance}"
        account = "/computeMetadata/v1/instance/service-accounts/{account}"
        return Starlette(
            routes=[
                Route(instance + "/connectSettings", self._connect_settings),
                Route(instance + ":generateEphemeralCert", self._sign, methods=["POST"]),
                Route("/", _metadata("")),
                Route("/computeMetadata/v1/project/project-id", _metadata(PROJECT)),
                Route("/computeMetadata/v1/universe/universe-domain", _metadata("googleapis.com")),
                Route(account + "/token", self._token),
                Route(account + "/", self._account),
            ]
        )

    async def _connect_settings(self, request: Request) -> Response:
        refusal = await self._refusal(request, "connectSettings")
        return refusal or JSONResponse(
            {
                "region": REGION,
                "databaseVersion": "POSTGRES_18",
                "ipAddresses": [{"type": "PRIMARY", "ipAddress": self.proxy.host}],
                "serverCaCert": {"cert": self._authority.pem},
            }
        )

    async def _sign(self, request: Request) -> Response:
        refusal = await self._refusal(request, "generateEphemeralCert")
        if refusal is not None:
            return refusal
        asked = await request.json()
        certificate, serial = self._authority.sign(asked["public_key"], self.certificate_lifetime)
        carried = asked.get("access_token")
        self._carried[serial] = self._tokens[carried] if carried else None
        return JSONResponse({"ephemeralCert": {"cert": certificate}})

    async def _refusal(self, request: Request, call: str) -> Response | None:
        self.calls.append(call)
        while self.hanging:  # noqa: ASYNC110  set from another thread
            await asyncio.sleep(0.02)
        token = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if token is None or ADMIN_SCOPE not in token.scopes:
            return _error(401, "Request had invalid authentication credentials.")
        if self.status != OK:
            return _error(self.status, "The stand-in was told to say so.")
        if (request.path_params["project"], request.path_params["instance"]) != (PROJECT, NAME):
            return _error(404, "The Cloud SQL instance does not exist.")
        return None

    async def _token(self, request: Request) -> Response:
        scopes = request.query_params.get("scopes", ADMIN_SCOPE).split(",")
        answer = {"access_token": self.issue(scopes), "expires_in": 3600, "token_type": "Bearer"}
        return _flavour(JSONResponse(answer))

    async def _account(self, _: Request) -> Response:
        email = self.user + ACCOUNT_ENDING
        return _flavour(JSONResponse({"email": email, "scopes": [], "aliases": ["default"]}))


class AccountCredentials(Credentials, Scoped):
    """The service account's credentials, in this process."""

    def __init__(
        self,
        stand_in: CloudSqlStandIn,
        scopes: Sequence[str] = (ADMIN_SCOPE,),
        lifetime: float = 3600,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._stand_in = stand_in
        self._asked_for = tuple(scopes)
        self._lifetime = lifetime
        self.service_account_email = stand_in.user + ACCOUNT_ENDING

    @property
    def requires_scopes(self) -> bool:
        """Say that it has scopes already."""
        return False

    def with_scopes(self, scopes: Sequence[str], default_scopes: object = None) -> Self:  # noqa: ARG002
        """Return the same with other scopes, as the connector does for logins."""
        return type(self)(self._stand_in, scopes, self._lifetime)

    def refresh(self, request: object) -> None:  # noqa: ARG002
        """Get a new token."""
        self.token = self._stand_in.issue(self._asked_for, self._lifetime)
        expires = datetime.now(UTC) + timedelta(seconds=self._lifetime)
        self.expiry = expires.replace(tzinfo=None)


def _metadata(text: str) -> Any:
    async def answer(_: Request) -> Response:
        return _flavour(PlainTextResponse(text))

    return answer


def _flavour(response: Response) -> Response:
    response.headers["Metadata-Flavor"] = "Google"
    return response


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": message}}, status_code=status)


def main() -> None:
    """Run until the input ends."""
    with CloudSqlStandIn(sys.argv[1]) as stand_in:
        print(json.dumps(stand_in.environment()), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
