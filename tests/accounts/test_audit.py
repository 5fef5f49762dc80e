"""The audit: written with what is done, by nobody else's name or time, and kept for 400 days."""

from sqlalchemy import text

from lib.accounts import audit
from lib.catalogue import movies
from lib.database.database import Database
from lib.database.transactions import TransactionalDatabase
from lib.errors import MovieNotFound
from lib.imports import choosing
from lib.imports.statements import STATEMENTS as OF_IMPORTS
from lib.web.logs import RequestContext, current_request
from tests.accounts.town import ADDRESS, Town


def write(town: Town, **changed: object) -> None:
    entry = {"actor_id": None, "subject": "vic", "address": ADDRESS, **changed}
    with town.database.begin() as connection:
        audit.write(connection, "user.updated", **entry)  # type: ignore[arg-type]


def test_an_entry_says_who_did_what_to_what_when_and_from_where(town: Town) -> None:
    [(ann,)] = town.rows("select id from users where username = 'ann'")
    token = current_request.set(RequestContext(request_id="request 1"))
    write(town, actor_id=ann, details={"role": ["viewer", "editor"]})
    current_request.reset(token)

    [entry] = town.rows(
        "select actor_id, actor, action, subject, address, request_id, details, "
        "now() - at < interval '10 seconds' from audit_log"
    )

    assert entry == (
        ann, "ann", "user.updated", "vic", ADDRESS, "request 1", {"role": ["viewer", "editor"]},
        True,
    )  # fmt: skip


def test_an_entry_outlives_its_actor_and_keeps_the_name(town: Town) -> None:
    [(ann,)] = town.rows("select id from users where username = 'ann'")
    write(town, actor_id=ann)

    town.rows("delete from users")

    assert town.rows("select actor_id, actor from audit_log") == [(ann, "ann")]


def test_what_is_rolled_back_was_not_done(town: Town) -> None:
    with town.database.begin() as connection:
        audit.write(connection, "user.deleted", actor_id=None, subject="vic", address=None)
        connection.rollback()

    assert town.audited() == []


def test_nobody_says_another_name_or_another_time(town: Town) -> None:
    town.rows(
        "insert into audit_log (at, actor, action) values ('2000-01-01', 'ann', 'user.deleted')"
    )

    assert town.rows("select actor, at > now() - interval '1 minute' from audit_log") == [
        (None, True)
    ]


def test_a_tick_of_the_import_sweeps_what_is_older_than_400_days(town: Town) -> None:
    for _ in range(3):
        write(town)
    town.rows("update audit_log set at = now() - interval '400 days' where id = 1")
    town.rows("update audit_log set at = now() - interval '399 days' where id = 2")
    database = Database(town.database._settings, statements=OF_IMPORTS)

    choosing.sweep(database)
    database.close()

    assert town.rows("select id from audit_log order by id") == [(2,), (3,)]


def test_a_sweep_is_of_some_at_a_time(town: Town) -> None:
    with town.database.begin() as connection:
        connection.execute(
            text("insert into audit_log (action) select 'login' from generate_series(1, 2500)")
        )
        connection.execute(text("update audit_log set at = now() - interval '500 days'"))

    swept = [town.rows("select sweep_audit_log()") for _ in range(3)]

    assert swept == [[(2000,)], [(500,)], [(0,)]]


def test_a_movie_that_is_deleted_is_in_the_audit_with_its_title(
    database: TransactionalDatabase, town: Town
) -> None:
    town.rows(
        "insert into movies (imdb_id, title, sort_key, type) "
        "values ('tt0034583', 'Casablanca', 'casablanca', 'movie')"
    )
    [(ed,)] = town.rows("select id from users where username = 'ed'")
    for _ in range(2):
        try:
            database.answer(movies.delete("tt0034583", user_id=ed, address=ADDRESS))
        except MovieNotFound:
            continue

    assert town.rows("select action, actor, subject, address, details from audit_log") == [
        ("movie.deleted", "ed", "tt0034583", ADDRESS, {"title": "Casablanca"})
    ]
