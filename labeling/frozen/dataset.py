"""The records of a frozen dataset version: pairs, judgements, rulings, and what was known of them when it was frozen.

Everything that later events could change (who was qualified, what was in which stream, what agreement was) is kept in
the version itself, so that its bytes never depend on the day they are written. Reads no store and writes no file.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

from core.records import InclusionProbability, Judgement, Pair, Record, Weight
from core.signatures import Signature, manifestation
from labeling.quality.consensus import JointConsensus
from labeling.quality.rulings import Ruling

FORMAT = 3
"""Rises when the files' bytes change; versions frozen in an older format are written again in that one.

1: as 2, but outcomes without `n_experts`.
2: judgements without strength, reason codes, marks, guideline and wall time; no rulings, consensus or audit split.
"""

PART_OF_AUDIT = {False: "train", True: "audit"}
"""What the rows of a version are for, by whether they are of the audit split."""


class JudgedPair(Record):
    """A pair, which of its models is which, how its query was chosen, and whether it is kept for audit."""

    pair: Pair
    weak: str | None = None
    strong: str | None = None
    weight: Weight = 1.0
    inclusion_probability: InclusionProbability | None = None
    stream: str = "plain"
    is_audit: bool = False
    consensus: JointConsensus | None = None
    """What its judgements said together when the version was frozen."""

    @property
    def sampling(self) -> dict[str, float]:
        """Weight and inclusion probability, each where it was given."""
        given = {} if self.weight == 1 else {"weight": self.weight}
        known = self.inclusion_probability
        return given if known is None else {**given, "inclusion_probability": known}


class Guideline(Record):
    """A version of the instructions under which judgements were made."""

    version: int
    sha256: str


class Signed(Record):
    """Who signed the version, when, and what it means: the part of the signature that people read."""

    person: str
    meaning: str
    method: str
    at: str

    def __str__(self) -> str:
        """The manifestation, as `core.signatures` words it."""
        blank = {"id": "", "record_kind": "", "record_id": "", "record_sha256": "", "sha256": ""}
        return manifestation(Signature(**blank, **self.model_dump()))


class Rate(Record):
    """A count of successes and its share with exact 95 % limits."""

    n_right: int
    n: int
    low: float
    high: float


class ExpertFacts(Record):
    """What is known of one expert, who appears by pseudonym."""

    pseudonym: str
    qualification: str | None = None
    qualified_until: str | None = None
    n_judgements: int
    gold: Rate | None = None
    """Verdicts on hidden pairs with a known answer."""
    repeats: Rate | None = None
    """Own earlier verdicts that were given again, sides swapped."""


class AgreementFacts(Record):
    """Agreement on the verdicts of one stratum, or of all: each figure as it is printed, with its interval."""

    stratum: str | None
    n_items: int
    raw: str
    alpha: str
    ac1: str
    note: str = ""


class SelectionFacts(Record):
    """A drawing of pairs into a stream from which the version holds some."""

    id: str
    stream: str
    policy: str
    seed: int
    n_candidates: int
    n_chosen: int


class ScreeningFacts(Record):
    """What the screen for identifiers found in the version's items, by kind, and what people decided."""

    items_by_kind: Mapping[str, int] = {}
    n_cleared: int = 0
    n_masked: int = 0
    n_left_out: int = 0
    """Judged pairs of items that are held back or excluded: they are not in the version."""


class About(Record):
    """What was known when the version was frozen."""

    data_class: Literal["synthetic", "public", "deidentified", "limited", "identified"]
    intended_use: str
    guidelines: tuple[Guideline, ...] = ()
    experts: tuple[ExpertFacts, ...] = ()
    agreement: tuple[AgreementFacts, ...] = ()
    release: str = ""
    """What agreement allows, as a sentence."""
    selections: tuple[SelectionFacts, ...] = ()
    screening: ScreeningFacts = ScreeningFacts()
    attestation: str | None = None
    signed: Signed | None = None


class Dataset(Record):
    """A version's content and lineage."""

    format: int = FORMAT
    name: str
    version: int
    frozen_at: str
    frozen_by: str
    content_sha256: str
    parent: str | None
    ledger_seq: int
    ledger_hash: str
    about: About | None = None
    """None in versions of format 1 and 2."""
    pairs: tuple[JudgedPair, ...]
    judgements: tuple[Judgement, ...]
    rulings: tuple[Ruling, ...] = ()

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def data_class(self) -> str:
        """The strictest class of the texts in it; older formats did not say, and count as de-identified."""
        return self.about.data_class if self.about else "deidentified"

    def judgements_by_pair(self) -> dict[str, list[Judgement]]:
        """Judgements of each pair id."""
        grouped: dict[str, list[Judgement]] = defaultdict(list)
        for judgement in self.judgements:
            grouped[judgement.pair_id].append(judgement)
        return grouped

    def ruling_by_pair(self) -> dict[str, Ruling]:
        """The ruling of each pair id that has one."""
        return {ruling.pair_id: ruling for ruling in self.rulings}

    def lineage(self) -> dict[str, Any]:
        """The fields that the manifest shows first, in order."""
        names = ("name", "version", "frozen_at", "frozen_by", "content_sha256", "parent", "ledger_seq", "ledger_hash")
        return self.model_dump(mode="json", include=set(names))
