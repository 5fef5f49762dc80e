"""`lib.texts`: what is refused before any work is done on it, and nothing that people write."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.texts import MOST_MARKS, has_long_run_of_marks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 100_000,
        "e\u0301" * 10_000,
        "a" + "\u0301" * MOST_MARKS,
        "Z\u0351\u036b\u0343a\u034a\u0365l\u0300g\u0321o\u0327",
        "ที่นี่ไม่มีใครอยู่",
        "བསྒྲུབས་ཀྱི་རྫོགས",
        "क्षत्रिय किं कर्तव्यविमूढ़",
        "ﾊﾟﾝﾀﾞ",
        "👩‍🚀🦄",
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_people_write_has_no_long_run_of_marks(text: str) -> None:
    assert not has_long_run_of_marks(text)
    assert not has_long_run_of_marks(unicodedata.normalize("NFKD", text))


@pytest.mark.parametrize(
    "mark",
    ["\u0301", "\u0301\u0323", "\u0344", "\u0f73", "\u0f81", "\u20dd", "\uff9e", "\U0001d165"],
    ids=ascii,
)
def test_a_run_is_long_beyond_thirty_wherever_it_is(mark: str) -> None:
    run = (mark * (MOST_MARKS + 1))[: MOST_MARKS + 1]

    for text in (run, "a" + run, "a long text that begins harmlessly" + run + "z"):
        assert has_long_run_of_marks(text)


@given(st.text(st.characters(categories=["M", "Lm", "Lo"]), max_size=200))
def test_what_is_let_through_has_no_long_run_in_its_normal_form(text: str) -> None:
    if has_long_run_of_marks(text):
        return
    run = longest = 0
    for character in unicodedata.normalize("NFKD", text):
        run = run + 1 if unicodedata.combining(character) else 0
        longest = max(longest, run)
    assert longest <= 4 * MOST_MARKS  # a mark comes apart into no more than four


def test_looking_costs_a_fraction_of_what_ordering_the_marks_costs() -> None:
    text = "\u0301\u0323" * 2048
    started = time.perf_counter()
    assert has_long_run_of_marks(text)
    looking = time.perf_counter() - started
    unicodedata.normalize("NFC", text)
    ordering = time.perf_counter() - started - looking

    assert looking < ordering / 10
