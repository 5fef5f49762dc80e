"""Folders and files for one user's eyes only, on a machine that others use as well."""

import errno
import os
import secrets
from pathlib import Path
from typing import IO, Final

from local.failure import Failure

_LEAST_FREE: Final = 1024 * 1024
_OTHERS: Final = 0o077
_WHY: Final = {
    errno.ENOSPC: "the disk is full: make room on it",
    errno.EDQUOT: "your share of the disk is used up: make room in it",
    errno.EROFS: "the file system is read-only",
}


def make_folder(folder: Path) -> None:
    """Make a folder that is closed to others, or close it.

    Raises:
        Failure: It cannot be had, or is another user's.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if os.geteuid() not in {0, found.st_uid}:
            raise Failure(f"{folder} belongs to another user: work in a checkout of your own")
        if found.st_mode & _OTHERS:
            folder.chmod(0o700)
    except OSError as error:
        raise Failure(f"{folder} cannot be made: {why(error)}") from error


def open_private(path: Path, mode: str) -> IO[bytes]:
    """Open a file that is its owner's alone, and no link to another."""
    file: IO[bytes] = open(path, mode, opener=_open)  # noqa: SIM115  Path has no opener
    os.fchmod(file.fileno(), 0o600)
    return file


def write_new(path: Path, value: str) -> Path:
    """Write a file beside another, whole or not at all, to be put into its place."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with open_private(new, "xb") as file:
            file.write(value.encode())
    except OSError:
        new.unlink(missing_ok=True)
        raise
    return new


def why(error: OSError) -> str:
    """Say in plain words why a file or folder cannot be used."""
    return _WHY.get(error.errno or 0) or error.strerror or str(error)


def trouble(folder: Path, said: str) -> str | None:
    """Tell what is wrong with the disk that a program works on.

    Args:
        said: Its own words, which may be lost where the disk is full.
    """
    for number, words in _WHY.items():
        if os.strerror(number) in said:
            return words
    disk = os.statvfs(folder)
    if disk.f_flag & os.ST_RDONLY:
        return _WHY[errno.EROFS]
    return _WHY[errno.ENOSPC] if disk.f_bavail * disk.f_frsize < _LEAST_FREE else None


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
