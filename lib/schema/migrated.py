"""What a run of the migration found and left, and how it tells of that."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Migrated:
    """What a run found and left.

    Attributes:
        before: The database's revision, None for an empty one; several have commas between them.
        after: The same, when all was done.
        newer: Whether the database has a revision that this code does not know.
        admin_refused: Why there is no active administrator, although there is a password for one.
        not_granted: Rights to what a newer schema no longer has.
        left: What is still to be done, for which this is to be run again.
    """

    before: str | None
    after: str | None
    newer: bool
    admin_created: bool
    admin_refused: str | None = None
    not_granted: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """All of that in words."""
        said = self._schema_in_words()
        if self.admin_refused:
            said += f" There is no active administrator still: {self.admin_refused}."
        return said

    def _schema_in_words(self) -> str:
        if self.newer:
            said = (
                f"Nothing to do: the schema is at {self.after}, which this code does not know. "
                "A newer release or another branch has migrated it."
            )
            if self.not_granted:
                said += f" It has no more of what these rights name: {'; '.join(self.not_granted)}."
            return said
        if self.before != self.after:
            said = f"The schema was {self.before or 'empty'} and is now {self.after or 'empty'}."
        elif self.left:
            said = f"The schema is the newest already, {self.after}."
        else:
            return f"Nothing to do: the schema is the newest already, {self.after}."
        return f"{said} Left to do: {'; '.join(self.left)}." if self.left else said
