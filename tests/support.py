"""What tests of several modules share."""

from typing import Final

from lib.catalogue import movies
from lib.catalogue.movie import Movie
from lib.catalogue.movies import Stored
from lib.database.database import Database
from lib.database.settings import DatabaseSettings
from lib.database.statement import Query, Statement
from lib.omdb.memory import STORE

ADMIN_PASSWORD: Final = "correct horse battery staple"
OMDB_KEY: Final = "0a1b2c3d"
ECHO: Final = Statement(repeatable=True, sql="select cast(:value as text)")


def database_settings(url: str) -> DatabaseSettings:
    """Read the settings of a database that an address names."""
    return DatabaseSettings.from_env({"DATABASE_URL": url})


def echo(value: str) -> Query[str]:
    """Ask the database for what it is told."""
    return Query(statement=ECHO, values={"value": value}, read=lambda rows: str(rows[0][0]))


def store(database: Database, movie: Movie) -> Stored:
    """Store a movie as a create does; the database was made with `STORE`."""
    records = movies.as_records([movie])
    rows = database.run(STORE, movies=records, source="a test", question=movie.imdb_id)
    return movies.read_stored(movie, rows)
