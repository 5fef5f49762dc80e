"""Files that a function hands out, as they are or compressed."""

import gzip
from collections.abc import Mapping
from typing import Final

from lib.web.answers import Answer, tag_of
from lib.web.preferences import takes_gzip
from lib.web.threads import once_at_a_time

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
        self._made: dict[str, Answer] = {}
        # Of text, all is in UTF-8.
        self._headers = {
            "Content-Type": content_type, "Vary": "Accept-Encoding", **(headers or {})
        }  # fmt: skip

    async def answer(self, accept_encoding: str) -> Answer:
        """Answer the form that fits what the caller takes.

        Raises:
            Overloaded: It is to be made first, and its turn did not come in time.
        """
        make = self._compress if takes_gzip(accept_encoding) else self._leave
        if make.__name__ not in self._made:
            # Many may ask at once for what takes a while to make.
            self._made[make.__name__] = await once_at_a_time((self, make.__name__), make)
        return self._made[make.__name__]

    def _leave(self) -> Answer:
        return Answer(body=self._content, headers=self._headers, tag=tag_of(self._content))

    def _compress(self) -> Answer:
        # Without the time in it, so that each instance has the same bytes, and the same tag.
        body = gzip.compress(self._content, _LEVEL, mtime=0)
        headers = {**self._headers, "Content-Encoding": "gzip"}
        return Answer(body=body, headers=headers, tag=tag_of(body))
