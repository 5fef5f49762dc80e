"""How texts, values and cursors of a search are read."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.database.statement import Statement
from lib.database.transactions import TransactionalDatabase
from lib.errors import InvalidRequest
from lib.search import cursor as cursors
from lib.search.cursor import Cursor
from lib.search.filters import FILTERS, filters_of
from lib.search.text import QUERY_LENGTH, SearchText, Terms, compose, read_terms
from lib.web.inputs import Inputs

AS_QUERY = Statement(repeatable=True, sql="select numnode(cast(:query as text)::tsquery)")
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=QUERY_LENGTH
) | st.text("ab '\"\\|&!:*()<->~@#/,.1", min_size=1, max_size=QUERY_LENGTH)


def read_text(text: str) -> Terms:
    return SearchText().from_text("query", text)


@pytest.mark.parametrize(
    ("asked", "year", "title"),
    [
        ("The Godfather (1972)", 1972, "the godfather"),
        ("The Godfather [1972]", 1972, "the godfather"),
        ("the godfather 1972", 1972, "the godfather"),
        ("The Godfather, 1972", 1972, "the godfather"),
        ("The Godfather(1972)", 1972, "the godfather"),
        ("1917", None, "1917"),
        ("(1917)", None, "(1917)"),
        ("1917 (2019)", 2019, "1917"),
        ("2001: A Space Odyssey", None, "2001: a space odyssey"),
        ("Studio 5400", None, "studio 5400"),
        ("Film 12345", None, "film 12345"),
        ("Film1999", None, "film1999"),
        ("Ocean's 11", None, "ocean's 11"),
        ("! 1999", None, "! 1999"),
        ("The Film (1999", None, "the film (1999"),
        ("The Office (TV Series 2005–2013)", 2005, "the office"),
    ],
)
def test_a_year_at_the_end_is_read(asked: str, year: int | None, title: str) -> None:
    terms = read_terms(asked)

    assert (terms.year, terms.titles[0]) == (year, title)


@given(TEXTS)
@example("'")
@example("\\")
@example("\ufdfa" * QUERY_LENGTH)
@example("-a" * 50)
def test_whatever_is_asked_is_a_query_or_refused(
    worker_database: TransactionalDatabase, asked: str
) -> None:
    try:
        terms = read_text(asked)
    except InvalidRequest:
        return
    words = compose(terms.words, is_typed=terms.is_typed)
    for query in (words.anywhere, words.indexed, words.title, words.title_indexed):
        assert worker_database.run(AS_QUERY, query=query)[0][0] > 0


@given(TEXTS, st.sampled_from(["genre", "person", "rated"]))
def test_whatever_is_filtered_by_is_a_query_or_refused(
    worker_database: TransactionalDatabase, asked: str, name: str
) -> None:
    try:
        filters = filters_of(Inputs(FILTERS).read_query({name: asked}))
    except InvalidRequest:
        return
    assert worker_database.run(AS_QUERY, query=filters.lexemes)[0][0] > 0


CURSORS = st.builds(
    Cursor,
    value=st.integers(0, 2**31 - 1).map(str),
    imdb_id=st.integers(0, 10**9).map(lambda number: f"tt{number:07}"),
    way=st.sampled_from(["asked", "near", "far"]),
    corrected=st.lists(st.text("aé1", min_size=1, max_size=9), max_size=20).map(" ".join),
)


@given(CURSORS, st.text(), st.text())
def test_a_cursor_is_read_as_it_was_written_and_with_its_search_alone(
    cursor: Cursor, asked: str, other: str
) -> None:
    text = cursor.encode(asked)
    assert cursors.decode(text, asked, "imdb_votes", None) == cursor
    if other != asked:
        with pytest.raises(InvalidRequest):
            cursors.decode(text, other, "imdb_votes", None)


@given(CURSORS, st.data())
def test_a_cursor_that_was_cut_or_altered_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    text = cursor.encode("")
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("AQgwz09-_"))
    for altered in (text[:at], text[:at] + letter + text[at + 1 :]):
        if altered != text:
            with pytest.raises(InvalidRequest):
                cursors.decode(altered, "", "imdb_votes", None)


@pytest.mark.parametrize("way", ["instead", "near"])
def test_no_page_tells_a_text_of_strangers_as_its_correction(way: cursors.Way) -> None:
    told = Cursor(value="1", imdb_id="tt0000001", way=way, corrected="<b>Call 555-0100</b>")
    with pytest.raises(InvalidRequest):
        cursors.decode(told.encode(""), "", "imdb_votes", read_text("star wars"))


def test_another_title_in_brackets_is_told_on_each_page_however_long_it_folds() -> None:
    terms = read_text(f"foo (star wars {'…' * (QUERY_LENGTH - 20)})")
    cursor = Cursor(value="1", imdb_id="tt0000001", way="instead", corrected=terms.titles[-1])
    assert len(cursor.corrected) > 2 * QUERY_LENGTH
    assert cursors.decode(cursor.encode(""), "", "imdb_votes", terms) == cursor


@pytest.mark.parametrize("text", ["a-s-e-i-o-" * 9, "of in to " * 9])
def test_a_text_of_more_words_than_can_be_looked_up_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="at most 24"):
        read_text(text)


@given(st.text() | st.binary().map(lambda raw: raw.hex()) | st.text("AZaz09-_", max_size=80))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    for sort in ("relevance", "title", "year"):
        with pytest.raises(InvalidRequest):
            cursors.decode(text, "", sort, None)
