"""Serve the demo OMDb from a terminal until it is interrupted."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from local.demo_omdb.server import DemoOmdb


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM and return the exit status."""
    options = _parse(arguments)
    demo = DemoOmdb(port=options.port, key=options.key)
    demo.quota = options.quota
    demo.latency = options.latency
    try:
        demo.start()
    except (OSError, OverflowError) as exc:
        sys.stderr.write(f"The demo OMDb cannot listen on port {options.port}: {exc}\n")
        return 1
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sys.stdout.write(f"Demo OMDb: {demo.url}?apikey={demo.key}&t=Amélie\n")
    sys.stdout.flush()
    stop.wait()
    demo.stop()
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo_omdb", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=0, help="port to listen on (default: a free one)"
    )
    parser.add_argument("--key", default="demo", help="the API key to accept (default: demo)")
    parser.add_argument("--quota", type=int, help="calls before the quota is spent (default: none)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds each answer takes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
