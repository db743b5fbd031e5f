"""What a request tells beside its body. None of it may weaken a check: it groups, it raises, it never lowers."""

from typing import NamedTuple


class Told(NamedTuple):
    """Headers that mean something here, and who asks."""

    stakes: str | None = None
    """`x-preceptor-stakes`: may raise the tier."""
    session: str | None = None
    """`x-session-id`: the turns of one conversation."""
    task: str | None = None
    """`x-preceptor-task`: the requests of one piece of work, retries too. Kept as a hash."""
    key_id: str | None = None
    """The bearer key's id."""
    least_stakes: str | None = None
    """What the bearer key says of all that it asks."""
