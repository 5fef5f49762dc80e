"""What administrators do about users: invite, change, reset, delete. They never see a password.

Nobody takes their own account away, and the last active administrator stays: whoever could change
that first locks all active administrators, always in the same order, and then looks. So of two who
demote each other the second finds that there is only one left. The operators at a terminal act
without an account (`actor_id` is None then).

The database lets none of this touch a password's hash: `invited` tells whether there is none.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from lib.accounts import audit, codes
from lib.accounts.people import SHOWN, refuse_to_change_nothing
from lib.accounts.roles import check_role
from lib.accounts.usernames import fold_username
from lib.database.account_tables import api_keys, password_codes, sessions, users
from lib.database.faults import sqlstate
from lib.errors import Forbidden, InvalidRequest, LastAdmin, OwnAccount, UsernameTaken, UserNotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, RowMapping

    from lib.accounts.codes import IssuedCode
    from lib.database.transactions import TransactionalDatabase

_DUPLICATE: Final = "23505"

IS_ACTIVE_ADMIN: Final = and_(
    users.c.role == "admin", users.c.disabled_at.is_(None), ~users.c.invited
)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts: an administrator, by a token that was admitted, or an operator at a terminal.

    Attributes:
        id: None for an operator, who is named by their database user.
        address: Where from.
    """

    id: int | None = None
    address: str | None = None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What to change of a user; None leaves it as it is."""

    role: object = None
    disabled: object = None
    new_username: object = None


def invite_user(
    database: "TransactionalDatabase", actor: Actor, *, username: object, role: object
) -> "tuple[dict[str, Any], IssuedCode]":
    """Make a user without a password; return them, and the code that they choose one with.

    Raises:
        InvalidRequest: Name or role break their rule.
        UsernameTaken: There is such a user, in whatever state.
        Forbidden: The actor has just ceased to be an administrator.
    """
    name = fold_username(username)
    check_role(role)
    with database.begin() as connection:
        _demand_admin(connection, actor)
        user_id: int | None = connection.execute(
            postgresql.insert(users)
            .values(username=name, role=role)
            .on_conflict_do_nothing()
            .returning(users.c.id)
        ).scalar_one_or_none()
        if user_id is None:
            raise _taken()
        code = codes.issue_code(connection, user_id, "invite", created_by=actor.id)
        _note(connection, actor, "user.created", name, {"role": role})
        return _show(connection, user_id), code


def update_user(
    database: "TransactionalDatabase", actor: Actor, *, username: object, changes: Changes
) -> dict[str, Any]:
    """Change a user, and return them as they are then.

    Who is disabled has no session, key or code any more, and gets none of them back when enabled.

    Raises:
        InvalidRequest: A name or the role breaks its rule, or nothing is to be changed.
        UserNotFound: There is no such user.
        OwnAccount: The actor would lose their own rights.
        LastAdmin: There would be no active administrator any more.
        UsernameTaken: There is another user of the new name.
        Forbidden: The actor has just ceased to be an administrator.
    """
    name, wanted = fold_username(username), _read(changes)
    with database.begin() as connection:
        user = _lock(connection, actor, name, loses=_loses_admin(wanted))
        changed = {key: value for key, value in wanted.items() if value != user[key]}
        if changed:
            _change(connection, user["id"], changed)
            _note(connection, actor, "user.updated", name, changed)
        return _show(connection, user["id"])


def reset_password(
    database: "TransactionalDatabase",
    actor: Actor,
    *,
    username: object,
    end_sessions: object = False,
) -> "IssuedCode":
    """Make a code that a user chooses a new password with; the present one works until then.

    Args:
        end_sessions: Whether the user's sessions end at once.

    Raises:
        InvalidRequest: The name breaks its rule.
        UserNotFound: There is no such user.
        Forbidden: The actor has just ceased to be an administrator.
    """
    name, ending = fold_username(username), _read_flag("end_sessions", end_sessions)
    with database.begin() as connection:
        user = _find(connection, name)
        _demand_admin(connection, actor)
        purpose: codes.Purpose = "invite" if user["invited"] else "reset"
        code = codes.issue_code(connection, user["id"], purpose, created_by=actor.id)
        if ending:
            connection.execute(delete(sessions).where(sessions.c.user_id == user["id"]))
        _note(connection, actor, "user.reset", name, {"end_sessions": ending})
        return code


def delete_user(database: "TransactionalDatabase", actor: Actor, *, username: object) -> None:
    """Delete a user, and with them their sessions, keys and codes; the audit stays.

    Raises:
        InvalidRequest: The name breaks its rule.
        UserNotFound: There is no such user.
        OwnAccount: It is the actor's own account.
        LastAdmin: There would be no active administrator any more.
        Forbidden: The actor has just ceased to be an administrator.
    """
    name = fold_username(username)
    with database.begin() as connection:
        user = _lock(connection, actor, name, loses=True)
        connection.execute(delete(users).where(users.c.id == user["id"]))
        _note(connection, actor, "user.deleted", name, {"role": user["role"]})


def _read(changes: Changes) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if changes.role is not None:
        check_role(changes.role)
        wanted["role"] = changes.role
    if changes.disabled is not None:
        wanted["disabled"] = _read_flag("disabled", changes.disabled)
    if changes.new_username is not None:
        wanted["username"] = fold_username(changes.new_username, member="new_username")
    if not wanted:
        refuse_to_change_nothing(())
    return wanted


def _read_flag(member: str, value: object) -> bool:
    if not isinstance(value, bool):
        expected = "expected true or false"
        raise InvalidRequest(
            f"The {member} is not accepted: {expected}.", fields={member: expected}
        )
    return value


def _loses_admin(wanted: "Mapping[str, Any]") -> bool:
    return bool(wanted.get("disabled")) or wanted.get("role", "admin") != "admin"


def _lock(connection: "Connection", actor: Actor, name: str, *, loses: bool) -> "RowMapping":
    """Lock all active administrators and then a user, who may be acted on, and return the user.

    All locks are those of a deletion, as one that a weaker lock has to be raised to can be waited
    for in a circle.

    Args:
        loses: Whether an administrator would be none afterwards, or a user no user.
    """
    in_order = select(users.c.id).where(IS_ACTIVE_ADMIN).order_by(users.c.id).with_for_update()
    admins = set(connection.execute(in_order).scalars())
    user = _find(connection, name)
    if loses and user["id"] == actor.id:
        raise OwnAccount(
            "This is your own account: another administrator can disable or delete it, or lower "
            "its role."
        )
    if loses and admins == {user["id"]}:
        raise LastAdmin("There would be no active administrator any more: make another one before.")
    if actor.id is not None and actor.id not in admins:
        raise _lost()
    return user


def _demand_admin(connection: "Connection", actor: Actor) -> None:
    """Raise `Forbidden` if the actor was disabled or demoted since their token was admitted.

    What waits for a connection in between can wait for long where many ask at once.
    """
    if actor.id is None:
        return
    still = select(users.c.id).where(users.c.id == actor.id, IS_ACTIVE_ADMIN)
    if connection.execute(still).one_or_none() is None:
        raise _lost()


def _find(connection: "Connection", name: str) -> "RowMapping":
    """Lock a user."""
    is_disabled = users.c.disabled_at.is_not(None).label("disabled")
    columns = (users.c.id, users.c.username, users.c.role, users.c.invited, is_disabled)
    found = select(*columns).where(users.c.username == name).with_for_update()
    user = connection.execute(found).mappings().one_or_none()
    if user is None:
        raise UserNotFound("There is no user of this name.")
    return user


def _change(connection: "Connection", user_id: int, changed: "Mapping[str, Any]") -> None:
    values: dict[str, Any] = {"changed_at": func.now(), **changed}
    if "disabled" in changed:
        values["disabled_at"] = func.now() if values.pop("disabled") else None
    try:
        with connection.begin_nested():
            connection.execute(update(users).where(users.c.id == user_id).values(values))
    except DBAPIError as error:
        if sqlstate(error) != _DUPLICATE:
            raise
        raise _taken() from None  # of these columns only the name can be another's
    if changed.get("disabled"):
        for table in (sessions, api_keys, password_codes):
            connection.execute(delete(table).where(table.c.user_id == user_id))


def _note(
    connection: "Connection",
    actor: Actor,
    action: audit.Action,
    subject: str,
    details: "Mapping[str, object]",
) -> None:
    if actor.id is None:
        operator = connection.execute(select(func.session_user())).scalar_one()
        details = {**details, "database_user": operator}
    audit.write(
        connection,
        action,
        actor_id=actor.id,
        subject=subject,
        address=actor.address,
        details=details,
    )


def _show(connection: "Connection", user_id: int) -> dict[str, Any]:
    shown: dict[str, Any] = connection.exec_driver_sql(
        f"select {SHOWN} from users where id = %s",  # noqa: S608  built from constants
        (user_id,),
    ).scalar_one()
    return shown


def _lost() -> Forbidden:
    return Forbidden("This needs the role admin, and you have lost it.")


def _taken() -> UsernameTaken:
    return UsernameTaken("There is another user of this name.")
