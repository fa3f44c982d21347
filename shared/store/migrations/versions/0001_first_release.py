"""First release: every table.

Runs before the new code is deployed. Reversible only by dropping everything.
"""

from alembic import op

from shared.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables as they are defined now; from the first release on this file must spell them out."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Drop all tables."""
    metadata.drop_all(op.get_bind())
