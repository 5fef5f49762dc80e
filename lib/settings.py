"""The environment, read once, checked, frozen.

No other module reads an environment variable. A function asks at start for just the groups it
uses (`require(DatabaseSettings)`), so that one never needs another's secrets.
"""

import os
import re
from collections.abc import Mapping
from typing import Protocol, Self, TypeVar


class SettingsError(ValueError):
    """A variable is missing or malformed; the message is one line that names it."""


class Secret:
    """A value that shows itself only when asked by name."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself, for the one place that uses it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('**********')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Group(Protocol):
    """Settings that belong together."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the group from an environment; raise `SettingsError` where it is wrong."""
        ...


G = TypeVar("G", bound=Group)


def require(group: type[G], env: Mapping[str, str] | None = None) -> G:
    """Read a group from the environment, or end the process with one line that says why not."""
    try:
        return group.from_env(os.environ if env is None else env)
    except SettingsError as error:
        raise SystemExit(str(error)) from None


def read_text(env: Mapping[str, str], name: str, default: str) -> str:
    """Return a variable's text, or the default where it is not set."""
    value = env.get(name, default)
    if not value.strip():
        raise SettingsError(f"{name} is blank: expected a text, or leave it unset for {default!r}")
    return value


def read_needed(env: Mapping[str, str], name: str, what: str) -> str:
    """Return the text of a variable that has to be set; `what` is expected there."""
    value = env.get(name, "")
    if not value.strip():
        raise SettingsError(f"{name} is {'blank' if name in env else 'not set'}: expected {what}")
    return value


def read_integer(env: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    """Return a whole number in a range, or the default where the variable is not set."""
    value = env.get(name)
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or not low <= int(value) <= high:
        raise SettingsError(f"{name} is {value!r}: expected a whole number from {low} to {high}")
    return int(value)


def read_one_of(env: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return one of the allowed words, or the default where the variable is not set."""
    value = env.get(name, default)
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}: expected one of {', '.join(allowed)}")
    return value
