# ruff: noqa: E501  (letters that look alike are what is tested)
"""What callers send, read strictly: properties, and the texts that break lenient readers."""

import base64
import json
import re
import string
import sys
import time
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import product
from typing import Any, Final
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lib.catalogue.listing import PARAMETERS as LISTED_BY
from lib.catalogue.listing import Cursor, wanted_page
from lib.catalogue.movie import FIRST_YEAR, LAST_YEAR, TITLE_LENGTH, title_key
from lib.catalogue.movies import Position
from lib.catalogue.wanted import CREATING, DELETING, GETTING, TITLE, YEAR, Wanted, wanted_movie
from lib.errors import InvalidRequest, ServiceError, UnsupportedMediaType
from lib.imports.asking import MEMBERS
from lib.texts import has_long_run_of_marks
from lib.web.endpoint import SMALL_BODY
from lib.web.paging import LAST_PAGE
from lib.web.parsing import (
    check_content_encoding,
    check_json_content_type,
    is_normal,
    parse_json_object,
    parse_query,
)

# The largest examples take longer than the rest.
UNHURRIED: Final = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow]
)

NAMES: Final = ("title", "year", "imdb_id", "page", "cursor")
ORDER: Final = ("page", "title", "year")
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# Any character, halves of surrogate pairs included.
ANY_TEXT: Final = st.text(st.characters(codec=None, categories=None))
QUERIES: Final = st.binary(max_size=200) | st.lists(
    st.tuples(
        st.sampled_from([b"page", b"title", b"cursor", b"p%61ge", b"%00", b"", b"titel"]),
        st.binary(max_size=12)
        | st.sampled_from([b"%", b"%f", b"%ff", b"%00", b"%ED%A0%80", b"%C0%80", b"+", b"=", b"1"]),
    )
).map(lambda pairs: b"&".join(name + b"=" + value for name, value in pairs))

NAUGHTY: Final = [
    "undefined", "null", "None", "NaN", "Infinity", "true", "0", "-1", "1e1000", "0x0", "1/0",
    "00", "1,000.00", "1 000", "--version", "$HOME", "%s%n%x", "{0}", "{{7*7}}", "${7*7}",
    "%(page)s", ":title", ":1", "$1", "?", "%", "_", "\\", "'", '"', "''''", "' or ''='",
    "1;drop table movies", "'; drop table movies; --", "$$;select 1;$$", "E'\\x41'", "/* */",
    "<script>alert(1)</script>", "<![CDATA[", "&lt;&#x41;", "javascript:alert(1)", "../../etc/passwd",
    "file:///etc/passwd", "() { :; }; touch x", "`ls`", "$(ls)", "| cat", "@@version", "=1+1",
    "Ω≈ç√∫˜µ≤≥÷", "åß∂ƒ©˙∆˚¬…æ", "⁰⁴⁵₀₁₂", "٠١٢٣", "１２３", "田中さんにあげて下さい", "ﾟ･✿ヾ╲", "(╯°□°）╯︵ ┻━┻",
    "😍👨‍👩‍👧‍👦🇩🇪🏳️‍🌈", "تُستخدم", "בְּרֵאשִׁית", "﷽ﷺ", "Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮̺̪̹̱̤", "\u202eabc\u202c", "\u2066abc\u2069",
    "a\u200bb", "\u200b", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\U0010ffff", "\ue000", "\u00ad",
    "\u2028", "\u2029", "\u3000", "\u00a0", "İstanbul", "ıI", "Straße", "STRASSE", "ﬁlm", "ǅ", "ẞ",
    "Å", "A\u030a", "\u212b", "é", "e\u0301", "가", "\u1100\u1161", "𝕋𝕙𝕖", "𠜎𠜱", "ϓ", "ﬃ", "Æon", "№",
]  # fmt: skip


def create(body: Mapping[str, Any]) -> Wanted:
    """Read the members of `movies.create`."""
    return wanted_movie(CREATING.read_body(body))


def get(query: Mapping[str, str]) -> Wanted:
    """Read the parameters of `movies.get`."""
    return wanted_movie(GETTING.read_query(query))


def only_ours(read: Callable[..., object], *arguments: object) -> object:
    """Call a reader; whatever it raises that is not our own error fails the test."""
    with suppress(ServiceError):
        return read(*arguments)
    return None


# --- Never anything but our own error -------------------------------------------------------------


