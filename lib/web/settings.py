"""What every function has around it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lib.settings import read_integer, read_one_of


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What every function has around it.

    Attributes:
        log_level: The least severity that is logged.
        project: The Google Cloud project that traces belong to, where there is one.
        proxies: How many proxies in front append to `X-Forwarded-For`; the caller's address is
            that many entries from its right end, as all further left is the caller's own word.
        in_cloud: Whether this is a Cloud Run instance, whose logs are read by a machine.
    """

    log_level: str
    project: str | None
    proxies: int
    in_cloud: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Recognise Cloud Run by `K_SERVICE`, which it sets: one proxy stands before it."""
        in_cloud = bool(env.get("K_SERVICE"))
        return cls(
            log_level=read_one_of(
                env, "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
            ),
            project=env.get("GOOGLE_CLOUD_PROJECT") or None,
            proxies=read_integer(env, "TRUSTED_PROXIES", 1 if in_cloud else 0, low=0, high=9),
            in_cloud=in_cloud,
        )
