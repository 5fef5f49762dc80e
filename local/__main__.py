"""What each command of `./dev` runs that needs Python."""

import argparse
import logging
import os
import re
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local.failure import Failure


def main() -> int:
    """Run a command; tell an expected failure in one line."""
    options = _parser().parse_args()
    # What the service logs before it has set up its logging is told by our one line.
    logging.getLogger("lib").addHandler(logging.NullHandler())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        options.run(options)
    except Failure as failure:
        print(f"dev: {' '.join(str(failure).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:
        if isinstance(end.code, str):
            print(f"dev: {end.code}", file=sys.stderr)
            return 1
        return end.code or 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve every function on one port")
    serve.set_defaults(run=_serve)
    migrate = commands.add_parser("migrate", help="bring the database to the newest schema")
    migrate.set_defaults(run=_migrate)
    imports = commands.add_parser("import", help="import films in bulk")
    what = imports.add_mutually_exclusive_group()
    ids = "ids, an export of IMDb's, addresses or JSON; - reads standard input"
    what.add_argument("--ids", type=Path, metavar="FILE|-", help=ids)
    what.add_argument("--search", metavar="TITLE", help="what OMDb finds for a title")
    what.add_argument("--refresh", action="store_true", help="fetch again what is oldest")
    types = "what to take: movie (the default), series, episode, game, with commas between them"
    imports.add_argument("--types", type=_types, metavar="TYPES", help=types)
    imports.add_argument("--year", type=_year, metavar="YEAR", help="of --search: the year")
    kind = "of --search: movie, series, episode or game"
    imports.add_argument("--type", type=_type, metavar="KIND", dest="kind", help=kind)
    imports.set_defaults(run=_import)
    _add_user(commands.add_parser("user", help="what concerns a user"))
    smoke = commands.add_parser("smoke", help="ask every route of a running service")
    where = smoke.add_mutually_exclusive_group(required=True)
    where.add_argument("base_url", nargs="?", metavar="BASE_URL", help="where all routes are")
    where.add_argument("--urls", type=Path, metavar="FILE", help="each function's own URL, in JSON")
    smoke.set_defaults(run=_smoke)
    _add_call(commands.add_parser("call", help="call a function of a deployed environment"))
    drill = commands.add_parser("restore-drill", help="restore a copy, and run the service on it")
    copy = "a dump in SQL to restore, plain or gzip; made of the database here unless one is named"
    drill.add_argument("--dump", type=Path, metavar="FILE", help=copy)
    drill.set_defaults(run=_restore_drill)
    functions = commands.add_parser("functions", help="print what is true of every function")
    functions.set_defaults(run=_functions)
    openapi = commands.add_parser("openapi", help="write what functions say about themselves")
    stale = "only say whether what is written will do"
    openapi.add_argument("--check", action="store_true", help=stale)
    openapi.set_defaults(run=_openapi)
    variables = commands.add_parser("variables", help="list Terraform's variables anew")
    variables.set_defaults(run=_variables)
    bench = commands.add_parser("bench", help="run the benchmarks")
    bench.add_argument("sections", nargs="*", metavar="SECTION", help="all, unless some are named")
    bench.add_argument("--json", action="store_true", help="for machines")
    several = "so many times: medians, and from where to where ratios went"
    bench.add_argument("--runs", type=int, default=1, metavar="N", help=several)
    bench.add_argument("--flame", type=Path, metavar="FILE", help="draw movies_list under load")
    bench.set_defaults(run=_bench)
    scale = commands.add_parser("scale", help="what a growing number of reads takes")
    reads = "reads a second; else those of docs/scaling.md"
    scale.add_argument("--reads", nargs="+", type=int, default=[], metavar="N", help=reads)
    scale.add_argument("--seed", type=int, default=1, metavar="N", help="another run of chance")
    scale.set_defaults(run=_scale)
    return parser


def _add_user(user: argparse.ArgumentParser) -> None:
    verbs = user.add_subparsers(required=True, metavar="VERB")
    create = verbs.add_parser("create", help="invite a user, and print their code once")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--role", default="viewer", metavar="ROLE", help="viewer, editor or admin")
    create.set_defaults(run=_create_user)
    show = verbs.add_parser("list", help="print users by name")
    show.add_argument("--role", metavar="ROLE", help="viewer, editor or admin")
    show.add_argument("--state", metavar="STATE", help="active, invited or disabled")
    show.set_defaults(run=_list_users)
    role = verbs.add_parser("role", help="give a user another role, from their next request on")
    role.add_argument("name", metavar="NAME")
    role.add_argument("role", metavar="ROLE", help="viewer, editor or admin")
    role.set_defaults(run=_change_user, disabled=None)
    disable = verbs.add_parser("disable", help="let a user in no more, and end what they have")
    enable = verbs.add_parser("enable", help="let a user log in again")
    for verb, disabled in ((disable, True), (enable, False)):
        verb.add_argument("name", metavar="NAME")
        verb.set_defaults(run=_change_user, role=None, disabled=disabled)
    reset = verbs.add_parser("reset", help="print a code once that a password is chosen with")
    reset.add_argument("name", metavar="NAME")
    reset.add_argument("--end-sessions", action="store_true", help="end the user's sessions, too")
    reset.set_defaults(run=_reset_user)
    delete = verbs.add_parser("delete", help="delete a user, with all sessions and keys")
    delete.add_argument("name", metavar="NAME")
    delete.set_defaults(run=_delete_user)
    clear = verbs.add_parser("clear", help="let a user in who waits for failed logins")
    clear.add_argument("name", metavar="NAME")
    clear.add_argument("--from", dest="address", metavar="ADDRESS", help="where they are just now")
    clear.set_defaults(run=_clear_user)


def _add_call(call: argparse.ArgumentParser) -> None:
    call.add_argument("function", metavar="FUNCTION", help="as its folder is called")
    call.add_argument("body", nargs="?", metavar="BODY", help="JSON; private ones are sent {}")
    where = call.add_mutually_exclusive_group()
    written = "what terraform output -json wrote, where Terraform cannot be asked"
    where.add_argument("--outputs", type=Path, metavar="FILE", help=written)
    local = "where a service is that takes no identity, such as ./dev serve's"
    where.add_argument("--url", metavar="BASE_URL", help=local)
    call.set_defaults(run=_call)


# Each command imports only what it uses: that is most of a start's time.
def _serve(_: argparse.Namespace) -> None:
    from local import serve  # noqa: PLC0415

    serve.run()


def _migrate(_: argparse.Namespace) -> None:
    from local import migrating  # noqa: PLC0415

    migrating.run()


def _import(options: argparse.Namespace) -> None:
    from local import importing  # noqa: PLC0415

    importing.run(
        options.ids,
        options.search,
        refresh=options.refresh,
        types=options.types,
        year=options.year,
        kind=options.kind,
    )


def _types(text: str) -> list[str]:
    from lib.catalogue.movie import TYPES  # noqa: PLC0415

    types = [word.strip().lower() for word in text.split(",") if word.strip()]
    if not types or not set(types) <= {*TYPES}:
        raise argparse.ArgumentTypeError(f"expected one or more of {','.join(TYPES)}")
    return list(dict.fromkeys(types))


def _type(text: str) -> str:
    from lib.catalogue.movie import TYPES  # noqa: PLC0415

    kind = text.strip().lower()
    if kind not in TYPES:
        raise argparse.ArgumentTypeError(f"expected one of {','.join(TYPES)}")
    return kind


def _year(text: str) -> int:
    from lib.catalogue.movie import FIRST_YEAR, LAST_YEAR  # noqa: PLC0415

    if not re.fullmatch(r"[0-9]{4}", text, re.ASCII) or not FIRST_YEAR <= int(text) <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"expected a year from {FIRST_YEAR} to {LAST_YEAR}")
    return int(text)


