"""How long tokens and sessions last, these without being used and at most.

An administrator's sessions are shorter.
"""

from datetime import timedelta
from typing import Final

TOKEN_SECONDS: Final = 900
IDLE: Final = timedelta(days=7)
MOST: Final = timedelta(days=30)
ADMINS_IDLE: Final = timedelta(hours=12)
ADMINS_MOST: Final = timedelta(hours=24)
MOST_SESSIONS: Final = 20  # a user


def idle_of(role: str) -> timedelta:
    """Return how long a session lasts that is not refreshed."""
    return ADMINS_IDLE if role == "admin" else IDLE


def _seconds(duration: timedelta) -> str:
    return f"interval '{int(duration.total_seconds())} seconds'"


# The SQL of when a session ends that is refreshed now and never again; it reads `sessions` and
# `users`, so that a role that was given meanwhile counts.
END_AFTER_REFRESH: Final = f"""
    case users.role
        when 'admin' then least(
            now() + {_seconds(ADMINS_IDLE)}, sessions.created_at + {_seconds(ADMINS_MOST)})
        else least(now() + {_seconds(IDLE)}, sessions.created_at + {_seconds(MOST)})
    end
"""
