"""What an import found, or in a dry run would do: counts and ids, never a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MINUTES_A_PAIR = (2.0, 4.0)
"""How long an expert takes for a pair, from quick to slow; measure your own once some are judged."""


@dataclass(frozen=True)
class Column:
    """A field of the rows, what it is read as (None: passed over), and in how many rows it stands."""

    name: str
    read_as: str | None
    n_rows: int


@dataclass(frozen=True)
class NearDuplicate:
    """Two items of different groups with nearly the same query: a split may put them on both sides."""

    first: str
    second: str
    similarity: float
    crosses_audit: bool
    """One is in the audit stream, which training never sees, and the other is not."""


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or in a dry run would do."""

    n_rows: int = 0
    n_new: int = 0
    n_duplicates: int = 0
    """Pairs that stand already with the same texts; they are skipped."""
    n_same_question: int = 0
    """New items whose query stands under another id too, but for case, blanks and signs; they are imported."""
    near_duplicates: tuple[NearDuplicate, ...] = ()
    """Those across the audit stream first, then the most similar; at most 200 are named."""
    n_near_duplicates: int = 0
    held: tuple[str, ...] = ()
    """Ids of items with findings; nobody is shown them until a person decides."""
    items_by_phi_kind: Mapping[str, int] = field(default_factory=dict)
    phi_by_item: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Findings by item and kind; where the class of texts holds nothing back they are only reported."""
    names_a_model: tuple[str, ...] = ()
    """Ids of items in which an answer tells who wrote it; experts are shown it struck out."""
    columns: tuple[Column, ...] = ()
    pairs_by_stakes: Mapping[str, int] = field(default_factory=dict)
    pairs_by_stratum: Mapping[str, int] = field(default_factory=dict)
    n_judgements_wanted: int = 0
    expert_hours: tuple[float, float] = (0.0, 0.0)
    """Hours of all experts together for the new pairs, from quick to slow."""
    not_asked: tuple[str, ...] = ()
    """Rows left out because a model gave no answer to them."""
    faults: tuple[str, ...] = ()
    """`file:line: what is wrong`; a file with one is not imported."""

    @property
    def can_be_imported(self) -> bool:
        """Whether nothing stands against importing."""
        return not self.faults

    @property
    def fields_not_used(self) -> tuple[str, ...]:
        """Fields that no row's reading takes up."""
        used = {column.name for column in self.columns if column.read_as is not None}
        return tuple(sorted({column.name for column in self.columns} - used))
