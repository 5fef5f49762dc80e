"""The networks that users have logged in from.

It only adds: the revision that runs meanwhile goes on counting failed logins in the same table.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.get_bind().exec_driver_sql("""
        create table login_networks (
            user_id bigint not null
                constraint login_networks_user_id_fkey references users (id) on delete cascade,
            network text not null,
            last_login_at timestamptz not null default now(),
            forgiven_at timestamptz not null default now(),
            constraint login_networks_pkey primary key (user_id, network)
        );
        create index login_networks_last_login_at_idx on login_networks (last_login_at);
    """)


def downgrade() -> None:
    """Drop it; everybody's networks are unknown again."""
    op.get_bind().exec_driver_sql("drop table login_networks")
