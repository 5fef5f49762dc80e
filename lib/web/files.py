"""Files that a function hands out, as they are or compressed."""

import gzip
from collections.abc import Mapping
from functools import cached_property
from typing import Final

from lib.web.answers import Answer, tag_of
from lib.web.preferences import takes_gzip

# What has another name when it is another file.
KEPT_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
# Half as much time as the highest, for one part in three hundred more.
_LEVEL: Final = 6


class File:
    """A file, of which each form is made once, when it is first asked for.

    Args:
        headers: What its answers carry, such as how long they are kept.
    """

    def __init__(
        self, content: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self._content = content
        # Of text, all is in UTF-8.
        self._headers = {
            "Content-Type": content_type, "Vary": "Accept-Encoding", **(headers or {})
        }  # fmt: skip

    def answer(self, accept_encoding: str) -> Answer:
        """Answer the form that fits what the caller takes."""
        return self._compressed if takes_gzip(accept_encoding) else self._plain

    @cached_property
    def _plain(self) -> Answer:
        return Answer(body=self._content, headers=self._headers, tag=tag_of(self._content))

    @cached_property
    def _compressed(self) -> Answer:
        # Without the time in it, so that each instance has the same bytes, and the same tag.
        body = gzip.compress(self._content, _LEVEL, mtime=0)
        headers = {**self._headers, "Content-Encoding": "gzip"}
        return Answer(body=body, headers=headers, tag=tag_of(body))
