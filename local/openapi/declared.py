"""What each function declares that it takes: read from its `main.py`, loaded as it is served."""

import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from unittest import mock

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lib.accounts.guard import Guard
from lib.web.answers import Rules
from lib.web.inputs import Input
from lib.web.rules import Text
from local.environment import ROOT, SETTINGS
from local.failure import Failure
from local.functions import ID, Function, Words, read_functions

_NOWHERE: Final = "postgresql+pg8000://nobody:nothing@127.0.0.1:1/nowhere"  # it is not asked

# Of a function that looks at its path itself.
_ANY_ID: Final = Input(rule=Text(longest=200), about="What stands last in the path.")


class Operation(NamedTuple):
    """A route of a function: what is said of it, and what the function takes."""

    function: Function
    route: str
    words: Words
    rules: Rules

    @property
    def name(self) -> str:
        """What generated clients call it."""
        if len(self.function.routes) == 1:
            return self.function.name
        return "_".join([self.function.name, *re.findall(r"\w+", self.route)])

    @property
    def method(self) -> str:
        """As the document has it."""
        return self.rules.method.lower()

    @property
    def path(self) -> str:
        """The route as the document has it: `{id}` under the name that refusals give it."""
        path = self.route
        for name in self.in_path:
            path = path.replace(ID, f"{{{name}}}")
        return path

    @property
    def in_path(self) -> Mapping[str, Input]:
        """What stands in the path."""
        if ID not in self.route:
            return {}
        example = next((each.id for each in self.words.examples if each.id), None)
        return self.rules.path.each or {"id": _ANY_ID._replace(example=example)}

    @property
    def needs_token(self) -> bool:
        """Whether a token must come with each request."""
        return bool(self.rules.roles) and self.rules.needs_token

    @property
    def takes_keys(self) -> bool:
        """Whether a key for machines will do in place of a token."""
        return isinstance(self.rules.guard, Guard) and self.rules.guard.takes_keys

    @property
    def is_kept(self) -> bool:
        """Whether its readers may keep it, and ask for it anew with its tag."""
        return self.rules.is_kept and any(answer.is_kept for answer in self.words.answers)


def read_operations(root: Path = ROOT) -> list[Operation]:
    """Return every route of every function, in order of names.

    Raises:
        Failure: A function declares nothing, or nothing is said of a route.
    """
    rest = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    with mock.patch.dict(os.environ, rest | _made_up(), clear=True):
        functions = [(one, _load(one, root)) for one in read_functions(root).values()]
    return [
        Operation(one, route, _find_words(one, route), rules)
        for one, rules in functions
        for route in one.routes
    ]


def _find_words(function: Function, route: str) -> Words:
    if route not in function.words:
        raise Failure(f"functions/{function.name}/function.yaml has no summary of {route}")
    return function.words[route]


def _load(function: Function, root: Path) -> Rules:
    source = root / "functions" / function.name / "main.py"
    spec = importlib.util.spec_from_file_location(f"declared_{function.name}", source)
    if spec is None or spec.loader is None:
        raise Failure(f"{source} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rules = getattr(getattr(module, function.name, None), "rules", None)
    if not isinstance(rules, Rules):
        raise Failure(f"{source}: {function.name} does not declare what it takes")
    return rules


def _made_up() -> dict[str, str]:
    """Return settings with which every function starts, and nothing can be reached."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "DATABASE_URL": _NOWHERE,
        "OMDB_API_KEY": "none",
        "TOKEN_PRIVATE_KEY": private.decode(),
        "TOKEN_PUBLIC_KEYS": public.decode(),
        "REFRESH_KEY": "none" * 8,
    }
