"""pg_dump and psql, of the embedded PostgreSQL: they are no older than any server here."""

import gzip
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

from lib.database import url
from local.failure import Failure
from local.postgres import installation

_GZIP: Final = b"\x1f\x8b"


def dump(database_url: str, file: Path, *, snapshot: str) -> None:
    """Write a database as of a snapshot into a file, without owners and rights.

    Raises:
        Failure: pg_dump says why it cannot.
    """
    done = subprocess.run(
        [
            str(installation() / "bin" / "pg_dump"),
            *("--no-owner", "--no-acl", "--no-password"),
            *(f"--snapshot={snapshot}", f"--file={file}"),
        ],
        env=_variables(database_url),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Failure(f"the database cannot be dumped: {_last_line(done.stderr)}")


def restore(database_url: str, file: Path) -> list[str]:
    """Run a dump, plain or compressed; return what Postgres refused of it.

    Raises:
        Failure: The file cannot be read to its end.
    """
    command = [
        str(installation() / "bin" / "psql"),
        *("--no-psqlrc", "--quiet", "--no-password", f"--output={os.devnull}"),
    ]
    with (
        open_dump(file) as source,
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, env=_variables(database_url), stdin=subprocess.PIPE, stderr=said
        ) as program,
    ):
        try:
            with program.stdin as sink:  # type: ignore[union-attr]
                shutil.copyfileobj(source, sink, 1 << 20)
        except (OSError, EOFError) as error:
            program.kill()
            raise Failure(f"{file} cannot be restored: {error}") from error
        program.wait()
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    return [line for line in lines if "ERROR:" in line or "FATAL:" in line]


def open_dump(file: Path) -> BinaryIO:
    """Open a dump for reading, whether or not it is compressed."""
    try:
        with file.open("rb") as start:
            compressed = start.read(2) == _GZIP
        return gzip.open(file) if compressed else file.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from error


def _variables(database_url: str) -> dict[str, str]:
    at = url.parse(database_url)
    named = {
        "PGHOST": at.host,
        "PGPORT": str(at.port),
        "PGUSER": at.user,
        "PGPASSWORD": at.password,
        "PGDATABASE": at.name,
        "PGSSLMODE": at.ssl_mode,
        "PGSSLROOTCERT": at.ssl_root_cert,
    }
    return {"PATH": os.defpath, **{name: value for name, value in named.items() if value}}


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it does not say why"
