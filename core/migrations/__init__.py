"""How stores of earlier releases become stores of this one; run by `preceptor store upgrade`, by Alembic underneath.

A new store is created whole and marked with `HEAD`. A store at another revision is refused until it is upgraded.
Revisions go forward only: the way back is the copy that was made before.

A release that changes a table adds a file to `versions/`, with the tables as they are then, written out, since what a
revision does never changes later. Whoever forgets it fails `tests/core/test_migrations.py`.
"""

HEAD = "0005"
"""The revision of this release: that of the last file in `versions/`."""

UNMARKED = "0001"
"""What a store is that has tables and no mark: releases before 0002 wrote none."""
