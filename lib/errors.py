"""Every fault that this service tells its callers about.

    ServiceError
    ├── InvalidRequest            400 INVALID_REQUEST
    ├── Unauthorized              401 UNAUTHORIZED
    │   ├── InvalidCode           401 INVALID_CODE
    │   ├── InvalidCredentials    401 INVALID_CREDENTIALS
    │   └── InvalidRefreshToken   401 INVALID_REFRESH_TOKEN
    ├── Forbidden                 403 FORBIDDEN
    ├── NotFound                  404 NOT_FOUND
    │   ├── ImportNotFound        404 IMPORT_NOT_FOUND
    │   ├── KeyNotFound           404 KEY_NOT_FOUND
    │   ├── MovieNotFound         404 MOVIE_NOT_FOUND
    │   ├── OmdbMovieNotFound     404 OMDB_MOVIE_NOT_FOUND
    │   └── UserNotFound          404 USER_NOT_FOUND
    ├── MethodNotAllowed          405 METHOD_NOT_ALLOWED
    ├── RequestTimeout            408 REQUEST_TIMEOUT
    ├── LastAdmin                 409 LAST_ADMIN
    ├── OwnAccount                409 OWN_ACCOUNT
    ├── TooManyKeys               409 TOO_MANY_KEYS
    ├── UsernameTaken             409 USERNAME_TAKEN
    ├── BodyTooLarge              413 BODY_TOO_LARGE
    ├── AddressTooLong            414 ADDRESS_TOO_LONG
    ├── UnsupportedMediaType      415 UNSUPPORTED_MEDIA_TYPE
    ├── ImATeapot                 418 IM_A_TEAPOT
    ├── IdempotencyKeyReused      422 IDEMPOTENCY_KEY_REUSED
    ├── TooManyAttempts           429 TOO_MANY_ATTEMPTS
    ├── TooManyRequests           429 TOO_MANY_REQUESTS
    ├── HeadersTooLarge           431 HEADERS_TOO_LARGE
    ├── InternalError             500 INTERNAL_ERROR
    ├── OmdbUnavailable           502 OMDB_UNAVAILABLE
    │   ├── OmdbAnswerUnusable    502 OMDB_UNAVAILABLE
    │   └── OmdbKeyRefused        502 OMDB_UNAVAILABLE
    ├── DatabaseUnavailable       503 DATABASE_UNAVAILABLE
    ├── OmdbQuotaExceeded         503 OMDB_QUOTA_EXCEEDED
    ├── Overloaded                503 OVERLOADED
    └── OmdbTimeout               504 OMDB_TIMEOUT

OMDb's are made in `lib/omdb/faults.py`; `lib/catalogue/source.py` has those of any source.

The message is written for the caller: it says what was wrong and what is allowed, and never
carries a secret, an SQL text, or the words of another system.
"""

from collections.abc import Mapping
from typing import ClassVar


class ServiceError(Exception):
    """A fault with a status, a stable code and a message that is safe to show.

    Attributes:
        fields: What was wrong with which parameter or member, where input was wrong.
        headers: Headers that the answer must carry, such as ``Allow``.
        more: What else the answer tells of it, by member.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(
        self,
        message: str,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})
        self.more = dict(more or {})


class InvalidRequest(ServiceError):
    """The request breaks a rule that its sender can keep."""

    status, code = 400, "INVALID_REQUEST"


class Unauthorized(ServiceError):
    """The request carries no valid access token."""

    status, code = 401, "UNAUTHORIZED"


class InvalidCode(Unauthorized):
    """There is no such one-time code, or no longer."""

    code = "INVALID_CODE"


class InvalidCredentials(Unauthorized):
    """Username and password do not belong together."""

    code = "INVALID_CREDENTIALS"


class InvalidRefreshToken(Unauthorized):
    """The refresh token is unknown, was used, or its session is over."""

    code = "INVALID_REFRESH_TOKEN"


class Forbidden(ServiceError):
    """The token or key is valid, but does not allow this."""

    status, code = 403, "FORBIDDEN"


class NotFound(ServiceError):
    """There is nothing at this address."""

    status, code = 404, "NOT_FOUND"


class ImportNotFound(NotFound):
    """There was no import of this id."""

    code = "IMPORT_NOT_FOUND"


class KeyNotFound(NotFound):
    """There is no such key for machines, or not among the caller's own."""

    code = "KEY_NOT_FOUND"


class MovieNotFound(NotFound):
    """The catalogue holds no such movie."""

    code = "MOVIE_NOT_FOUND"


class UserNotFound(NotFound):
    """There is no user of this name."""

    code = "USER_NOT_FOUND"


class MethodNotAllowed(ServiceError):
    """The address exists, but not for this method."""

    status, code = 405, "METHOD_NOT_ALLOWED"


class RequestTimeout(ServiceError):
    """The request did not arrive in time."""

    status, code = 408, "REQUEST_TIMEOUT"


class LastAdmin(ServiceError):
    """Without this administrator there would be none."""

    status, code = 409, "LAST_ADMIN"


class OwnAccount(ServiceError):
    """Nobody takes their own account or its rights away."""

    status, code = 409, "OWN_ACCOUNT"


class TooManyKeys(ServiceError):
    """The user has as many keys for machines as one may have."""

    status, code = 409, "TOO_MANY_KEYS"


class UsernameTaken(ServiceError):
    """There is another user of this name."""

    status, code = 409, "USERNAME_TAKEN"


class BodyTooLarge(ServiceError):
    """The body is larger than this endpoint reads."""

    status, code = 413, "BODY_TOO_LARGE"


class AddressTooLong(ServiceError):
    """The address that was asked for is longer than is read of one."""

    status, code = 414, "ADDRESS_TOO_LONG"


class UnsupportedMediaType(ServiceError):
    """The body is not JSON in UTF-8."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


class ImATeapot(ServiceError):
    """Coffee was asked of a teapot (RFC 2324, section 2.3.2)."""

    status, code = 418, "IM_A_TEAPOT"


class IdempotencyKeyReused(ServiceError):
    """The key of this request belongs to another request."""

    status, code = 422, "IDEMPOTENCY_KEY_REUSED"


class RetryLater(ServiceError):
    """A fault that passes by itself: the answer says when to come back."""

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after_seconds)})
        self.retry_after_seconds = retry_after_seconds


class TooManyAttempts(RetryLater):
    """Too many failed logins for this user or from this address."""

    status, code = 429, "TOO_MANY_ATTEMPTS"


class TooManyRequests(RetryLater):
    """This caller's share of OMDb's calls is used up."""

    status, code = 429, "TOO_MANY_REQUESTS"


class HeadersTooLarge(ServiceError):
    """The request has more header fields, or larger ones, than are read."""

    status, code = 431, "HEADERS_TOO_LARGE"


class InternalError(ServiceError):
    """A fault of our own."""

    status, code = 500, "INTERNAL_ERROR"


class DatabaseUnavailable(RetryLater):
    """The database cannot be reached or is not ready."""

    status, code = 503, "DATABASE_UNAVAILABLE"


class Overloaded(RetryLater):
    """More work is waiting than can be begun in time."""

    status, code = 503, "OVERLOADED"
