"""The shapes of what is answered about users, and about what was done."""

from collections.abc import Mapping
from typing import Final

from lib.accounts.audit_list import ACTIONS
from lib.accounts.people import STATES
from lib.accounts.roles import ROLES
from local.openapi.shape_parts import (
    BY_CURSOR,
    MOMENT,
    Schema,
    data,
    list_of,
    null,
    object_of,
    or_null,
    ref,
    text,
    whole,
)

_CODE: Final[Mapping[str, Schema]] = {
    "code": text(
        "smc_b3JkaW5hcnkgZXhhbXBsZSwgb3BlbnMgbm90aGluZyE",
        "With it their password is chosen at `POST /passwords.set`. It is shown this once.",
    ),
    "code_expires_at": text("2026-11-30T09:30:00Z", "Until when it can be used.", **MOMENT),
}

SHAPES_OF_PEOPLE: Final[Mapping[str, Schema]] = {
    "User": object_of(
        {
            "username": text("ana", "As it is stored and compared."),
            "role": text("editor", enum=list(ROLES)),
            "state": text(
                "active", "Who is invited has chosen no password yet.", enum=list(STATES)
            ),
            "created_at": text("2026-11-27T09:30:00Z", **MOMENT),
            "changed_at": text("2026-11-27T09:35:00Z", **MOMENT),
            "password_set_at": or_null(
                text("2026-11-27T09:35:00Z", "When its owner chose it; null before.", **MOMENT)
            ),
            "disabled_at": null(text("2026-11-28T09:30:00Z", **MOMENT)),
        },
        "A user, as administrators see them.",
    ),
    "UserAnswer": data(ref("User")),
    "UserList": object_of({"data": list_of(ref("User")), "pagination": BY_CURSOR}),
    "InvitedUser": data(object_of({"user": ref("User"), **_CODE})),
    "OneTimeCode": data(object_of(_CODE)),
    "AuditList": object_of(
        {
            "data": list_of(
                object_of(
                    {
                        "id": whole(42),
                        "at": text("2026-11-27T09:30:00Z", **MOMENT),
                        "actor": or_null(
                            text("admin", "Who did it, under the name of then; null if unknown.")
                        ),
                        "action": text("user.created", enum=list(ACTIONS)),
                        "subject": or_null(
                            text(
                                "ana",
                                "What it was done to: a username, or the id of a session, a key "
                                "or a movie. Of a refused login, the beginning of the digest of "
                                "the name.",
                            )
                        ),
                        "address": or_null(text("203.0.113.7", "Where it was asked from.")),
                        "request_id": or_null(text("6c5ab6d3752fba98560fc0b5680a2cdb")),
                        "details": {
                            "type": ["object", "null"],
                            "description": "What else there is to know of it.",
                            "examples": [{"role": "editor"}],
                        },
                    },
                    "Something that was done.",
                )
            ),
            "pagination": {
                **BY_CURSOR,
                "properties": {
                    **BY_CURSOR["properties"],
                    "total_records": {"type": "null", "description": "Nobody counts them."},
                },
            },
        }
    ),
}
