"""The ledger's SQL. Each statement is one transaction and one round trip."""

from typing import Final

from lib.catalogue.merging import COLUMNS, assignments, differs
from lib.database.statement import Statement

LAST_PAGE: Final = 100  # of a search; OMDb documents no more
OUTCOMES: Final = ("imported", "updated", "unchanged", "not_found", "rejected", "failed")
_DONE: Final = " + ".join(OUTCOMES)

ORDERED: Final = Statement(
    repeatable=True,
    sql=f"""
        select kind, state, types, has_more, total, {_DONE}, failed + not_found, reason
        from imports where id = :import_id::bigint
    """,  # noqa: S608  built from constants, as are the others
)

# A leased item whose lease has ended is taken like any other, and remembered as lost once more.
LEASE: Final = Statement(
    repeatable=True,  # what a lost answer leased comes back with the end of its lease
    sql="""
        with free as (
            select imdb_id from import_items
            where import_id = :import_id::bigint and state in ('pending', 'leased')
                and next_try_at <= now()
            order by next_try_at, imdb_id limit :most::bigint
            for update skip locked
        )
        update import_items item set
            state = 'leased', leased_by = :run,
            next_try_at = now() + :seconds::integer * interval '1 second',
            losses = item.losses + (item.state = 'leased')::integer
        from free where item.import_id = :import_id::bigint and item.imdb_id = free.imdb_id
        returning item.imdb_id, item.attempts, item.misses, item.losses
    """,
)
EXTEND: Final = Statement(
    repeatable=True,
    sql="""
        update import_items set next_try_at = now() + :seconds::integer * interval '1 second'
        where import_id = :import_id::bigint and leased_by = :run
            and imdb_id in (select value from json_array_elements_text(:imdb_ids::json))
    """,
)
NEXT_TRY: Final = Statement(
    repeatable=True,
    sql="""
        select extract(epoch from next_try_at - now())::double precision, state = 'leased'
        from import_items
        where import_id = :import_id::bigint and state in ('pending', 'leased')
        order by next_try_at, imdb_id limit 1
    """,
)

# The movies and what became of their items, all or nothing. A movie that would not change is left
# out before the insert: on conflict with nothing to do would still lock, and so write, its row.
# Locks are taken in the order that lib/catalogue/movies.py gives: of parts that do not need each
# other's rows Postgres may run either first.
SETTLE: Final = Statement(
    repeatable=True,  # a second time no item is leased by this run any more
    sql=f"""
        with given as materialized (
            select * from json_populate_recordset(null::movies, :movies::json)
        ), results as materialized (
            select *, row_number() over (partition by outcome, answered order by asked) as turn
            from json_to_recordset(:results::json) as result (
                asked text, outcome text, answered text, error text,
                attempts integer, misses integer, losses integer, delay integer)
        ), written as (
            insert into movies ({", ".join(COLUMNS)})
            select {", ".join(COLUMNS)} from given
            where not exists (
                select from movies where movies.imdb_id = given.imdb_id and not ({differs("given")})
            )
            order by imdb_id
            on conflict (imdb_id) do update set
            {assignments("excluded")},
            fetched_at = now(), changed_at = now()
            returning imdb_id, xmax = 0 as created
        ), settled as (
            update import_items item set
                state = case
                    when results.outcome <> 'stored' then results.outcome
                    when written.imdb_id is null or results.turn > 1 then 'unchanged'
                    when written.created then 'imported'
                    else 'updated' end,
                attempts = item.attempts + results.attempts,
                misses = item.misses + results.misses,
                losses = item.losses + results.losses,
                next_try_at = now() + results.delay * interval '1 second',
                leased_by = null,
                last_error = case when results.outcome <> 'stored'
                    then coalesce(results.error, item.last_error) end,
                answered_id = results.answered,
                settled_at = case when results.outcome <> 'pending' then now() end
            from results left join written on written.imdb_id = results.answered
            where item.import_id = :import_id::bigint and item.imdb_id = results.asked
                and item.leased_by = :run
                and (select count(*) from written) >= 0  -- all of them, before the first item
            returning item.state
        ), counted as (
            update imports set worked_at = now(),
                {
        ", ".join(
            f"{name} = {name} + (select count(*) from settled where state = '{name}')"
            for name in OUTCOMES
        )
    }
            where id = :import_id::bigint
            returning total, {_DONE} as done, failed + not_found as errors
        ), due as materialized (
            select movie_checks.imdb_id, given.year
            from movie_checks left join given using (imdb_id)
            where imdb_id in (
                    select imdb_id from given
                    union all
                    select asked from results
                    where outcome in ('not_found', 'failed') or answered <> asked)
                and exists (select from counted)  -- and with it all that is locked before these
            order by imdb_id for update of movie_checks
        ), checked as (
            update movie_checks
            set checked_at = now(), due_at = movie_due_at(due.year::smallint, now())
            from due where movie_checks.imdb_id = due.imdb_id
        )
        select
            (select json_object_agg(state, items)::text
             from (select state, count(*) as items from settled group by state) by_state),
            total, done, errors
        from counted
    """,  # noqa: S608
)
# A search whose last page was read is done, even when it has a reason for what it leaves out.
FINISH: Final = Statement(
    repeatable=True,
    sql=f"""
        update imports set
            state = case when reason is null or next_page > {LAST_PAGE} then 'done'
                else 'failed' end,
            finished_at = now()
        where id = :import_id::bigint and state = 'open' and not has_more and total = {_DONE}
        returning id
    """,  # noqa: S608
)

