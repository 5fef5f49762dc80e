"""What a search or a refresh is to fetch, listed piece by piece as the run comes to need it."""

from typing import Final

from lib.errors import InvalidRequest, OmdbKeyRefused, OmdbQuotaExceeded, ServiceError
from lib.imports.judging import MOST_ATTEMPTS, error_name, is_outage
from lib.imports.ledger import Ledger, Page
from lib.omdb import MovieSource

LAST_PAGE: Final = 100  # OMDb documents no more
_HITS_A_PAGE: Final = 10
_STALE_AT_ONCE: Final = 500
_PAGE_DELAY: Final = 5


class SearchRefused(InvalidRequest):
    """OMDb does not search for this; the import is closed with the reason."""


def feed(ledger: Ledger, source: MovieSource, import_id: int, *, kind: str) -> ServiceError | None:
    """List the next piece; give the fault that kept a page of a search from being read.

    Raises:
        SearchRefused: OMDb cannot search for the text at all.
    """
    if kind == "refresh":
        ledger.list_stale(import_id, most=_STALE_AT_ONCE)
        return None
    page = ledger.lease_page(import_id)
    if page is None:
        return None
    try:
        found = source.search(page.title, page=page.number, type=page.type, year=page.year)
    except ServiceError as fault:
        _judge(ledger, import_id, page, fault)
        return fault
    # Past the end nothing is found; a page of nothing but tombstones still tells the total.
    is_end = not found.hits if found.total is None else page.number * _HITS_A_PAGE >= found.total
    ledger.list_page(import_id, page, found.hits, is_last=is_end or page.number >= LAST_PAGE)
    return None


def _judge(ledger: Ledger, import_id: int, page: Page, fault: ServiceError) -> None:
    """Try a page again later, unless it was not OMDb's day five times over, or its answer is no."""
    if isinstance(fault, InvalidRequest):
        ledger.fail_page(import_id, page, attempts=1, delay=0, reason=fault.message)
        raise SearchRefused(fault.message) from None
    blameless = isinstance(fault, OmdbQuotaExceeded | OmdbKeyRefused) or is_outage(fault)
    attempts = 0 if blameless else 1
    given_up = page.attempts + attempts >= MOST_ATTEMPTS
    delay = 0 if isinstance(fault, OmdbQuotaExceeded | OmdbKeyRefused) else _PAGE_DELAY
    reason = f"page {page.number} of the search: {error_name(fault)}" if given_up else None
    ledger.fail_page(import_id, page, attempts=attempts, delay=delay, reason=reason)
