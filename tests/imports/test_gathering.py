"""An import gathers the words and facets of what was written or deleted before it ends."""

from sqlalchemy import text

from lib.database.transactions import TransactionalDatabase
from lib.imports.orders import TICK
from lib.imports.service import Importer
from tests.importing import by_ids, carry_out, change, film_ids, rows


def test_words_and_facets_are_there_when_an_import_ends(
    importer: Importer, database: TransactionalDatabase
) -> None:
    carry_out(importer, by_ids(*film_ids(3)))

    assert rows(database, "select movies from words where word = 'film'") == [(3,)]
    assert rows(database, "select movies from movie_facets where facet = 'g/Mystery'") == [(3,)]


def test_a_tick_gathers_what_others_have_written_and_deleted(
    importer: Importer, database: TransactionalDatabase
) -> None:
    carry_out(importer, by_ids(*film_ids(3)))
    change(database, "delete from movies where imdb_id = 'tt9000001'")
    change(database, "update movies set title = 'New' where imdb_id = 'tt9000002'")
    carry_out(importer, TICK)

    asked = "select word, movies from words where word in ('film', 'new') order by word"
    assert rows(database, asked) == [("film", 1), ("new", 1)]
    assert rows(database, "select count(*) from search_moves") == [(0,)]


def test_an_import_is_over_though_its_words_have_to_wait_for_the_next(
    importer: Importer, database: TransactionalDatabase
) -> None:
    change(database, "insert into words (word, movies) values ('film', 7)")
    with database.begin() as connection:
        connection.execute(text("select from words for update"))
        told = carry_out(importer, by_ids(*film_ids(2)))
    assert (told["state"], told["imported"]) == ("done", 2)
    carry_out(importer, by_ids(*film_ids(3)))

    assert rows(database, "select movies from words where word = 'film'") == [(10,)]
