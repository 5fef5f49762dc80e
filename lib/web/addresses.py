"""Functions without a domain in common: where each answers, for who describes all of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from lib.settings import SettingsError

_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
_TOLD: Final = (
    "**Here each function has an address of its own**, and pages that show this another one. So "
    "they may read, and delete, look at imports and create with a token; but nobody can log in "
    "from them: get the token at a terminal."
)


@dataclass(frozen=True, kw_only=True)
class AddressesSettings:
    """Where functions answer.

    Attributes:
        of_functions: Their addresses by their names; none where all have one in common.
    """

    of_functions: Mapping[str, str]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read a JSON object, as Terraform makes it."""
        sent = env.get("FUNCTION_URLS", "{}")
        try:
            read = json.loads(sent)
        except ValueError:
            read = None
        if not isinstance(read, dict) or not all(
            isinstance(url, str) and _ADDRESS.fullmatch(url) for url in read.values()
        ):
            raise SettingsError(
                f"FUNCTION_URLS is {sent[:200]!r}: expected a JSON object such as "
                '{"movies_list": "https://movies-list.example.com"}'
            )
        return cls(of_functions=read)


def tell_addresses(document: bytes, addresses: Mapping[str, str]) -> bytes:
    """Say in an OpenAPI document where its operations are asked, and what that means to a page.

    Args:
        document: Its operations are called as the functions are.
        addresses: By the functions' names; other operations are asked where the document is.
    """
    if not addresses:
        return document
    whole: dict[str, Any] = json.loads(document)
    for operations in whole["paths"].values():
        for operation in operations.values():
            if operation["operationId"] in addresses:
                operation["servers"] = [{"url": addresses[operation["operationId"]]}]
    whole["info"]["description"] = f"{_TOLD}\n\n{whole['info']['description']}"
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