def _create_user(options: argparse.Namespace) -> None:
    from local import users  # noqa: PLC0415

    users.create(options.name, options.role)


def _list_users(options: argparse.Namespace) -> None:
    from local import users  # noqa: PLC0415

    users.show(options.role, options.state)


def _change_user(options: argparse.Namespace) -> None:
    from lib.accounts.administration import Changes  # noqa: PLC0415
    from local import users  # noqa: PLC0415

    users.update(options.name, Changes(role=options.role, disabled=options.disabled))


def _reset_user(options: argparse.Namespace) -> None:
    from local import users  # noqa: PLC0415

    users.reset(options.name, end_sessions=options.end_sessions)


def _delete_user(options: argparse.Namespace) -> None:
    from local import users  # noqa: PLC0415

    users.delete(options.name)


def _clear_user(options: argparse.Namespace) -> None:
    from local import users  # noqa: PLC0415

    users.clear(options.name, options.address)


def _smoke(options: argparse.Namespace) -> None:
    from local import smoke  # noqa: PLC0415

    smoke.run(options.base_url, options.urls)


def _call(options: argparse.Namespace) -> None:
    from local import calling  # noqa: PLC0415

    calling.run(options.function, options.body, outputs=options.outputs, url=options.url)


def _restore_drill(options: argparse.Namespace) -> None:
    from local.drill import command  # noqa: PLC0415

    command.run(options.dump)


def _functions(_: argparse.Namespace) -> None:
    from local import functions  # noqa: PLC0415

    functions.run()


def _openapi(options: argparse.Namespace) -> None:
    from local.openapi import command  # noqa: PLC0415

    command.run(check=options.check)


def _variables(_: argparse.Namespace) -> None:
    from local import terraform_variables  # noqa: PLC0415

    terraform_variables.run()


def _bench(options: argparse.Namespace) -> None:
    from local.bench import command  # noqa: PLC0415

    command.run(options.sections, as_json=options.json, flame=options.flame, runs=options.runs)


def _scale(options: argparse.Namespace) -> None:
    from local.scaling import command  # noqa: PLC0415

    command.run(options.reads, seed=options.seed)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a handler's thread that still waits for OMDb must not hold up the end.
    os._exit(code)
