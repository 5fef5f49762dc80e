"""Sessions that are refreshed, users who are invited or disabled, keys for machines, and the audit.

It suits the revision that runs while it is applied: `sessions.jti` and `expires_at` stay what they
are to it, and new columns may be null or have a default. It lets in whoever has a password, so that
here a trigger keeps disabled users out of its sessions as well.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Both at once, and sessions first, as whoever asks for a session's user does.
_ACCOUNTS = """
lock table sessions, users in access exclusive mode;

alter table users
    alter column password_hash drop not null,
    add column disabled_at timestamptz,
    add column password_set_at timestamptz,
    add column changed_at timestamptz not null default now(),
    add column invited boolean not null generated always as (password_hash is null) stored;

alter table sessions
    add column name text constraint sessions_name_check check (length(name) between 1 and 100),
    add column digest text,
    add column previous_digest text,
    add column rotated_at timestamptz,
    add column last_used_at timestamptz,
    add column address text;

create function refuse_sessions_of_disabled() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from users where id = new.user_id and disabled_at is null for share;
    if not found then
        return null;
    end if;
    return new;
end $$;
create trigger sessions_inserted before insert on sessions
    for each row execute function refuse_sessions_of_disabled();
"""

_CODES = """
create table password_codes (
    digest text constraint password_codes_pkey primary key,
    user_id bigint not null
        constraint password_codes_user_id_key unique
        constraint password_codes_user_id_fkey references users (id) on delete cascade,
    purpose text not null,
    created_by bigint,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint password_codes_purpose_check check (purpose in ('invite', 'reset'))
);
"""

# Twenty a user, also of those who make some at once: only here can the others' be seen, once the
# user's row is locked.
_KEYS = """
create table api_keys (
    id text constraint api_keys_pkey primary key,
    digest text not null,
    user_id bigint not null
        constraint api_keys_user_id_fkey references users (id) on delete cascade,
    name text not null,
    role text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint api_keys_id_check check (id ~ '^[0-9a-f]{12}$'),
    constraint api_keys_name_check check (length(name) between 1 and 100),
    constraint api_keys_role_check check (role in ('viewer', 'editor'))
);
create index api_keys_user_id_idx on api_keys (user_id);

create function limit_api_keys() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from users where id = new.user_id and disabled_at is null for no key update;
    if not found or (select count(*) >= 20 from api_keys where user_id = new.user_id) then
        return null;
    end if;
    return new;
end $$;
create trigger api_keys_inserted before insert on api_keys
    for each row execute function limit_api_keys();
"""

# Whoever writes it can tell neither another time nor another name. The name is kept, as the entry
# outlives its actor.
_AUDIT = """
create table audit_log (
    id bigint generated always as identity constraint audit_log_pkey primary key,
    at timestamptz not null default now(),
    actor_id bigint,
    actor text,
    action text not null,
    subject text,
    address text,
    request_id text,
    details json
);
create index audit_log_at_idx on audit_log (at);
create index audit_log_actor_id_idx on audit_log (actor, id);

create function sign_audit_log() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    new.at := now();
    new.actor := (select username from users where id = new.actor_id);
    return new;
end $$;
create trigger audit_log_inserted before insert on audit_log
    for each row execute function sign_audit_log();

create function sweep_audit_log() returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    swept bigint;
begin
    delete from audit_log where id in (
        select id from audit_log where at < now() - interval '400 days'
        order by at limit 2000 for update skip locked);
    get diagnostics swept = row_count;
    return swept;
end $$;
revoke execute on function sweep_audit_log() from public;
"""


def upgrade() -> None:
    """Make the tables, columns and functions."""
    for statements in (_ACCOUNTS, _CODES, _KEYS, _AUDIT):
        op.get_bind().exec_driver_sql(statements)


# Of no password: made up, but of the form that all have.
_NOBODYS = (
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ"
    "$qFmS3x0lYpUu5vJ7d1c9oBt2eKzRwN4gHhX8aLiQmEk"
)


def downgrade() -> None:
    """Drop them, whoever has not yet chosen a password, and the passwords of who is disabled.

    The revision before this knows nobody who is disabled, and would let them in.
    """
    op.get_bind().exec_driver_sql(f"""
        drop table audit_log, api_keys, password_codes;
        lock table sessions, users in access exclusive mode;
        drop trigger sessions_inserted on sessions;
        drop function
            sweep_audit_log(), sign_audit_log(), limit_api_keys(), refuse_sessions_of_disabled();
        alter table sessions
            drop column name, drop column digest, drop column previous_digest,
            drop column rotated_at, drop column last_used_at, drop column address;
        delete from users where password_hash is null;
        update users set password_hash = '{_NOBODYS}' where disabled_at is not null;
        alter table users
            alter column password_hash set not null,
            drop column disabled_at, drop column password_set_at, drop column changed_at,
            drop column invited;
    """)  # noqa: S608  built from a constant