@UNHURRIED
@given(QUERIES)
@example(b"%")
@example(b"&&&=&=&")
@example(b"page=1;page=2")
@example(b"\xff\xfe")
@example(b"title=%ED%A0%80")
@example(b"a" * 9000)
def test_any_query_is_read_or_refused(raw: bytes) -> None:
    read = only_ours(parse_query, raw, NAMES)

    assert read is None or isinstance(read, dict)
    if isinstance(read, dict):
        assert set(read) <= set(NAMES)
        for value in read.values():
            value.encode()
            assert "\0" not in value


@UNHURRIED
@given(QUERIES)
def test_a_refusal_of_a_query_can_be_told_as_json_without_control_characters(raw: bytes) -> None:
    with suppress(ServiceError):
        try:
            parse_query(raw, NAMES)
        except InvalidRequest as refusal:
            told = [refusal.message, *refusal.fields, *refusal.fields.values()]
            assert not any(re.search(r"[\x00-\x1f\x7f-\x9f]", text) for text in told)
            assert all(len(text) < 500 for text in told)
            raise


@UNHURRIED
@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"\xef\xbb\xbf{}")
@example("{}".encode("utf-16"))
@example("{}".encode("utf-32-le"))
@example(b'{"title": "\\ud800"}')
@example(b'{"\\udfff": 1}')
@example(b'{"title": NaN}')
@example(b'{"title": -Infinity}')
@example(b'{"title": 1e400}')
@example(b'{"title": 1, "title": 2}')
@example(b'{"title": "\xed\xa0\x80"}')
@example(b'{"year": ' + b"9" * 5000 + b"}")
@example(b"[" * 100_000)
@example(b'{"title":' * 100_000)
@example(b'{"title": ' + b"[" * 50_000 + b"]" * 50_000 + b"}")
def test_any_body_is_read_or_refused(body: bytes) -> None:
    read = only_ours(parse_json_object, body, NAMES)

    assert read is None or isinstance(read, dict)
    if isinstance(read, dict):
        assert set(read) <= set(NAMES)
        json.dumps(read, ensure_ascii=False, allow_nan=False).encode()


@UNHURRIED
@given(st.dictionaries(st.sampled_from(NAMES), JSON | ANY_TEXT))
def test_any_members_name_a_movie_or_are_refused(body: dict[str, Any]) -> None:
    known = {name: value for name, value in body.items() if name in CREATING.each}
    only_ours(create, known)
    only_ours(MEMBERS.read_body, {"year": body.get("year"), "search": body.get("title")})
    only_ours(MEMBERS.read_body, {"imdb_ids": list(body.values())})


@UNHURRIED
@given(st.dictionaries(st.sampled_from([*NAMES, "number_of_records"]), ANY_TEXT))
def test_any_parameters_ask_for_something_or_are_refused(query: Mapping[str, str]) -> None:
    known = {name: text for name, text in query.items() if name in LISTED_BY.each}
    only_ours(lambda: wanted_page(LISTED_BY.read_query(known)))
    known = {name: text for name, text in query.items() if name in GETTING.each}
    only_ours(get, known)


@UNHURRIED
@given(ANY_TEXT)
@example("")
@example("=")
@example("a" * 5000)
@example("YXR0MDAwMDAwMSBh")
@example("YXR0MDAwMDAwMSD_")
@example("é")
@example("\ud800")
def test_any_text_is_a_cursor_or_is_refused(text: str) -> None:
    read = only_ours(LISTED_BY.each["cursor"].rule.from_text, "cursor", text)

    assert read is None or (isinstance(read, Cursor) and read.encode() == text)


@UNHURRIED
@given(st.binary(max_size=60))
def test_any_bytes_in_a_cursors_letters_are_a_cursor_or_refused(raw: bytes) -> None:
    text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    only_ours(LISTED_BY.each["cursor"].rule.from_text, "cursor", text)


@UNHURRIED
@given(ANY_TEXT)
def test_any_path_ends_in_an_id_or_is_refused(path: str) -> None:
    only_ours(DELETING.read_query, {"imdb_id": path})


@UNHURRIED
@given(ANY_TEXT)
def test_any_content_type_is_taken_or_refused(value: str) -> None:
    only_ours(check_json_content_type, value)


# --- What is read is what was sent ----------------------------------------------------------------

