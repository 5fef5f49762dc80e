"""What a caller would rather have, by the letter of RFC 9110, 12.5."""

import pytest

from lib.web.preferences import prefers_html, takes_gzip

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept_encoding", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("GZip", True),
        ("br;q=1.0, gzip;q=0.001", True),
        ("br ; q=1 ,\tgzip ; q=0.5 ", True),
        ("*", True),
        ("identity, *;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*, gzip;q=0", False),
        ("br, identity", False),
        ("gzipped", False),
        (",,", False),
    ],
)
def test_what_is_compressed_comes_to_who_takes_it(accept_encoding: str, *, taken: bool) -> None:
    assert takes_gzip(accept_encoding) is taken


@pytest.mark.parametrize(
    ("accept", "is_first"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML;charset=utf-8", True),
        ("application/json;q=0.9, text/html", True),
        ("text/html, application/json", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("application/json, text/html;q=0.9", False),
        ("text/*", False),
        ("text/html;q=0", False),
    ],
)
def test_a_page_is_for_who_asks_for_it_first(accept: str, *, is_first: bool) -> None:
    assert prefers_html(accept) is is_first
