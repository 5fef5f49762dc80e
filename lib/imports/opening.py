"""Making an import of an order: once, however often and by how many at once it is asked for."""

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from lib.errors import IdempotencyKeyReused
from lib.imports.orders import Order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from lib.database.transactions import TransactionalDatabase

_AT_ONCE: Final = 10_000  # ids in one statement, which then takes a fraction of its time-out

_KNOWN_KEY: Final = "select import_id, fingerprint from import_keys where key = :key"
_REMEMBER: Final = """
    insert into import_keys (key, fingerprint, import_id)
    values (:key, :fingerprint, :import_id) on conflict do nothing
"""
_INSERT: Final = """
    insert into imports (
        kind, fingerprint, requested_by, types, search, search_type, search_year, refresh_before,
        due_only, has_more)
    values (
        :kind, :fingerprint, :requested_by, :types, :search, :search_type, :search_year,
        now() - cast(:older_than_days as integer) * interval '1 day', :due_only, :has_more)
    on conflict (fingerprint) where state = 'open' do nothing
    returning id
"""
# An import that is done but for titles to be asked about on another day stands in nobody's way: it
# goes on by itself, and the same order makes a new one; but for the first fill, which nobody asks
# for twice.
_STEP_ASIDE: Final = """
    update imports set fingerprint = fingerprint || ' ' || id
    where fingerprint = :fingerprint and state = 'open' and kind <> 'fill' and not has_more
        and not exists (
        select from import_items item
        where item.import_id = imports.id and item.state in ('pending', 'leased')
            and item.next_try_at <= now() + interval '1 hour')
"""
_SAME_ORDER: Final = "select id from imports where fingerprint = :fingerprint and state = 'open'"
_INSERT_ITEMS: Final = """
    with listed as (
        insert into import_items (import_id, imdb_id)
        select :import_id, value from json_array_elements_text(cast(:imdb_ids as json))
        on conflict do nothing
        returning imdb_id
    )
    update imports set total = total + (select count(*) from listed) where id = :import_id
"""


def open_import(
    database: "TransactionalDatabase", order: Order, *, key: str | None, requested_by: str
) -> int:
    """Return the import of an order, which is made where there is none.

    It is the one that the key led to, else the same order's that is open, else a new one.

    Raises:
        IdempotencyKeyReused: The key was used for another order.
    """
    with database.begin() as connection:
        connection.execute(text("set local lock_timeout = '8s'"))
        connection.execute(text("set local statement_timeout = '9s'"))
        if key is not None:
            known = _find_by_key(connection, key, order.fingerprint)
            if known is not None:
                return known
        connection.execute(text(_STEP_ASIDE), {"fingerprint": order.fingerprint})
        import_id = None
        while import_id is None:  # another may close the same order between the two statements
            import_id = _insert(connection, order, requested_by) or _find_same(connection, order)
        if key is not None:
            _remember(connection, key, order.fingerprint, import_id)
        return import_id


def find_import_of_key(database: "TransactionalDatabase", key: str, order: Order) -> int | None:
    """Return the import that a key led to, None where it is new.

    Raises:
        IdempotencyKeyReused: The key was used for another order.
    """
    with database.begin() as connection:
        return _find_by_key(connection, key, order.fingerprint)


def remember_key(database: "TransactionalDatabase", key: str, order: Order, import_id: int) -> None:
    """Keep what a key led to."""
    with database.begin() as connection:
        _remember(connection, key, order.fingerprint, import_id)


def _find_by_key(connection: "Connection", key: str, fingerprint: str) -> int | None:
    # Two requests with one key wait for each other here; the second then finds the first's import.
    lock = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")
    connection.execute(lock, {"key": key})
    found = connection.execute(text(_KNOWN_KEY), {"key": key}).one_or_none()
    if found is None:
        return None
    if found.fingerprint != fingerprint:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used for another request: give each request its own."
        )
    return int(found.import_id)


def _insert(connection: "Connection", order: Order, requested_by: str) -> int | None:
    values: dict[str, Any] = {
        "kind": order.kind,
        "fingerprint": order.fingerprint,
        "requested_by": requested_by,
        "types": list(order.types),
        "search": order.search,
        "search_type": order.search_type,
        "search_year": order.search_year,
        "older_than_days": order.older_than_days,
        "due_only": order.due_only,
        "has_more": order.kind in {"search", "refresh"},
    }
    import_id: int | None = connection.execute(text(_INSERT), values).scalar_one_or_none()
    if import_id is not None:
        ids = iter(order.imdb_ids)
        for block in _blocks(ids):
            connection.execute(text(_INSERT_ITEMS), {"import_id": import_id, "imdb_ids": block})
    return import_id


def _find_same(connection: "Connection", order: Order) -> int | None:
    values = {"fingerprint": order.fingerprint}
    found: int | None = connection.execute(text(_SAME_ORDER), values).scalar_one_or_none()
    return found


def _remember(connection: "Connection", key: str, fingerprint: str, import_id: int) -> None:
    values = {"key": key, "fingerprint": fingerprint, "import_id": import_id}
    connection.execute(text(_REMEMBER), values)


def _blocks(imdb_ids: "Iterator[str]") -> "Iterator[str]":
    while block := list(islice(imdb_ids, _AT_ONCE)):
        yield json.dumps(block)
