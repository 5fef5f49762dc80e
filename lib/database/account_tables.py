"""The tables of people, of their sessions, codes and keys, and of what they did."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSON

from lib.database.columns import metadata, moment

users: Final = Table(
    "users",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("username", Text, nullable=False, unique=True),  # folded, see accounts.fold_username
    Column("password_hash", Text),  # null until an invited user has chosen a password
    Column("role", Text, nullable=False),
    moment("created_at"),
    Column("disabled_at", DateTime(timezone=True)),
    Column("password_set_at", DateTime(timezone=True)),  # by its owner; a new hash of it is none
    moment("changed_at"),
    # For those who may not read the hash.
    Column("invited", Boolean, Computed("password_hash is null", persisted=True), nullable=False),
    CheckConstraint("role in ('viewer', 'editor', 'admin')", name="role"),
    CheckConstraint("length(username) between 1 and 100", name="username"),
)

# One row a login, until it is ended or `expires_at`, which each refresh puts off. Its id, `jti`, is
# that of its first token too, which is all that the release before this table's digests knows.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("jti", Text, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("name", Text),
    Column("digest", Text),  # of the refresh token; none where a release before this one let in
    Column("previous_digest", Text),
    Column("rotated_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("address", Text),
    CheckConstraint("length(name) between 1 and 100", name="name"),
    Index(None, "user_id"),
    Index(None, "expires_at"),
)

# Failed logins by subject: "pair:<hash of the name>:<hash of the network>", "user:<hash of the
# name>", "network:<name>" or "site:<name>".
login_failures: Final = Table(
    "login_failures",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failed_at", DateTime(timezone=True), nullable=False),
    Column("blocked_until", DateTime(timezone=True)),
    Index(None, "last_failed_at"),
)

# Which networks a user has logged in from, as digests, and when that last forgave what had failed.
login_networks: Final = Table(
    "login_networks",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("network", Text, primary_key=True),
    moment("last_login_at"),
    moment("forgiven_at"),
    Index(None, "last_login_at"),
)

# What lets a user choose a password once: one open code each.
password_codes: Final = Table(
    "password_codes",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("purpose", Text, nullable=False),
    Column("created_by", BigInteger),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("purpose in ('invite', 'reset')", name="purpose"),
)

# Keys for machines; a trigger admits twenty a user.
api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    moment("created_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("id ~ '^[0-9a-f]{12}$'", name="id"),
    CheckConstraint("length(name) between 1 and 100", name="name"),
    CheckConstraint("role in ('viewer', 'editor')", name="role"),
    Index(None, "user_id"),
)

# Who did what, see lib/accounts/audit.py; nothing is referred to, as entries outlive all of it. A
# trigger says when, and the actor's name.
audit_log: Final = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    moment("at"),
    Column("actor_id", BigInteger),
    Column("actor", Text),
    Column("action", Text, nullable=False),
    Column("subject", Text),
    Column("address", Text),
    Column("request_id", Text),
    Column("details", JSON),
    Index(None, "at"),
    Index(None, "actor", "id"),
)