LEASE_PAGE: Final = Statement(
    repeatable=True,
    sql="""
        update imports set page_try_at = now() + :seconds::integer * interval '1 second'
        where id = :import_id::bigint and kind = 'search' and has_more and state = 'open'
            and page_try_at <= now()
        returning search, search_type, search_year, next_page, page_attempts
    """,
)
LIST_PAGE: Final = Statement(
    repeatable=True,  # a second time it is another page's turn
    sql="""
        with turn as (
            select id, types from imports
            where id = :import_id::bigint and next_page = :page::integer and state = 'open'
            for update
        ), listed as (
            insert into import_items (import_id, imdb_id, state, last_error, settled_at)
            select turn.id, hit.imdb_id,
                case when hit.type = any(turn.types) then 'pending' else 'rejected' end,
                case when hit.type = any(turn.types) then null else 'type_' || hit.type end,
                case when hit.type = any(turn.types) then null else now() end
            from turn, json_to_recordset(:hits::json) as hit (imdb_id text, type text)
            on conflict do nothing
            returning state
        )
        update imports set
            next_page = next_page + 1, page_attempts = 0, page_try_at = now(), worked_at = now(),
            has_more = :has_more::boolean, reason = :reason::text,
            total = total + (select count(*) from listed),
            rejected = rejected + (select count(*) from listed where state = 'rejected')
        where id in (select id from turn)
    """,
)
FAIL_PAGE: Final = Statement(
    repeatable=True,
    sql="""
        update imports set
            page_attempts = page_attempts + :attempts::integer,
            page_try_at = now() + :seconds::integer * interval '1 second',
            has_more = :reason::text is null,
            reason = :reason::text
        where id = :import_id::bigint and next_page = :page::integer and state = 'open'
    """,
)
LIST_STALE: Final = Statement(
    repeatable=True,
    sql="""
        with turn as (
            select id, refresh_before, due_only from imports
            where id = :import_id::bigint and has_more and state = 'open'
            for update
        ), stale as (
            select imdb_id from movie_checks
            where checked_at < (select refresh_before from turn)
                and due_at <= (select case when due_only then now() else 'infinity' end from turn)
                and not exists (select from import_items item
                    where item.import_id = :import_id::bigint
                        and item.imdb_id = movie_checks.imdb_id)
            order by due_at, imdb_id limit :most::bigint
        ), listed as (
            insert into import_items (import_id, imdb_id)
            select :import_id::bigint, imdb_id from stale
            on conflict do nothing
            returning imdb_id
        )
        update imports set
            total = total + (select count(*) from listed),
            has_more = (select count(*) from listed) = :most::bigint
        where id in (select id from turn)
        returning has_more
    """,
)

CHOOSE: Final = Statement(
    repeatable=True,
    sql="""
        select
            (select movies = 0 from movie_totals) and not exists (
                select from imports
                where state = 'open' and (kind = 'fill' or exists (
                    select from import_items item
                    where item.import_id = imports.id and item.state = 'leased'))),
            (select id from imports
             where state = 'open'
                and id not in (select value::bigint from json_array_elements_text(:seen::json))
                and (has_more and page_try_at <= now() or exists (
                    select from import_items item
                    where item.import_id = imports.id and item.state in ('pending', 'leased')
                        and item.next_try_at <= now()))
             order by id limit 1),
            exists (select from movie_checks where due_at <= now())
    """,
)
OPEN_FILL: Final = Statement(
    repeatable=True,
    sql="select id from imports where state = 'open' and kind = 'fill' order by id limit 1",
)
OLDEST_OPEN: Final = Statement(
    repeatable=True, sql="select id from imports where state = 'open' order by id limit 1"
)
# What finished long ago keeps its counts, but not its items; a few of them at a time.
SWEEP: Final = Statement(
    repeatable=True,
    sql="""
        with forgotten as (
            delete from import_keys where created_at < now() - interval '30 days'
        )
        delete from import_items where (import_id, imdb_id) in (
            select item.import_id, item.imdb_id
            from imports join import_items item on item.import_id = imports.id
            where imports.finished_at < now() - interval '30 days' limit 2000)
    """,
)
# Who did what more than 400 days ago; a function of the owner's, as nobody else may forget it.
SWEEP_AUDIT: Final = Statement(repeatable=True, sql="select sweep_audit_log()")
# The words and facets of movies that were written or deleted since, some movies at a time.
GATHERED_AT_ONCE: Final = 500
GATHER: Final = Statement(
    repeatable=True,
    sql=f"select gather_words({GATHERED_AT_ONCE})",
)
STATEMENTS: Final = (
    ORDERED, LEASE, EXTEND, NEXT_TRY, SETTLE, FINISH, LEASE_PAGE, LIST_PAGE, FAIL_PAGE, LIST_STALE,
    CHOOSE, OPEN_FILL, OLDEST_OPEN, SWEEP, SWEEP_AUDIT, GATHER,
)  # fmt: skip
