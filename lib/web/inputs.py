"""What an endpoint takes: parameters, members, and what goes with what of them."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple, NoReturn

from lib.errors import InvalidRequest
from lib.web.rules import Rule, Schema


class Input(NamedTuple):
    """A parameter, a member or a path's last segment.

    Attributes:
        about: What it is, for people; its range need not be told.
        default: The value of one that is not there, where it need not be.
        missing: What a caller is told who leaves out what is required; without it, what the rule
            says of null.
        example: As it is sent.
        write: Returns the one text of a value that caches know, where several are read as one.
    """

    rule: Rule[Any]
    about: str
    default: Any = None
    required: bool = False
    missing: str | None = None
    example: Any = None
    write: Callable[[Any], str] | None = None

    def left_out(self, name: str) -> Any:
        """Return the value of one that is not there; raise `InvalidRequest` where it has to be."""
        if not self.required:
            return self.default
        if self.missing:
            raise InvalidRequest(self.missing, fields={name: "is missing"})
        return self.rule.from_json(name, None)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken, with its default where JSON has it."""
        can_be_told = isinstance(self.default, bool | int | str)
        return self.rule.schema() | ({"default": self.default} if can_be_told else {})


class Alternative(NamedTuple):
    """One of several ways to ask, by the inputs that not all of them take.

    Attributes:
        title: Such as "by id".
    """

    title: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The inputs that it takes."""
        return frozenset((*self.required, *self.optional))

    def fits(self, chosen: Collection[str]) -> bool:
        """Tell whether this is what was chosen, of the inputs that not all alternatives take."""
        return all(name in chosen for name in self.required) and self.names.issuperset(chosen)


class Inputs:
    """What is taken together: the parameters of a query, or the members of a body.

    Attributes:
        each: By its name, in the order of our own links.
        names: Of all of them.
        alternatives: Of which one has to fit; all take what none of them names.
        not_together: Pairs that exclude each other.

    Args:
        refuse: Called with the names that were given when no alternative fits; it says why.
    """

    def __init__(
        self,
        each: Mapping[str, Input],
        *,
        alternatives: tuple[Alternative, ...] = (),
        refuse: Callable[[Collection[str]], NoReturn] | None = None,
        not_together: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.each = each
        self.names = tuple(each)
        self.alternatives = alternatives
        self.not_together = not_together
        self._refuse = refuse
        self._in_alternatives = frozenset().union(*(one.names for one in alternatives))
        self._write = {name: one.write for name, one in each.items() if one.write}

    def read_query(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return the value of each parameter, or raise `InvalidRequest` naming the wrong one."""
        self._check_company(texts)
        return {
            name: one.rule.from_text(name, texts[name]) if name in texts else one.left_out(name)
            for name, one in self.each.items()
        }

    def read_body(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of each member, or raise `InvalidRequest` naming the wrong one."""
        self._check_company(members)
        return {
            name: one.rule.from_json(name, members[name]) if name in members else one.left_out(name)
            for name, one in self.each.items()
        }

    def is_normal(self, texts: Mapping[str, str], values: Mapping[str, Any]) -> bool:
        """Tell whether no other texts mean the same, as far as writing tells.

        Args:
            values: What was read of the texts.
        """
        return all(
            write(values[name]) == texts[name]
            for name, write in self._write.items()
            if name in texts
        )

    def _check_company(self, given: Collection[str]) -> None:
        for one, other in self.not_together:
            if one in given and other in given:
                raise InvalidRequest(
                    f"Give either {one} or {other}, not both.",
                    fields={other: f"must not stand together with {one}"},
                )
        if self._refuse is not None:
            chosen = self._in_alternatives.intersection(given)
            if not any(one.fits(chosen) for one in self.alternatives):
                self._refuse(given)


NOTHING: Final = Inputs({})
