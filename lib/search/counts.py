"""How many hits there are, and of which kinds: exact up to a cap, and told where it is reached."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lib.database.statement import Query, Rows, Statement, Values
from lib.search.statements import counted_rows

MOST: Final = 1_000

# By the kinds of the rows' facets.
FACETS: Final = {
    "types": "t", "genres": "g", "decades": "e", "languages": "l", "countries": "c", "rated": "r",
}  # fmt: skip

# Of all movies together the kept numbers are told, where counting would end at the cap.
COUNTING: Final = Statement(
    repeatable=True,
    sql=f"""
        with counted as materialized ({counted_rows(MOST + 1)}),
        total as materialized (
            select count(*) as hits, :by::text = 'all' and count(*) > {MOST} as is_kept from counted
        )
        select
            (select case when is_kept then (select movies from movie_totals)
                else least(hits, {MOST}) end from total),
            (select hits <= {MOST} from total),
            (
                select json_agg(json_build_array(facet, movies) order by movies desc, facet)::text
                from (
                    select facet, count(*) as movies from (
                        select facets from counted where not (select is_kept from total)
                        limit {MOST}
                    ) shown, unnest(facets) facet group by facet
                    union all
                    select facet, movies from movie_facets
                    where (select is_kept from total) and movies > 0
                ) told
            )
    """,  # noqa: S608
)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The numbers of a search.

    Attributes:
        total: How many hits there are, or were counted.
        is_exact: Whether there are no more of them.
        facets: By their names, values and how many of the counted hits have them.
    """

    total: int
    is_exact: bool
    facets: Mapping[str, list[dict[str, Any]]]


def count(values: Values) -> Query[Counts]:
    """Ask for the numbers.

    Args:
        values: Of the statement's parameters.
    """
    return Query(statement=COUNTING, values=values, read=_read)


def _read(rows: Rows) -> Counts:
    [[total, is_exact, facets_json]] = rows
    facets: dict[str, list[dict[str, Any]]] = {kind: [] for kind in FACETS.values()}
    for facet, movies in json.loads(facets_json or "[]"):
        kind, _, value = facet.partition("/")
        facets[kind].append({"value": value, "movies": movies})
    return Counts(
        total=total,
        is_exact=is_exact,
        facets={name: facets[kind] for name, kind in FACETS.items()},
    )
