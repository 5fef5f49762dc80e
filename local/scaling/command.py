"""`./dev scale`: print the tables, for the rates of docs/scaling.md or for others."""

from collections.abc import Sequence

from local.failure import Failure
from local.scaling.sizing import MOST_READS
from local.scaling.tables import READS, all_tables


def run(reads: Sequence[int], *, seed: int) -> None:
    """Print every table.

    Args:
        reads: A second; those of the document, unless some are named.
    """
    if not all(0 < rate <= MOST_READS for rate in reads):
        raise Failure(f"--reads takes whole numbers from 1 to {MOST_READS}")
    for heading, table in all_tables(sorted(set(reads)) or READS, seed).items():
        print(f"{heading}\n\n{table}\n")