POSITIONS: Final = st.builds(
    Position,
    sort_key=st.text(
        st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=500
    ),
    imdb_id=st.from_regex(r"tt[0-9]{7,10}", fullmatch=True),
)


@UNHURRIED
@given(st.builds(Cursor, direction=st.sampled_from(["after", "before"]), position=POSITIONS))
def test_a_cursor_comes_back_as_it_was_given_out(cursor: Cursor) -> None:
    text = cursor.encode()

    assert Cursor.decode(text) == cursor
    assert quote(text, safe="") == text


@UNHURRIED
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=500))
def test_the_cursor_of_any_title_that_can_be_stored_is_taken_back(title: str) -> None:
    key = title_key(title)
    if "\0" in key:
        return
    cursor = Cursor(direction="after", position=Position(sort_key=key, imdb_id="tt0000001"))

    assert Cursor.decode(cursor.encode()) == cursor


@UNHURRIED
@given(
    st.dictionaries(
        st.sampled_from(NAMES), st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))
    )
)
def test_a_query_comes_back_as_it_was_encoded(query: dict[str, str]) -> None:
    raw = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items()).encode()

    assert parse_query(raw, NAMES) == query


@UNHURRIED
@given(
    st.dictionaries(st.sampled_from(NAMES), st.text(st.characters(codec="utf-8")) | st.integers())
)
def test_a_body_comes_back_as_it_was_encoded(body: dict[str, Any]) -> None:
    assert parse_json_object(json.dumps(body).encode(), NAMES) == body
    assert parse_json_object(json.dumps(body, ensure_ascii=False).encode(), NAMES) == body


@UNHURRIED
@given(st.integers())
def test_a_number_is_taken_just_when_it_is_in_range(number: int) -> None:
    member = only_ours(YEAR.from_json, "year", number)
    parameter = only_ours(YEAR.from_text, "year", str(number))

    assert member == parameter == (number if FIRST_YEAR <= number <= LAST_YEAR else None)


# --- Naughty strings ------------------------------------------------------------------------------


@pytest.mark.parametrize("title", NAUGHTY)
def test_a_naughty_title_stays_the_text_it_is(title: str) -> None:
    expected = " ".join(title.split())
    if not expected:
        with pytest.raises(InvalidRequest):
            create({"title": title})
        return

    assert create({"title": title}).title == expected
    assert get(parse_query(f"title={quote(title)}".encode(), ("title",))).title == expected
    assert parse_json_object(json.dumps({"title": title}).encode(), ("title",)) == {"title": title}
    assert 1 <= len(title_key(title)) <= 500


@pytest.mark.parametrize(
    "title",
    [
        "\0",
        "a\0b",
        "a\x07",
        "\x1b[31m",
        "\x7f",
        "\x80",
        "\x85",
        "\x9f",
        "a\nb",
        "a\tb",
        "\r\n",
        "\x1c",
    ],
)
def test_a_title_with_a_control_character_is_refused(title: str) -> None:
    with pytest.raises(InvalidRequest):
        create({"title": title})
    with pytest.raises(InvalidRequest):
        parse_query(f"title={quote(title)}".encode(), ("title",))


@pytest.mark.parametrize(
    ("title", "same"),
    [
        ("Amélie", "Ame\u0301lie"),
        ("AMÉLIE", "amelie"),
        ("Straße", "STRASSE"),
        ("ﬁlm", "FILM"),
        ("ＡＢＣ", "abc"),
        ("İstanbul", "istanbul"),
        ("a\u200bb", "ab"),
        ("\u202eabc", "abc"),
        ("a \u00a0\u3000 b", "a b"),
        ("가", "\u1100\u1161"),
        ("Ångström", "\u212bngstro\u0308m"),
    ],
)
def test_two_spellings_of_a_title_have_one_key(title: str, same: str) -> None:
    assert title_key(title) == title_key(same)


@UNHURRIED
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=600))
def test_the_key_of_a_key_is_that_key(title: str) -> None:
    key = title_key(title)

    assert 1 <= len(key) <= 500
    assert len(key) == 500 or title_key(key) == key


# --- Marks ----------------------------------------------------------------------------------------

MARKS: Final = (
    "\u0301\u0316\u093f\u0f73\u20dd\uff9e\uff9f"  # of which some are no marks until folded
)


