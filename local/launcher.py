"""Become another program, as another user where root may not run it, that ends when we end.

It stands by itself (`python -I launcher.py ...`) and replaces itself with the program. The same
steps in `subprocess`'s `preexec_fn` would run Python between fork and exec, which is unsafe, and
warned of, in a process that has threads.
"""

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000


def main() -> None:
    """Drop root, arrange for our end, and become the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", help="UID:GID to become")
    parser.add_argument("--parent", type=int, help="the process whose end ends the program")
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    if options.user:
        uid, gid = map(int, options.user.split(":"))
        try:
            become(uid, gid)
        except OSError:  # not allowed to, or no such user in this container
            rename(uid, gid)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    if options.parent:
        end_with(options.parent)
    os.execv(options.program[0], options.program)  # noqa: S606 (no shell is what we want)


def become(uid: int, gid: int) -> None:
    """Change to a user that owns nothing: with root go its groups and every capability."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def rename(uid: int, gid: int) -> None:
    """Stay who we are under another user's name, in a user namespace of our own."""
    us, group = os.geteuid(), os.getegid()
    try:
        if sys.platform != "linux" or _libc().unshare(CLONE_NEWUSER) != 0:
            raise PermissionError
        for name, value in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {us} 1"),
            ("gid_map", f"{gid} {group} 1"),
        ):
            Path("/proc/self", name).write_text(value, encoding="ascii")
    except OSError:
        sys.exit(
            f"PostgreSQL runs neither as root nor as a user without a name, and user {us} may not "
            f"become user {uid} here; run as another user, or set DATABASE_URL"
        )


def end_with(parent: int) -> None:
    """Ask for a fast shutdown when the thread that started us is gone (Linux only)."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit("the process that asked for this program has ended")


def _prctl(*arguments: int) -> None:
    if sys.platform == "linux":
        _libc().prctl(*[ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0)][:5])


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main()
