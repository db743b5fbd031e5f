"""Column types that the labeling tables share."""

import sqlalchemy as sa

HASH = sa.String(64)
NAME = sa.String(200)
MOMENT = sa.String(40)
KEY = sa.String(40)
"""A random identifier of ours."""
