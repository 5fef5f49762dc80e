"""The shapes of what is answered about sessions, and about keys for machines."""

from collections.abc import Mapping
from typing import Final

from lib.accounts.api_keys import MOST_KEYS, ROLES_OF_KEYS
from lib.accounts.lifetimes import IDLE, TOKEN_SECONDS
from lib.accounts.roles import ROLES
from local.openapi.shape_parts import (
    BY_CURSOR,
    MOMENT,
    Schema,
    data,
    leaf,
    list_of,
    object_of,
    or_null,
    ref,
    text,
    whole,
)

_ID_OF_SESSION: Final = "6f1ed002ab5595859014ebf0951522d9"
_KEY: Final[Mapping[str, Schema]] = {
    "id": text("3f9a5c01d2e4", "By which it is known; the key itself begins with it."),
    "name": text("nightly job"),
    "role": text("editor", "What it may do at most.", enum=list(ROLES_OF_KEYS)),
    "created_at": text("2026-11-27T09:30:00Z", **MOMENT),
    "expires_at": text("2027-02-25T09:30:00Z", **MOMENT),
}
_SESSION: Final[Mapping[str, Schema]] = {
    "id": text(_ID_OF_SESSION, "By which it can be ended."),
    "name": or_null(text("phone", "What its user called it at the login.")),
    "created_at": text("2026-11-27T09:30:00Z", **MOMENT),
    "last_used_at": text("2026-11-27T09:45:00Z", "When it began or was last refreshed.", **MOMENT),
    "ends_at": text("2026-12-04T09:45:00Z", "When it ends without another refresh.", **MOMENT),
    "address": or_null(text("203.0.113.7", "Where its user was then.")),
    "is_this": leaf("boolean", example=True, description="Whether it is that of the token."),
}

SHAPES_OF_SESSIONS: Final[Mapping[str, Schema]] = {
    "AccessToken": data(
        object_of(
            {
                "token": text("eyJhbGciOiJFZERTQSIsImtpZCI6IjAxIiwidHlwIjoiYXQrand0In0.e30.c2ln"),
                "token_type": {"type": "string", "const": "Bearer"},
                "expires_in": whole(TOKEN_SECONDS, "Seconds."),
                "refresh_token": text(
                    f"smr_{_ID_OF_SESSION}_b3JkaW5hcnkgZXhhbXBsZSwgb3BlbnMgbm90aGluZyE",
                    "What `POST /sessions.refresh` takes, once. Keep it where no page can read it.",
                ),
                "refresh_expires_in": whole(
                    int(IDLE.total_seconds()),
                    "Seconds after which the session ends without another refresh.",
                ),
                "user": object_of(
                    {
                        "username": text("ana", "As it is stored and compared."),
                        "role": text("editor", "The present one.", enum=list(ROLES)),
                    }
                ),
            }
        )
    ),
    "Session": object_of(_SESSION, "Where a user is logged in."),
    "SessionList": object_of(
        {
            "data": list_of(ref("Session")),
            "pagination": {
                **BY_CURSOR,
                "properties": {
                    **BY_CURSOR["properties"],
                    "total_records": {"type": "null", "description": "Nobody counts them."},
                },
            },
        }
    ),
    "Key": object_of(_KEY, "A key for a machine, without what only its owner has."),
    "CreatedKey": data(
        object_of(
            {
                "key": text(
                    "smk_3f9a5c01d2e4_b3JkaW5hcnkgZXhhbXBsZSwgb3BlbnMgbm90aGluZyE",
                    "Sent as `Authorization: Bearer <key>`. It is shown this once.",
                ),
                **_KEY,
            }
        )
    ),
    "KeyList": object_of(
        {
            "data": list_of(ref("Key"), maxItems=MOST_KEYS),
            "pagination": {
                **BY_CURSOR,
                "properties": {**BY_CURSOR["properties"], "next_cursor": {"type": "null"}},
            },
        }
    ),
}
