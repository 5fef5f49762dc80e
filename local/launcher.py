"""Become another program, as another user where root may not run it, that ends when we end.

It stands by itself (`python -I launcher.py ...`) and replaces itself with the program. The same
steps in `subprocess`'s `preexec_fn` would run Python between fork and exec, which is unsafe, and
warned of, in a process that has threads.
"""

import argparse
import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWUSER = 0x10000000
# The right to pass any folder: the first of the two is the lesser, the second is what root has in
# most containers.
CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE = 2, 1


def main() -> None:
    """Drop root, arrange for our end, and become the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", help="UID:GID to become")
    parser.add_argument("--reads", action="append", default=[], help="what it must be able to read")
    parser.add_argument("--parent", type=int, help="the process whose end ends the program")
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    if options.user:
        uid, gid = map(int, options.user.split(":"))
        try:
            become(uid, gid)
        except OSError:  # not allowed to, or no such user in this container
            rename(uid, gid)
        reach(options.reads)
    if options.parent:
        end_with(options.parent)
    os.execv(options.program[0], options.program)  # noqa: S606 (no shell is what we want)


def become(uid: int, gid: int) -> None:
    """Change to a user that owns nothing."""
    # Without this bit a change of user drops every capability, and access(2) ignores them.
    _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
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


def reach(paths: list[str]) -> None:
    """Make sure that the paths can be read, with a capability only where it is needed.

    A checkout below /root, or one made with a narrow umask, is closed to other users. Opening it
    would change folders that are not ours, so the program is allowed to pass them instead.
    """
    for capability in (None, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        _keep(capability)
        if all(map(_can_read, paths)):
            return
    closed = next(path for path in paths if not _can_read(path))
    sys.exit(
        f"user {os.geteuid()} cannot read {closed}: open the folders above it with chmod o+x, "
        "or run as a user other than root"
    )


def end_with(parent: int) -> None:
    """Ask for a fast shutdown when the thread that started us is gone (Linux only)."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit("the process that asked for this program has ended")


def _can_read(path: str) -> bool:
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDONLY))
        return not Path(path).is_dir() or os.access(path, os.X_OK)
    return False


def _keep(capability: int | None) -> None:
    """Put at most this one capability into every set, so that it outlives the change of program."""
    if sys.platform != "linux":
        return
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then their upper halves
    _libc().capget(header, sets)
    permitted = sets[1] & (1 << CAP_DAC_READ_SEARCH | 1 << CAP_DAC_OVERRIDE)
    one = 0 if capability is None else permitted & 1 << capability
    _libc().capset(header, (ctypes.c_uint32 * 6)(one, permitted, one, 0, 0, 0))
    if capability is not None:
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def _prctl(*arguments: int) -> None:
    if sys.platform == "linux":
        _libc().prctl(*[ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0)][:5])


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main()
