"""What an import is to do, and what makes two orders the same one."""

import hashlib
import json
from dataclasses import dataclass
from typing import Final, Literal

from lib.catalogue.movie import TYPES
from lib.imports.first_movies import FIRST_IDS

Kind = Literal["tick", "fill", "ids", "search", "refresh"]

MOST_IDS: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class Order:
    """One thing asked for.

    Attributes:
        kind: "tick" leaves it to the service what is most in need of doing.
        types: The kinds of titles that are wanted; others are rejected.
        due_only: Whether a refresh leaves out movies that are not due by their age.
    """

    kind: Kind
    types: tuple[str, ...] = ("movie",)
    imdb_ids: tuple[str, ...] = ()
    search: str | None = None
    search_type: str | None = None
    search_year: int | None = None
    older_than_days: int = 0
    due_only: bool = False

    @property
    def fingerprint(self) -> str:
        """Return a digest that equal orders share, whatever the sequence and repetition of ids."""
        asked = (
            self.kind,
            sorted(set(self.types)),
            self.search,
            self.search_type,
            self.search_year,
            self.older_than_days,
            self.due_only,
        )
        digest = hashlib.sha256(json.dumps(asked).encode())
        for imdb_id in sorted(set(self.imdb_ids)):
            digest.update(imdb_id.encode())
        return digest.hexdigest()


TICK: Final = Order(kind="tick")
FIRST_FILL: Final = Order(kind="fill", imdb_ids=FIRST_IDS)
STALEST: Final = Order(kind="refresh", types=TYPES, due_only=True)
