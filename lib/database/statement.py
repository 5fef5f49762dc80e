"""SQL that is prepared once a connection, and questions made of it."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
Rows = list[list[Any]]
Values = Mapping[str, str | int | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Statement:
    """SQL that is prepared once a connection; its parameters are written `:name`.

    Attributes:
        repeatable: Whether running it twice does what running it once does, so that it may be
            tried again when its answer was lost. What was rolled back is tried again in any case.
    """

    sql: str
    repeatable: bool


@dataclass(frozen=True, kw_only=True)
class Query(Generic[T]):
    """A question to the database: a statement, its values, and how to read the answer's rows.

    Two of the same statement and values are the same question: what they read of equal rows is
    equal.
    """

    statement: Statement
    values: Values = field(default_factory=dict)
    read: Callable[[Rows], T]

    @property
    def key(self) -> Hashable:
        """What it has in common with those, and only those, that are the same question."""
        return self.statement, *self.values.items()

    def then(self, make: Callable[[T], U]) -> "Query[U]":
        """Return the question whose answer is what is made of this one's."""
        return Query(
            statement=self.statement, values=self.values, read=lambda rows: make(self.read(rows))
        )
