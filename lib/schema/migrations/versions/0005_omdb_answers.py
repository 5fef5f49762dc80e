"""What OMDb has answered, who has caused how many calls, and the ids that it has merged.

It only adds, so that it suits the revision that runs while it is applied.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Most movies have no alias, so the index is of the others only.
_ALIASES = """
alter table movies add column aliases text[] not null default '{}';
create index movies_aliases_idx on movies using gin (aliases) where aliases <> '{}';
"""

_ANSWERS = """
create table omdb_answers (
    source text not null,
    question text not null,
    imdb_id text,
    expires_at timestamptz not null,
    number bigint generated always as identity,
    constraint omdb_answers_pkey primary key (source, question)
);
create index omdb_answers_expires_at_idx on omdb_answers (expires_at);
create unique index omdb_answers_number_idx on omdb_answers (number);
"""

# One row: which OMDb and key are asked, and since when.
_SOURCE = """
create table omdb_source (
    id smallint constraint omdb_source_pkey primary key,
    source text not null,
    since timestamptz not null default now(),
    constraint omdb_source_only_row_check check (id = 1)
);
"""

_CALLERS = """
create table omdb_callers (
    caller text constraint omdb_callers_pkey primary key,
    calls integer not null,
    since timestamptz not null default now()
);
create index omdb_callers_since_idx on omdb_callers (since);
"""

_SHARES = """
alter table omdb_budget
    add column share integer not null default 0,
    add column used_by_imports integer not null default 0,
    add column slowed_down boolean not null default false;
"""


def upgrade() -> None:
    """Make the tables and columns."""
    for statements in (_ALIASES, _ANSWERS, _SOURCE, _CALLERS, _SHARES):
        op.get_bind().exec_driver_sql(statements)


def downgrade() -> None:
    """Drop them; the movies stay."""
    op.get_bind().exec_driver_sql("""
        alter table omdb_budget
            drop column share, drop column used_by_imports, drop column slowed_down;
        drop table omdb_callers, omdb_source, omdb_answers;
        alter table movies drop column aliases;
    """)
