"""A movie's JSON, made when the movie is written, and how far work after a migration has come.

It only adds, so that it suits the revision that runs while it is applied: of movies which that
revision writes the trigger makes the document as well. Those that are there get theirs afterwards,
see `work`; until then they are read as before.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# What `lib.catalogue.document` shows. To make a row of a type is an expression like any other;
# `select ... from (select ...)` would be a query for each movie, which takes twice as long.
# A third of real movies take more than 2 KB, where Postgres begins to put columns elsewhere.
# Up to 4 KB all of a movie stays in its row, and of a wider one the plot goes before the document.
_DOCUMENTS = """
alter table movies add column document text, add column document_version smallint;
alter table movies alter column document set storage main;
alter table movies set (toast_tuple_target = 4080);

create type movie_shown_1 as (
    imdb_id text, title text, type text, year smallint, year_end smallint, rated text,
    released date, runtime_minutes integer, genres text[], directors text[], writers text[],
    actors text[], plot text, languages text[], countries text[], awards text, poster_url text,
    ratings json, metascore smallint, imdb_rating numeric(3, 1), imdb_votes integer,
    box_office_usd bigint, total_seasons smallint, website text, aliases text[], fetched_at text
);
create function document_movie() returns trigger language plpgsql as $$
begin
    new.document := to_json(row(
        new.imdb_id, new.title, new.type, new.year, new.year_end, new.rated,
        new.released, new.runtime_minutes, new.genres, new.directors, new.writers,
        new.actors, new.plot, new.languages, new.countries, new.awards, new.poster_url,
        new.ratings, new.metascore, new.imdb_rating, new.imdb_votes,
        new.box_office_usd, new.total_seasons, new.website, new.aliases,
        to_char(new.fetched_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    )::movie_shown_1)::text;
    new.document_version := 1;
    return new;
end $$;
create trigger movies_document before insert or update on movies
    for each row execute function document_movie();
"""

_WORK = """
create table schema_work (
    revision text not null,
    name text not null,
    position text not null default '',
    done bigint not null default 0,
    total bigint not null,
    finished_at timestamptz,
    constraint schema_work_pkey primary key (revision, name)
);
"""

# What `lib.schema.work` does afterwards, a few movies in a transaction. A later version's are left.
work = [
    {
        "fill": "documents",
        "table": "movies",
        "key": "imdb_id",
        "set": "document = null",  # the trigger makes it
        "where": "coalesce(document_version, 0) < 1",
    }
]


def upgrade() -> None:
    """Make the columns, the trigger and the table."""
    for statements in (_DOCUMENTS, _WORK):
        op.get_bind().exec_driver_sql(statements)


def downgrade() -> None:
    """Drop them; movies are read as before."""
    op.get_bind().exec_driver_sql("""
        drop table schema_work;
        drop trigger movies_document on movies;
        drop function document_movie();
        drop type movie_shown_1;
        alter table movies reset (toast_tuple_target);
        alter table movies drop column document, drop column document_version;
    """)
