"""Rules: each reads one value that a caller sent, refuses it in words, and describes itself.

So a range, what is said of it and its JSON schema are one number. A rule that only one concept has
stands with that concept.
"""

import re
from typing import Any, Final, NamedTuple, Protocol, TypeVar

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


class Pattern(NamedTuple):
    """A text of one form.

    Attributes:
        form: What all of it matches, in a way that JSON schemas know as well.
        rule: What is demanded of the value.
    """

    form: re.Pattern[str]
    rule: str

    def from_text(self, name: str, text: str) -> str:
        """Read a parameter, or a path's last segment."""
        return self.from_json(name, text)

    def from_json(self, name: str, value: object) -> str:
        """Read a member."""
        if not isinstance(value, str) or not self.form.fullmatch(value):
            refuse(name, self.rule)
        return value

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "string", "pattern": f"^{self.form.pattern}$"}


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


class Yes(NamedTuple):
    """What can only be asked for, or be left out."""

    rule: str = "must be true"

    def from_text(self, name: str, text: str) -> bool:
        """Read a parameter."""
        return self.from_json(name, text == "true")

    def from_json(self, name: str, value: object) -> bool:
        """Read a member."""
        if value is not True:
            refuse(name, self.rule)
        return True

    def schema(self) -> Schema:
        """Return the JSON schema of what is taken."""
        return {"type": "boolean", "const": True}
