"""What a search or a refresh is to fetch, listed piece by piece as the run comes to need it."""

from typing import Final

from lib.catalogue.source import KeyRefused, MovieSource, QuotaSpent, SearchRefused, is_outage
from lib.errors import ServiceError
from lib.imports.judging import MOST_ATTEMPTS, name_error
from lib.imports.ledger import LeasedPage, Ledger
from lib.imports.statements import LAST_PAGE

_HITS_A_PAGE: Final = 10
_STALE_AT_ONCE: Final = 500
_PAGE_DELAY: Final = 5
_REFUSAL: Final = "OMDb refuses the search: "


def feed(ledger: Ledger, source: MovieSource, import_id: int, *, kind: str) -> ServiceError | None:
    """List the next piece; return the fault that kept a page of a search from being read."""
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
        return None if isinstance(fault, SearchRefused) else fault
    # Past the end nothing is found; a page of nothing but tombstones still tells the total.
    is_end = not found.hits if found.total is None else page.number * _HITS_A_PAGE >= found.total
    reason = None
    if not is_end and page.number >= LAST_PAGE:
        is_end, reason = True, _beyond_last_page(found.total)
    ledger.list_page(import_id, page, found.hits, is_last=is_end, reason=reason)
    return None


def is_refusal(reason: str | None) -> bool:
    """Tell the reason of a search that OMDb refuses from others."""
    return reason is not None and reason.startswith(_REFUSAL)


def _beyond_last_page(total: int | None) -> str:
    """Say what a search leaves out that is done."""
    given = LAST_PAGE * _HITS_A_PAGE
    what = f"{total - given:,} of {total:,} hits are" if total else "further hits may be"
    return f"{what} left out, as OMDb gives {given:,} at most: narrow the search by year or type"


def _judge(ledger: Ledger, import_id: int, page: LeasedPage, fault: ServiceError) -> None:
    """Try a page again later, unless it was not OMDb's day five times over, or its answer is no."""
    if isinstance(fault, SearchRefused):
        ledger.fail_page(import_id, page, attempts=1, delay=0, reason=_REFUSAL + fault.message)
        return
    blameless = isinstance(fault, QuotaSpent | KeyRefused) or is_outage(fault)
    attempts = 0 if blameless else 1
    given_up = page.attempts + attempts >= MOST_ATTEMPTS
    delay = 0 if isinstance(fault, QuotaSpent | KeyRefused) else _PAGE_DELAY
    reason = f"page {page.number} of the search: {name_error(fault)}" if given_up else None
    ledger.fail_page(import_id, page, attempts=attempts, delay=delay, reason=reason)
