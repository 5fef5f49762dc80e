"""Rules: each reads one value that a caller sent, refuses it in words, and describes itself.

So a range, what is said of it and its JSON schema are one number. A rule that only one concept has
stands with that concept; `Inputs` are what an endpoint takes, with what goes with what.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, NamedTuple, NoReturn, Protocol, TypeVar

from lib.errors import InvalidRequest
from lib.web.parsing import CONTROL_CHARACTERS, refuse, refuse_control_characters

Schema = dict[str, Any]
T_co = TypeVar("T_co", covariant=True)

_WHOLE_NUMBER: Final = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_MOST_DIGITS: Final = 20


class Rule(Protocol[T_co]):
    """Reads one value. What says only how it reads a text takes that text in JSON, too."""

    @property
    def rule(self) -> str:
        """What is demanded of the value: "must be ..."."""
        ...

    def from_text(self, name: str, text: str) -> T_co:
        """Read a parameter of this name; raise `InvalidRequest` where it breaks the rule."""
        ...

    def from_json(self, name: str, value: object) -> T_co:
        """Read a member of this name; raise `InvalidRequest` where it breaks the rule."""
        if not isinstance(value, str):
            refuse(name, self.rule)
        return self.from_text(name, value)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        ...


class Whole(NamedTuple):
    """A whole number in a range, in a text in ASCII digits, without sign or leading zeros.

    Attributes:
        high: None where the range has no end.
        most: What greater ones are read as.
        parted: Whether a refusal parts the thousands, for people to read.
    """

    low: int
    high: int | None = None
    most: int | None = None
    parted: bool = False

    @property
    def rule(self) -> str:
        """What is demanded of the value."""
        return f"must be a whole number {self._range('')}"

    def from_text(self, name: str, text: str) -> int:
        """Read a parameter; one of more than twenty digits is beyond any range as well."""
        # int() takes "\u0663", " 3", "1_000" and "+3" as well, and refuses thousands of digits.
        number = int(text[:_MOST_DIGITS]) if _WHOLE_NUMBER.fullmatch(text) else None
        if number is None or not self._holds(number):
            part = "," if self.parted else ""
            most = "" if self.most is None else f"; at most {self.most} are given"
            raise InvalidRequest(
                f"{name} must be a whole number {self._range(part)}, in the digits 0 to 9{most}.",
                fields={name: self.rule},
            )
        return self._cut(number)

    def from_json(self, name: str, value: object) -> int:
        """Read a member; texts and floats are not coerced."""
        if not isinstance(value, int) or isinstance(value, bool) or not self._holds(value):
            refuse(name, self.rule)
        return self._cut(value)

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        end = {} if self.high is None else {"maximum": self.high}
        return {"type": "integer", "minimum": self.low, **end}

    def _range(self, part: str) -> str:
        end = " upwards" if self.high is None else f" to {self.high:{part}}"
        return f"from {self.low:{part}}{end}"

    def _holds(self, number: int) -> bool:
        return self.low <= number and (self.high is None or number <= self.high)

    def _cut(self, number: int) -> int:
        return number if self.most is None else min(number, self.most)


class Text(NamedTuple):
    """A text of some length that is not blank and holds no control character."""

    longest: int
    shortest: int = 1

    @property
    def rule(self) -> str:
        """What is demanded of the value."""
        return f"must be a text of {self.shortest} to {self.longest} characters"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:
        """Read a member."""
        if not isinstance(value, str) or not self.shortest <= len(value) <= self.longest:
            refuse(name, self.rule)
        if not value.strip():
            refuse(name, self.rule)
        refuse_control_characters(value, name)
        return value

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        fine = f"[^{CONTROL_CHARACTERS}]*"
        return {
            "type": "string",
            "minLength": self.shortest,
            "maxLength": self.longest,
            "pattern": rf"^{fine}[^\s{CONTROL_CHARACTERS}]{fine}$",
        }


class OneOf(NamedTuple):
    """One of some words."""

    values: tuple[str, ...]

    @property
    def rule(self) -> str:
        """What is demanded of the value."""
        return f"must be one of {', '.join(self.values)}"

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:
        """Read a member."""
        if not isinstance(value, str) or value not in self.values:
            refuse(name, self.rule)
        return value

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "enum": [*self.values]}


class Flag(Rule[bool]):
    """True or false."""

    rule = "must be true or false"

    def from_text(self, name: str, text: str) -> bool:
        """Read a parameter."""
        if text not in {"true", "false"}:
            refuse(name, self.rule)
        return text == "true"

    def from_json(self, name: str, value: object) -> bool:
        """Read a member."""
        if not isinstance(value, bool):
            refuse(name, self.rule)
        return value

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "boolean"}


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
        chosen = self._in_alternatives.intersection(given)
        if self._refuse and not any(
            chosen.issuperset(one.required) and one.names.issuperset(chosen)
            for one in self.alternatives
        ):
            self._refuse(given)


NOTHING: Final = Inputs({})
