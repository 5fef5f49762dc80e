"""What the tables have in common: where they are registered, and kinds of columns."""

from typing import Final

from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata: Final = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


def names(column: str) -> Column[list[str]]:
    """Make a column of names, of which there may be none."""
    return Column(column, ARRAY(Text), nullable=False, server_default=text("'{}'"))


def moment(column: str) -> Column[object]:
    """Make a column of a moment; without one it is now."""
    return Column(column, DateTime(timezone=True), nullable=False, server_default=func.now())


def count(column: str, width: Integer | None = None) -> Column[int]:
    """Make a column that counts from 0."""
    return Column(column, width or Integer(), nullable=False, server_default=text("0"))
