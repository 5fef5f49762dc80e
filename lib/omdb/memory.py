"""What OMDb has answered, kept for all instances, so that no question costs a second call.

A movie that OMDb answered with stays the answer while it is stored and not due for a refresh; that
OMDb knows none stays the answer for a day. Faults are never remembered. An answer belongs to one
OMDb and one key: after the demo, the real one is asked.
"""

import logging
from dataclasses import dataclass
from typing import Final

from lib.catalogue import movies, statements
from lib.catalogue.document import DOCUMENT
from lib.catalogue.movie import Movie
from lib.catalogue.movies import Stored
from lib.database.database import Database
from lib.database.statement import Query, Rows, Statement
from lib.omdb.budget import source_of
from lib.omdb.faults import OmdbMovieNotFound
from lib.omdb.questions import Question
from lib.omdb.settings import OmdbSettings

log = logging.getLogger(__name__)

MOST_ANSWERS: Final = 100_000  # of all sources; older ones are forgotten
_DAYS_OF_A_MOVIE: Final = 180  # as long as a movie may go without a refresh
_DAYS_OF_NONE: Final = 1
_SWEPT_AT_ONCE: Final = 10  # of each kind; a write adds one, so the table shrinks

# For an id, a movie that is stored under it, or under what OMDb has made of it, is enough: its row
# in `movie_checks` says when OMDb has answered for it, and `omdb_source` since when it is this one.
_ASKED: Final = "(select since from omdb_source where source = :source)"
_RECALL: Final = Statement(
    repeatable=True,
    sql=f"""
        select
            (select {DOCUMENT} from movies where imdb_id = known.film),
            known.none
        from (
            select
                coalesce(
                    (select imdb_id from movie_checks
                     where imdb_id = :imdb_id::text and due_at > now()
                         and checked_at >= {_ASKED}),
                    (select checks.imdb_id
                     from {statements.merged_into(":imdb_id")} merged
                     join movie_checks checks on checks.imdb_id = merged.imdb_id
                     where checks.due_at > now() and checks.checked_at >= {_ASKED}),
                    (select checks.imdb_id
                     from omdb_answers answer
                     join movie_checks checks on checks.imdb_id = answer.imdb_id
                     where answer.source = :source and answer.question = :key
                         and answer.expires_at > now() and checks.due_at > now())
                ) as film,
                exists (
                    select from omdb_answers
                    where source = :source and question = :spelling
                        and imdb_id is null and expires_at > now()) as none
        ) known
    """,  # noqa: S608  built from constants, as are the others
)


def _remember_clauses(rows: str, *, days: int) -> str:
    """Return the clauses that remember an answer and forget some others.

    What is forgotten is locked last, and only where nobody else has it: of parts that do not need
    each other's rows Postgres may run either first.

    Args:
        rows: A table, or a query in brackets, with the movie's id or null.
    """
    # No row may be written twice by one statement.
    others = "question <> :question::text and exists (select from remembered)"
    return f"""
        remembered as (
            insert into omdb_answers (source, question, imdb_id, expires_at)
            select :source::text, :question::text, imdb_id, now() + interval '{days} days'
            from {rows} answer
            on conflict (source, question) do update set
                imdb_id = excluded.imdb_id, expires_at = excluded.expires_at, number = default
            returning question
        ), expired as (
            delete from omdb_answers where number in (
                select number from omdb_answers where expires_at < now() and {others}
                order by expires_at limit {_SWEPT_AT_ONCE} for update skip locked)
        ), outnumbered as (
            delete from omdb_answers where number in (
                select number from omdb_answers
                where number <= (select max(number) from omdb_answers) - {MOST_ANSWERS - 1}
                    and expires_at >= now() and {others}
                order by number limit {_SWEPT_AT_ONCE} for update skip locked)
        )"""  # noqa: S608


# In the order of locks that `lib.catalogue.statements` gives: a movie's check before the answer.
_STORED: Final = "(select imdb_id from written where (select count(*) from due) >= 0)"
STORE: Final = Statement(
    repeatable=True,
    sql=statements.upserting(f", {_remember_clauses(_STORED, days=_DAYS_OF_A_MOVIE)}"),
)
_REMEMBER_NONE: Final = Statement(
    repeatable=True,
    sql=f"""
        with {_remember_clauses("(select null::text as imdb_id)", days=_DAYS_OF_NONE)}
        select 1
    """,
)
STATEMENTS: Final = (_RECALL, STORE, _REMEMBER_NONE)


@dataclass(frozen=True, kw_only=True)
class NoMovie:
    """OMDb knows no movie for a question; `spelling` is the question's."""

    spelling: str
    message: str = "OMDb knows no such movie"

    def fault(self) -> OmdbMovieNotFound:
        """Return what to tell the caller."""
        return OmdbMovieNotFound(self.message)


class Memory:
    """The answers of one OMDb to one key.

    Args:
        database: Made with `STATEMENTS`.
    """

    def __init__(self, database: Database, settings: OmdbSettings) -> None:
        self._database = database
        self._source = source_of(settings)

    def recall(self, question: Question) -> Query[Stored | NoMovie | None]:
        """Ask what OMDb's answer was; None where it has to be asked."""

        def read(rows: Rows) -> Stored | NoMovie | None:
            [[movie_json, none]] = rows
            if movie_json is not None:
                return Stored(movie_json=movie_json, created=False)
            return NoMovie(spelling=question.spelling) if none else None

        values = {
            "source": self._source,
            "imdb_id": question.imdb_id,
            "key": question.key,
            "spelling": question.spelling,
        }
        return Query(statement=_RECALL, values=values, read=read)

    def store(self, question: Question, movie: Movie) -> Stored:
        """Insert or refresh the movie that OMDb answered with, and remember that it did."""
        return movies.read_stored(
            movie,
            self._database.run(
                STORE,
                movies=movies.as_records([movie]),
                source=self._source,
                question=question.key,
            ),
        )

    def remember_none(self, question: Question, fault: OmdbMovieNotFound) -> NoMovie:
        """Remember for a day that OMDb knows no movie; who asked is told its own words for that."""
        self._database.run(_REMEMBER_NONE, source=self._source, question=question.spelling)
        return NoMovie(spelling=question.spelling, message=fault.message)
