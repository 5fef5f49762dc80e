"""How to reach OMDb, and how much of it we may use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from lib.settings import Secret, SettingsError, read_integer, read_needed, read_text

# What is pasted with a key, and never part of it: blanks, line ends, quotes.
_AROUND_A_KEY: Final = " \t\r\n\f\v\ufeff\u00a0\"'`\u2018\u2019\u201c\u201d"


@dataclass(frozen=True, kw_only=True)
class OmdbSettings:
    """How to reach OMDb, and how much of it we may use.

    Attributes:
        daily_budget: Calls a day that all instances together may make.
        concurrency: Calls at once in an import.
        calls_per_caller: Calls an hour for those who ask from one network.
        import_share: Per cent of the budget that are the import's alone, and as much the creates'.
    """

    url: str
    api_key: Secret
    daily_budget: int
    concurrency: int
    calls_per_caller: int = 60
    import_share: int = 40

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Demand the key; the rest has defaults that suit OMDb's free plan."""
        url = read_text(env, "OMDB_URL", "https://www.omdbapi.com/")
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url):
            raise SettingsError(f"OMDB_URL is {url!r}: expected an http or https address")
        return cls(
            url=url,
            api_key=_omdb_key(read_needed(env, "OMDB_API_KEY", "the key that OMDb sent you")),
            daily_budget=read_integer(env, "OMDB_DAILY_BUDGET", 1000, low=1, high=10_000_000),
            concurrency=read_integer(env, "OMDB_CONCURRENCY", 8, low=1, high=64),
            calls_per_caller=read_integer(env, "OMDB_CALLS_PER_CALLER", 60, low=1, high=10_000_000),
            import_share=read_integer(env, "OMDB_IMPORT_SHARE", 40, low=0, high=50),
        )


def _omdb_key(written: str) -> Secret:
    """Take a key out of what people copy with it: blanks, a line feed, quotes, `apikey=`."""
    key = written.strip(_AROUND_A_KEY)
    key = re.sub(r"\A(?:https?://\S+)?[?&]?apikey\s*=", "", key, flags=re.IGNORECASE)
    key = key.strip(_AROUND_A_KEY)
    if not re.fullmatch(r"[A-Za-z0-9._~@-]{1,100}", key, re.ASCII):
        # The value is not repeated: most of it may be the key.
        raise SettingsError(
            "OMDB_API_KEY is malformed: expected the key alone, letters and digits without blanks, "
            "as OMDb sent it to you"
        )
    return Secret(key)
