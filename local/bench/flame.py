"""A flame graph of `movies_list` under load: where its processor time goes."""

import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import psutil

from local.bench import catalogue
from local.bench.calling import ask_repeatedly, make_page_requests
from local.bench.laboratory import MANY, Laboratory
from local.bench.serving import ours, serve
from local.bench.throughput import CONNECTIONS
from local.failure import Failure

_SECONDS: Final = 10
_SAMPLES_A_SECOND: Final = 500


def draw(laboratory: Laboratory, path: Path) -> None:
    """Write the graph as SVG.

    Raises:
        Failure: The profiler may not look into processes here.
    """
    # One page would be asked once for several callers.
    settings = laboratory.settings(laboratory.many)
    catalogue.warm(settings)
    some = catalogue.sample(settings, MANY)
    requests = make_page_requests(some.pages)
    with serve(ours("movies_list"), laboratory.variables(laboratory.many)) as where:
        load = threading.Thread(
            target=ask_repeatedly,
            args=(where.port, requests),
            kwargs={"seconds": _SECONDS + 3, "connections": CONNECTIONS},
        )
        load.start()
        [worker] = psutil.Process(where.pid).children()
        command = [str(Path(sys.executable).with_name("py-spy")), "record", "--gil"]
        command += ["--pid", str(worker.pid), "--duration", str(_SECONDS), "--output", str(path)]
        command += ["--rate", str(_SAMPLES_A_SECOND), "--format", "flamegraph"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        load.join()
    if done.returncode != 0:
        raise Failure(f"py-spy cannot draw: {done.stderr.strip() or 'it does not say why'}")
    # py-spy's title is its command line, with the paths of this machine.
    title = (
        f"movies_list, {CONNECTIONS} connections, spread pages: processor time of its Python code"
    )
    drawn = re.sub(r'(<text id="title"[^>]*>)[^<]*', rf"\g<1>{title}", path.read_text("utf-8"))
    path.write_text(drawn, "utf-8")
