"""Queue many ids, import some of them, and print the peak memory: `… memory QUEUED IMPORTED`."""

import json
import os
import sys
from pathlib import Path

from lib.imports.asking import MEMBERS, wanted_order
from lib.imports.ledger import Progress
from lib.imports.stopping import WorkingTime
from lib.web.endpoint import IMPORT_BODY
from lib.web.parsing import parse_json_object
from tests.importing import film_id, make_importer
from tests.support import database_settings


def main() -> None:
    """Do as the function does with a body of that size."""
    queued, imported = (int(argument) for argument in sys.argv[1:])
    body = json.dumps({"imdb_ids": [film_id(number) for number in range(queued)]}).encode()
    assert len(body) < IMPORT_BODY
    importer = make_importer(
        database_settings(os.environ["DATABASE_URL"]), os.environ["OMDB_URL"], concurrency=16
    )
    working_time = WorkingTime()

    def follow(progress: Progress) -> None:
        if progress.done >= imported:
            working_time.asked_to_stop.set()

    importer.on_progress = follow
    order = wanted_order(MEMBERS.read_body(parse_json_object(body, MEMBERS.names)))
    importer.carry_out(order, working_time=working_time, requested_by="a test")
    # Not ru_maxrss: that begins with what the process that started this one took.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    print(json.dumps({"peak_kb": int(peak)}), flush=True)  # noqa: T201
    os._exit(0)


if __name__ == "__main__":
    main()
