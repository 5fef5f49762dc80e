"""The parameters that all lists share: which page, and how many records of it."""

from collections.abc import Mapping
from typing import Final

from lib.errors import InvalidRequest
from lib.web.parsing import parse_whole_number

DEFAULT_RECORDS: Final = 10
MOST_RECORDS: Final = 100
LAST_PAGE: Final = 1_000_000


def parse_page_number(query: Mapping[str, str]) -> int:
    """Read `page`, by default the first; raise `InvalidRequest` for what is no page's number."""
    number = parse_whole_number(query.get("page", "1"))
    if number is None or not 1 <= number <= LAST_PAGE:
        raise InvalidRequest(
            f"page must be a whole number from 1 to {LAST_PAGE:,}, in the digits 0 to 9.",
            fields={"page": f"must be a whole number from 1 to {LAST_PAGE}"},
        )
    return number


def parse_number_of_records(query: Mapping[str, str]) -> int:
    """Read `number_of_records`, of which at most a hundred are given; raise `InvalidRequest`."""
    number = parse_whole_number(query.get("number_of_records", str(DEFAULT_RECORDS)))
    if number is None or number < 1:
        raise InvalidRequest(
            "number_of_records must be a whole number from 1 upwards, in the digits 0 to 9; "
            f"at most {MOST_RECORDS} are given.",
            fields={"number_of_records": "must be a whole number from 1 upwards"},
        )
    return min(number, MOST_RECORDS)
