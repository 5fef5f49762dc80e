from collections.abc import Iterator

import pytest

from tests.pipeline.google import Google


@pytest.fixture
def google() -> Iterator[Google]:
    with Google() as stand_in:
        yield stand_in
