"""A process that imports, to be killed; its settings come as JSON in IMPORT_PROCESS."""

import json
import os
import signal
import sys

from lib.imports.orders import TICK, Order
from lib.imports.stopping import WorkingTime
from tests.importing import make_importer
from tests.support import database_settings


def main() -> None:
    """Carry out one order and print what its caller is told."""
    settings = json.loads(os.environ["IMPORT_PROCESS"])
    imdb_ids = settings.pop("imdb_ids")
    order = Order(kind="ids", imdb_ids=tuple(imdb_ids)) if sys.argv[1] == "ids" else TICK
    database = database_settings(settings.pop("database"))
    importer = make_importer(database, settings.pop("url"), **settings)
    working_time = WorkingTime()
    signal.signal(signal.SIGTERM, lambda *_: working_time.asked_to_stop.set())
    done = importer.carry_out(order, working_time=working_time, requested_by="a process")
    print(json.dumps(importer.answer(done)), flush=True)  # noqa: T201  its parent reads it
    os._exit(0)


if __name__ == "__main__":
    main()