def best_of_20(work: Callable[[], object]) -> float:
    """Return the seconds that something takes when nothing comes between."""
    times = []
    for _ in range(20):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def longest_run(text: str) -> int:
    """Count the slow way."""
    longest = run = 0
    for character in text:
        run = run + 1 if character in MARKS else 0
        longest = max(longest, run)
    return longest


@UNHURRIED
@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from(MARKS), min_size=26, max_size=34) | st.text(MARKS, max_size=3),
            st.text("aé語", min_size=0, max_size=34),
        ),
        max_size=6,
    ).map(lambda parts: "".join(marks + letters for marks, letters in parts))
)
@example("\u0301" * 30)
@example("\u0301" * 31)
@example("a" * 30 + "\u0301" * 31)
@example("\u0301" * 30 + "a" + "\u0301" * 30)
def test_a_long_run_of_marks_is_seen_wherever_it_stands(text: str) -> None:
    assert has_long_run_of_marks(text) == (longest_run(text) > 30)


def test_whatever_takes_long_to_bring_in_order_counts_as_a_mark() -> None:
    for number in (*range(0xD800), *range(0xE000, sys.maxunicode + 1)):
        character = chr(number)
        if all(map(unicodedata.combining, unicodedata.normalize("NFKD", character))):
            assert has_long_run_of_marks(character * 31), f"U+{number:04X}"


@pytest.mark.parametrize("text", ["\u0301" * 4096, ("\u0301" * 30 + "e") * 132, "é" * 4096])
def test_marks_are_looked_for_in_no_time(text: str) -> None:
    assert best_of_20(lambda: has_long_run_of_marks(text)) < 0.001


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 8192,
        b'{"title": ' + b"1" * 8000 + b"}",
        b'{"title": [' + b"1e1," * 2000 + b"1]}",
        b'{"title": [' + b"{}," * 2700 + b"1]}",
        ("{" + ",".join(f'"{number}":0' for number in range(900)) + "}").encode(),
        ('{"title": "' + ("\u0301" * 30 + "e") * 130 + '"}').encode(),
    ],
    ids=["arrays", "a number", "numbers", "objects", "members", "marks"],
)
def test_a_small_body_takes_the_loop_a_moment_at_most(body: bytes) -> None:
    assert len(body) <= SMALL_BODY
    assert best_of_20(lambda: only_ours(parse_json_object, body, NAMES)) < 0.003


def test_the_member_with_too_many_marks_is_named() -> None:
    body = json.dumps({"title": "a", "cursor": {"x": ["b" + "\u0301" * 31]}}).encode()

    with pytest.raises(InvalidRequest) as caught:
        parse_json_object(body, NAMES)

    assert list(caught.value.fields) == ["cursor"]


# --- Addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "",
        "page=1",
        "page=1&year=2",
        "title=a+b+c&year=1",
        "title=a%20b%20c",
        "title=caf%C3%A9",
        "title=Fast%20%26%20Furious",
        "title=1%2B1+=+2",
        "title=a=b",
        "title=Who's+Afraid,+really?",
        "title=Who%27s%20Afraid%2C%20really%3F",
        "title=M*A*S*H",
        "title=(500)+Days",
        "title=100%25",
        "title=~",
    ],
)
def test_what_usual_programs_send_is_in_normal_form(query: str) -> None:
    assert is_normal(query.encode(), parse_query(query.encode(), ORDER), ORDER)


@pytest.mark.parametrize(
    "query",
    [
        "p%61ge=1",
        "%70age=1",
        "page=%31",
        "year=2&page=1",
        "title=%41lien",
        "title=a%2Db",
        "title=a%7Eb",
        "title=a%5fb",
        "title=caf%c3%a9",
        "title=a+b%20c",
        "title=don't+can%27t",
        "title=a%2Cb,c",
        "title=100%",
        "title=%zz",
        "title=a%3",
        "title=+a",
        "title=a+",
        "title=a++b",
        "title=a%20%20b",
        "title=a%C2%A0b",
        "title=a%E3%80%80b",
        "title=a%20%E3%80%80b",
        "title=<i>",
        'title="a"',
        "title=a|b",
    ],
)
def test_any_other_writing_of_the_same_is_not(query: str) -> None:
    assert not is_normal(query.encode(), parse_query(query.encode(), ORDER), ORDER)


def test_raw_bytes_are_not_in_normal_form() -> None:
    raw = "title=café".encode()

    assert not is_normal(raw, parse_query(raw, ORDER), ORDER)


