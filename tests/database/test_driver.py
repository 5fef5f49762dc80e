"""What we use of pg8000 beyond what it documents."""

import inspect
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pg8000 import converters, core
from pg8000.native import PreparedStatement

import lib
from lib.database import driver
from lib.database.connections import connect_directly
from lib.database.settings import DatabaseSettings


def names(function: Callable[..., Any]) -> list[str]:
    """Return the names of what a function takes."""
    return list(inspect.signature(function).parameters)


def test_what_we_use_of_pg8000_s_own_is_there_in_the_shape_we_use(
    settings: DatabaseSettings,
) -> None:
    connection = connect_directly(settings)
    assert isinstance(connection._usock, socket.socket)
    assert not isinstance(connection._usock, ssl.SSLSocket)
    assert {"read1", "write", "flush", "close"} <= set(dir(connection._sock))
    assert isinstance(connection.py_types, dict)
    assert connection._client_encoding.lower().replace("-", "") == "utf8"
    assert names(connection.handle_messages) == ["context"]
    assert names(connection.execute_simple) == ["statement"]
    assert names(converters.make_params) == ["py_types", "values"]
    assert (core.BIND, core.EXECUTE_MSG) == (b"B", b"E\0\0\0\x09\0\0\0\0\0")
    assert core.SYNC_MSG == b"S\0\0\0\x04"
    assert {"statement", "columns", "input_funcs"} <= set(names(core.Context))

    prepared = PreparedStatement(connection, "select cast(:b as text), cast(:a as integer)")
    assert prepared.make_vals({"a": 1, "b": "x"}) == ("x", 1)
    assert prepared.name_bin.endswith(b"\0")
    assert "$1" in prepared.statement
    assert len(prepared.cols) == len(prepared.input_funcs) == 2
    assert prepared.run(a=1, b="x") == [["x", 1]]
    assert connection.execute_simple("select 1").rows == [[1]]
    driver.let_go(connection)
    assert connection._usock is None


def test_no_other_module_of_lib_uses_pg8000_s_own() -> None:
    inner = re.compile(r"\._usock|\._sock\b|_send_message|pg8000\.(core|converters)")
    folder = Path(str(lib.__file__)).parent
    using = {path.name for path in folder.rglob("*.py") if inner.search(path.read_text("utf-8"))}

    assert using == {"driver.py"}


def test_requirements_admit_no_other_minor_version() -> None:
    required = (Path(str(lib.__file__)).parent.parent / "requirements.in").read_text("utf-8")

    assert re.search(r"^pg8000~=\d+\.\d+\.\d+ ", required, re.MULTILINE)
