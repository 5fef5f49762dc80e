"""How long imports work."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lib.settings import read_integer


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """How long one import run works, in seconds."""

    seconds: int
    lease_seconds: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Default to a run that ends well before a function's time-out of ten minutes."""
        return cls(
            seconds=read_integer(env, "IMPORT_SECONDS", 480, low=1, high=3600),
            lease_seconds=read_integer(env, "IMPORT_LEASE_SECONDS", 120, low=10, high=3600),
        )
