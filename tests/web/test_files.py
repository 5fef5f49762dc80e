"""Files that a function hands out: each form is made once."""

import asyncio
import gzip
import os

import pytest

from lib.web.answers import Answer
from lib.web.files import File


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_many_who_ask_at_once_for_a_form_get_the_one_that_is_made(accepted: str) -> None:
    content = os.urandom(1_000_000).hex().encode()
    file = File(content, "text/plain")

    async def ask() -> list[Answer]:
        first = await asyncio.gather(*(file.answer(accepted) for _ in range(200)))
        return [*first, await file.answer(accepted)]

    first, *others = asyncio.run(ask())
    assert all(one is first for one in others)
    sent = gzip.decompress(first.body) if accepted == "gzip" else first.body
    assert sent == content