@UNHURRIED
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40))
def test_what_encoders_make_of_a_title_is_in_normal_form(title: str) -> None:
    title = " ".join(title.split())
    for written in (quote(title, safe=""), quote_plus(title), quote(title, safe="!'()*")):
        raw = f"title={written}".encode()
        assert is_normal(raw, parse_query(raw, ORDER), ORDER)


@pytest.mark.parametrize(
    "value", ["", "identity", "Identity", "identity, IDENTITY", " identity ,,"]
)
def test_a_body_that_is_not_encoded_is_taken(value: str) -> None:
    check_content_encoding(value)


@pytest.mark.parametrize("value", ["gzip", "identity, gzip", "x-identity", "identity;q=1", "*"])
def test_a_body_in_any_encoding_is_refused(value: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_content_encoding(value)


# --- Refused by name ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    ["0", "-1", "-0", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "", "null", "NaN", "٣", "１２",
     "²", "3\n", "01", "1,000", str(LAST_PAGE + 1), "9" * 400, "Ⅷ", "𝟏", "1\u200b", "\ufeff1"],
)  # fmt: skip
def test_a_page_in_any_other_writing_is_refused(page: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        LISTED_BY.read_query({"page": page})

    assert list(caught.value.fields) == ["page"]


@pytest.mark.parametrize(
    "text",
    ["1999.0", "١٩٩٩", " 1999", str(FIRST_YEAR - 1), str(LAST_YEAR + 1), "+1999", "MCMXCIX", ""],
)
def test_a_year_in_any_other_writing_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        get({"title": "x", "year": text})

    assert list(caught.value.fields) == ["year"]


@pytest.mark.parametrize("value", [True, 1999.0, "1999", None, [1999], {}, 10**400])
def test_a_year_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequest):
        YEAR.from_json("year", value)


@pytest.mark.parametrize(
    "value", ["", " ", "\u3000", "x" * (TITLE_LENGTH + 1), 1, None, True, [], {}, ["x"]]
)
def test_a_title_of_another_type_or_length_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequest):
        TITLE.from_json("title", value)


@pytest.mark.parametrize(
    "value",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/problem+json",
        "application/vnd.api+json ; charset = utf8",
        "application/json;",
        " application/json\t",
        "application/json; ; ;charset=utf-8;",
        "application/json\t;\tCHARSET=Utf-8",
        'application/json; charset="u\\tf-8"',
        "application/json; charset=utf-8; charset=UTF8",
        'application/json; q=1; a="x; charset=utf-16"; b=\'',
    ],
)
def test_json_in_utf_8_is_taken(value: str) -> None:
    check_json_content_type(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text/plain",
        "text/json",
        "json",
        "application/jsonp",
        "application/json-seq",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
        "application/json, text/plain",
        "application/json\x00",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; charset=",
        'application/json; charset=""',
        "application/json; charset",
        'application/json; a="x',
        "application/json; charset=utf-8 utf-8",
        "application/json;=x",
        "application/json x",
        "application/json\n",
        "application/json/x",
        "application/+json;;é",
        "application/ʲson",
    ],
)
def test_every_other_content_type_is_refused(value: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_json_content_type(value)


def test_a_repeated_parameter_of_a_long_and_odd_name_is_told_shortened() -> None:
    name = "a%0A%00" * 400

    with pytest.raises(InvalidRequest) as caught:
        parse_query(f"{name}=1&{name}=2".encode(), NAMES)

    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()
    assert all(len(name) < 300 and name.isprintable() for name in caught.value.fields)


def test_a_repeated_member_among_very_many_is_found_at_once() -> None:
    names = ["".join(letters) for letters in product(string.ascii_lowercase, repeat=3)][:10_000]
    members = ",".join(f'"{name}":0' for name in [*names, names[-1]])
    started = time.monotonic()

    with pytest.raises(InvalidRequest, match="stands more than once"):
        parse_json_object(f"{{{members}}}".encode(), NAMES)

    assert time.monotonic() - started < 0.5


def test_an_unknown_member_of_a_very_long_name_is_refused_at_once() -> None:
    started = time.monotonic()

    with pytest.raises(InvalidRequest):
        parse_json_object(f'{{"{"imdb_ids" * 400_000}": 0}}'.encode(), ("imdb_ids",))

    assert time.monotonic() - started < 0.2
