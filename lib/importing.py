"""Bulk import: many ids fetched at once, each movie stored as it comes."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lib import movies
from lib.db import Database
from lib.errors import OmdbKeyRefused, OmdbMovieNotFound, OmdbQuotaExceeded, ServiceError
from lib.first_movies import FIRST_IDS
from lib.omdb import MovieSource

log = logging.getLogger(__name__)

OUTCOMES: Final = ("imported", "updated", "not_found", "failed")


def import_movies(
    database: Database,
    source: MovieSource,
    imdb_ids: Sequence[str],
    *,
    concurrency: int,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, int]:
    """Fetch and store movies; one that cannot be had does not stop the rest.

    Returns:
        How many were imported, updated, not found and failed.

    Raises:
        OmdbQuotaExceeded: No call is left; what came before is stored.
        OmdbKeyRefused: OMDb refuses our key.
    """
    wanted = list(dict.fromkeys(imdb_ids))
    counts = Counter(dict.fromkeys(OUTCOMES, 0))
    with ThreadPoolExecutor(concurrency) as threads:
        outcomes = threads.map(lambda imdb_id: _import_one(database, source, imdb_id), wanted)
        try:
            for done, outcome in enumerate(outcomes, start=1):
                counts[outcome] += 1
                on_progress(done, len(wanted))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    log.info("import ended", extra={"fields": dict(counts)})
    return dict(counts)


def first_fill(database: Database) -> Sequence[str]:
    """Give the ids that an empty catalogue begins with, none when it holds movies."""
    return () if database.answer(movies.page_at(skipped=0, records=1)).total else FIRST_IDS


def _import_one(database: Database, source: MovieSource, imdb_id: str) -> str:
    try:
        stored = movies.store(database, source.by_id(imdb_id))
    except (OmdbQuotaExceeded, OmdbKeyRefused):
        raise
    except OmdbMovieNotFound:
        return "not_found"
    except ServiceError as error:
        log.warning("not imported", extra={"fields": {"imdb_id": imdb_id, "code": error.code}})
        return "failed"
    return "imported" if stored.created else "updated"
