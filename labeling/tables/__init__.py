"""The labeling tables on the shared store, by what they are about."""

from core.items import ITEMS
from core.unresolved import UNRESOLVED
from labeling.tables.content import ANSWERS, CLEARANCES, PAIRS, PHI_FINDINGS, REDACTIONS, SAMPLING
from labeling.tables.judgements import (
    ACKNOWLEDGEMENTS,
    ADJUDICATIONS,
    GUIDELINE_PROPOSALS,
    GUIDELINES,
    JUDGEMENTS,
    MARKS,
    QUALIFICATIONS,
    RETRACTIONS,
    REVEALS,
    counts,
    stands,
)
from labeling.tables.queueing import ASSIGNMENTS, DRAFTS, EXPERTS, FLAGS, GOLD, QUEUE, SELECTED, SELECTIONS
from labeling.tables.versions import DATASET_PAIRS, DATASET_ROWS, DATASET_RULINGS, DATASETS

__all__ = [
    "ACKNOWLEDGEMENTS",
    "ADJUDICATIONS",
    "ANSWERS",
    "ASSIGNMENTS",
    "CLEARANCES",
    "DATASETS",
    "DATASET_PAIRS",
    "DATASET_ROWS",
    "DATASET_RULINGS",
    "DRAFTS",
    "EXPERTS",
    "FLAGS",
    "GOLD",
    "GUIDELINES",
    "GUIDELINE_PROPOSALS",
    "ITEMS",
    "JUDGEMENTS",
    "MARKS",
    "PAIRS",
    "PHI_FINDINGS",
    "QUALIFICATIONS",
    "QUEUE",
    "REDACTIONS",
    "RETRACTIONS",
    "REVEALS",
    "SAMPLING",
    "SELECTED",
    "SELECTIONS",
    "UNRESOLVED",
    "counts",
    "stands",
]
