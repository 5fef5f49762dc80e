"""What each function declares that it takes: read from its `main.py`, loaded as it is served."""

import importlib.util
import os
from pathlib import Path
from typing import Final, NamedTuple
from unittest import mock

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lib.web.answers import Rules
from local.environment import ROOT, SETTINGS
from local.failure import Failure
from local.functions import Function, read_functions

_NOWHERE: Final = "postgresql+pg8000://nobody:nothing@127.0.0.1:1/nowhere"  # it is not asked


class Declared(NamedTuple):
    """A function and what it takes."""

    function: Function
    rules: Rules

    @property
    def needs_token(self) -> bool:
        """Whether a token must come with each request."""
        return bool(self.rules.roles) and self.rules.needs_token


def read_declared(root: Path = ROOT) -> list[Declared]:
    """Return every function with what it declares, in order of names.

    Raises:
        Failure: One declares nothing.
    """
    rest = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    with mock.patch.dict(os.environ, rest | _made_up(), clear=True):
        return [Declared(one, _load(one, root)) for one in read_functions(root).values()]


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
    }
