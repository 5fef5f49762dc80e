"""How far an import is: state, counts, rate, errors by kind, and when it will be done."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lib.catalogue.document import utc_text
from lib.database.statement import Query, Rows, Statement
from lib.errors import ImportNotFound
from lib.imports.statements import OUTCOMES
from lib.web.inputs import Input, Inputs
from lib.web.paging import NUMBER_OF_RECORDS
from lib.web.rules import Rule, Schema, Whole

_LAST_ID: Final = 999_999_999
_ID: Final = Whole(low=1, high=_LAST_ID)


class _CursorRule(Rule[int]):
    """An id as lists give it out; to callers it is a text that they carry."""

    rule = _ID.rule

    def from_text(self, name: str, text: str) -> int:
        """Read a parameter."""
        return _ID.from_text(name, text)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "pattern": f"^[1-9][0-9]{{0,{len(str(_LAST_ID)) - 1}}}$"}


GET_PARAMETERS: Final = Inputs(
    {
        "id": Input(
            rule=_ID,
            about="Which import.",
            required=True,
            missing="Give the import's id.",
            example=1,
        )
    }
)
LIST_PARAMETERS: Final = Inputs(
    {
        "number_of_records": NUMBER_OF_RECORDS,
        "cursor": Input(
            rule=_CursorRule(), about="A `next_cursor` of an earlier answer, to go on from there."
        ),
    }
)

_SHOWN: Final = f"""
    id, kind,
    case when state <> 'open' then state
        when exists (
            select from import_items item
            where item.import_id = imports.id and item.state = 'leased'
                and item.next_try_at > now()) then 'running'
        else 'waiting' end as state,
    reason, requested_by, types, search, search_type, search_year,
    {utc_text("created_at")} as created_at, {utc_text("worked_at")} as worked_at,
    {utc_text("finished_at")} as finished_at,
    total, {", ".join(OUTCOMES)}, total - ({" + ".join(OUTCOMES)}) as pending, has_more
"""
ONE: Final = Statement(
    repeatable=True,
    sql=f"""
        select
            (select to_json(shown)::text from (select {_SHOWN}) shown),
            (select json_object_agg(last_error, items)::text from (
                select last_error, count(*) as items from import_items
                where import_id = :import_id::bigint and last_error is not null
                group by last_error) by_error),
            (select count(*) / greatest(1, extract(epoch from imports.worked_at - min(settled_at)))
             from import_items
             where import_id = :import_id::bigint
                and settled_at > imports.worked_at - interval '1 minute')::double precision,
            (select extract(epoch from next_try_at - now()) from import_items
             where import_id = :import_id::bigint and state in ('pending', 'leased')
             order by next_try_at, imdb_id limit 1)::double precision,
            (select to_json(budget)::text from (
                select state, daily, share, probe_at,
                    window_started_at + interval '1 day' * (1 + floor(
                        extract(epoch from now() - window_started_at) / 86400)) as renewed_at,
                    case when window_started_at > now() - interval '1 day' then used else 0 end
                        as used,
                    case when window_started_at > now() - interval '1 day' then used_by_imports
                        else 0 end as used_by_imports
                from omdb_budget order by changed_at desc limit 1) budget)
        from imports where id = :import_id::bigint
    """,  # noqa: S608
)
SOME: Final = Statement(
    repeatable=True,
    sql=f"""
        select
            (select '[' || coalesce(string_agg(to_json(shown)::text, ',' order by id desc), '')
                || ']'
             from (select {_SHOWN} from imports where id < :before::bigint
                   order by id desc limit :records::bigint) shown),
            (select count(*) from imports),
            (select id from imports where id < :before::bigint
             order by id desc offset :records::bigint - 1 limit 1),
            (select min(id) from imports)
    """,  # noqa: S608
)
STATEMENTS: Final = (ONE, SOME)


@dataclass(frozen=True, kw_only=True)
class WantedImports:
    """Which imports are wanted: so many, of those before an id."""

    records: int
    before: int


@dataclass(frozen=True, kw_only=True)
class ImportsPage:
    """A page of imports, the newest first, as JSON."""

    imports_json: str
    records: int
    total: int
    next_cursor: str | None

    def as_body(self) -> bytes:
        """Return the answer's body."""
        pagination = {
            "page": None,
            "number_of_records": self.records,
            "total_records": self.total,
            "next_cursor": self.next_cursor,
        }
        return f'{{"data": {self.imports_json}, "pagination": {json.dumps(pagination)}}}'.encode()


