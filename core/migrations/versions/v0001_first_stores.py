"""The stores of the first releases, which carried no mark. There is nothing to do: it is where 0002 starts."""

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing: these stores were created whole."""
