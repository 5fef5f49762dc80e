"""What a tick could do: questions to the ledger about all imports."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from lib.database.database import Database
from lib.imports import statements


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What there is to do."""

    needs_first_fill: bool
    import_id: int | None
    movies_are_due: bool


def find_choice(database: Database, seen: Collection[int]) -> Choice:
    """See what there is to do, apart from the imports that the tick was at already."""
    [[empty, import_id, due]] = database.run(statements.CHOOSE, seen=json.dumps(sorted(seen)))
    return Choice(needs_first_fill=bool(empty), import_id=import_id, movies_are_due=due)


def find_open_fill(database: Database) -> int | None:
    """Return the first fill that is open, whatever it waits for."""
    rows = database.run(statements.OPEN_FILL)
    return int(rows[0][0]) if rows else None


def find_oldest_open(database: Database) -> int | None:
    """Return the import that has been open for longest, whatever it waits for."""
    rows = database.run(statements.OLDEST_OPEN)
    return int(rows[0][0]) if rows else None


def sweep(database: Database) -> None:
    """Forget the items of imports that ended a month ago, and what the audit is too old of."""
    database.run(statements.SWEEP)
    database.run(statements.SWEEP_AUDIT)
