"""How a run ended, and what of it whoever watches the logs must know."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lib.imports.judging import Verdict

log = logging.getLogger(__name__)

StoppedBy = Literal[
    "finished", "retry_later", "others_working", "quota", "key_refused", "omdb_unavailable",
    "search_refused", "deadline", "shutdown",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What one run did, and why it ended.

    Attributes:
        states: Items by what became of them; "pending" are tries that are repeated later.
    """

    stopped_by: StoppedBy
    states: Mapping[str, int]
    seconds: float


def log_end(import_id: int, ended: Ended) -> None:
    """Log the end; alerts are bound to these messages."""
    fields = {"import_id": import_id, "stopped_by": ended.stopped_by, **ended.states}
    log.info("import run ended", extra={"fields": fields | {"seconds": ended.seconds}})
    if ended.stopped_by == "quota":
        log.warning("import stopped by quota", extra={"fields": fields})
    elif ended.stopped_by == "key_refused":
        log.critical("import stopped by refused key", extra={"fields": fields})
    elif ended.stopped_by == "omdb_unavailable":
        log.error("import stalled", extra={"fields": fields})
    if ended.states.get("failed"):
        log.error("import parked items", extra={"fields": fields})


def log_parked(import_id: int, verdicts: Sequence[Verdict]) -> None:
    """Log the items that were given up."""
    for verdict in verdicts:
        if verdict.outcome == "failed":
            fields = {"imdb_id": verdict.item.imdb_id, "reason": verdict.error}
            fields["import_id"] = str(import_id)
            log.warning("import item parked", extra={"fields": fields})