def find_report(import_id: int) -> Query[dict[str, Any]]:
    """Ask how far an import is; the answer may be `ImportNotFound`."""

    def read(rows: Rows) -> dict[str, Any]:
        if not rows:
            raise ImportNotFound(f"There is no import with the id {import_id}.")
        return _make_report(rows[0], now=datetime.now(UTC))

    return Query(statement=ONE, values={"import_id": import_id}, read=read)


def wanted_imports(query: Mapping[str, Any]) -> WantedImports:
    """Return what the values of `LIST_PARAMETERS` ask for."""
    cursor = query["cursor"]
    return WantedImports(
        records=query["number_of_records"], before=_LAST_ID + 1 if cursor is None else cursor
    )


def list_imports(wanted: WantedImports) -> Query[ImportsPage]:
    """Ask for a page of imports, the newest first."""

    def read(rows: Rows) -> ImportsPage:
        [[shown, total, last, oldest]] = rows
        more = last is not None and last != oldest
        return ImportsPage(
            imports_json=shown,
            records=wanted.records,
            total=total,
            next_cursor=str(last) if more else None,
        )

    values = {"before": wanted.before, "records": wanted.records}
    return Query(statement=SOME, values=values, read=read)


def _make_report(row: Sequence[Any], *, now: datetime) -> dict[str, Any]:
    shown, errors, rate, next_try, budget = row
    content: dict[str, Any] = json.loads(shown)
    known = json.loads(budget) if budget else None
    expected = _expected_at(content["pending"], rate, known, now=now)
    return content | {
        "errors": json.loads(errors or "{}"),
        "rate_per_second": None if rate is None else round(rate, 2),
        "waits_for": _waits_for(content, next_try, known),
        "expected_at": expected and expected.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _waits_for(
    content: Mapping[str, Any], next_try: float | None, budget: Mapping[str, Any] | None
) -> str | None:
    """Say what an import that nobody works on is waiting for."""
    if content["state"] != "waiting":
        return None
    if budget and budget["state"] == "refused":
        return "key"
    if budget and (budget["state"] == "spent" or _calls_left(budget) <= 0):
        return "quota"
    return "retry" if next_try is not None and next_try > 0 else "next_run"


def _expected_at(
    pending: int, rate: float | None, budget: Mapping[str, Any] | None, *, now: datetime
) -> datetime | None:
    """Tell when the last item will be done, at the last minute's rate and within the budget."""
    if not pending or not rate:
        return None
    begins = now
    if budget:
        begins = _parse_moment(budget["probe_at"], now) if budget["state"] == "spent" else now
        left = _calls_left(budget) if budget["state"] != "spent" else 0
        daily = max(1, budget["daily"] - budget["share"])
        if pending > left:
            days, pending = divmod(pending - left - 1, daily)
            begins = _parse_moment(budget["renewed_at"], now) + timedelta(days=days)
    return begins + timedelta(seconds=pending / rate)


def _calls_left(budget: Mapping[str, Any]) -> int:
    """Return the day's calls that are left to imports; a share of them is the creates' alone."""
    daily: int = budget["daily"]
    used: int = budget["used"]
    own: int = daily - budget["share"] - budget["used_by_imports"]
    return max(0, min(own, daily - used))


def _parse_moment(text: str | None, default: datetime) -> datetime:
    return datetime.fromisoformat(text) if text else default
