"""How an endpoint tells its callers that it will go."""

from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import NamedTuple


class Deprecated(NamedTuple):
    """Since when callers should do without an endpoint.

    Attributes:
        since: From this day on, in UTC.
        until: From this day on, in UTC, it may be gone; None while nobody knows.
    """

    since: date
    until: date | None = None

    def headers(self) -> dict[str, str]:
        """Return `Deprecation` (RFC 9745), and `Sunset` (RFC 8594), whose dates differ in form.

        Raises:
            ValueError: It would be gone before that.
        """
        headers = {"Deprecation": f"@{_midnight(self.since).timestamp():.0f}"}
        if self.until is not None:
            if self.until < self.since:
                raise ValueError(f"gone from {self.until} on, but deprecated from {self.since} on")
            headers["Sunset"] = format_datetime(_midnight(self.until), usegmt=True)
        return headers


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
