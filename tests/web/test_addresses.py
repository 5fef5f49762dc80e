"""Functions without a domain in common: what is said of them where all are described."""

import json
from typing import Any, Final

import pytest

from lib.settings import SettingsError
from lib.web.addresses import AddressesSettings, tell_addresses
from local.environment import ROOT

DOCUMENT: Final = (ROOT / "functions" / "api_docs" / "openapi.json").read_bytes()
LIST: Final = "https://movies-list-123.europe-west1.run.app"


def test_each_operation_is_asked_where_its_function_is() -> None:
    told: dict[str, Any] = json.loads(tell_addresses(DOCUMENT, {"movies_list": LIST}))

    asked = {path: one["get"].get("servers") for path, one in told["paths"].items() if "get" in one}
    assert asked["/movies.list"] == [{"url": LIST}]
    assert asked["/movies.get"] is None
    assert "nobody can log in from them" in told["info"]["description"]


def test_with_one_address_for_all_the_document_is_what_it_was() -> None:
    assert tell_addresses(DOCUMENT, {}) == DOCUMENT


def test_addresses_are_read_as_terraform_writes_them() -> None:
    settings = AddressesSettings.from_env({"FUNCTION_URLS": json.dumps({"movies_list": LIST})})

    assert settings.of_functions == {"movies_list": LIST}
    assert AddressesSettings.from_env({}).of_functions == {}


@pytest.mark.parametrize(
    "wrong",
    ["", "[]", "[1]", '{"a": 1}', '{"a": "https://a.example/b"}', '{"a": "b; script-src *"}'],
)
def test_what_is_no_address_never_reaches_a_page(wrong: str) -> None:
    with pytest.raises(SettingsError, match="FUNCTION_URLS is"):
        AddressesSettings.from_env({"FUNCTION_URLS": wrong})
