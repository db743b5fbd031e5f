"""The datasheet of a version, in Markdown: what it is for, what it holds, how it was made, what it lacks.

Written from the version alone, so the same version always gives the same text. Queries and answers never stand in it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from core.records import Stakes, Verdict
from labeling.frozen.dataset import About, Dataset, Rate

SMALL_SLICE = 30
"""A slice with fewer pairs is named as a gap: half of its width is 18 points or more on a rate."""

LIMITS = (
    "A screen for identifiers is not a de-identification.",
    "The pairs are those that were imported, chosen and reached; where inclusion probabilities are known, weight by "
    "their inverse before any claim about other queries.",
    "Quality is what experts of the guideline's version said, not what is true.",
)


def datasheet(dataset: Dataset, n: Mapping[str, int]) -> str:
    """The datasheet of a version of the newest format, with its counts."""
    about = dataset.about or About(data_class="deidentified", intended_use="")
    blocks = (
        _head(dataset, about),
        ["## Why", "", about.intended_use or "No use was declared."],
        _composition(dataset, n),
        _collection(dataset, about, n),
        _agreement(about, n),
        _sampling(dataset, about),
        _screening(about),
        _gaps(dataset),
        ["## What it is not", "", *(f"- {limit}" for limit in LIMITS)],
    )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(dataset: Dataset, about: About) -> list[str]:
    signature = f"{about.signed}" if about.signed else "Not signed."
    return [
        f"# {dataset.reference}",
        "",
        f"Frozen {dataset.frozen_at} by {dataset.frozen_by}, at event {dataset.ledger_seq} of the ledger.",
        f"Parent: {dataset.parent or 'none'}. Content: sha256 {dataset.content_sha256}.",
        "",
        f"**Signature.** {signature}",
        "",
        f"**Attestation.** {about.attestation or 'Nobody attested anything.'}",
    ]


def _composition(dataset: Dataset, n: Mapping[str, int]) -> list[str]:
    queries = [judged.pair.query for judged in dataset.pairs]
    return [
        "## What it holds",
        "",
        f"- {n['pairs']} pairs, {n['judgements']} judgements of {n['experts']} experts, who appear by pseudonym.",
        f"- {n['outcomes']} outcomes to learn from (`outcomes.jsonl`) and {n['audit_outcomes']} for audit "
        "(`audit.jsonl`), which no training reads. Source: expert.",
        f"- {n['rulings']} rulings (`rulings.jsonl`); each stands above the experts on its pair.",
        f"- {n['cannot_judge']} judgements say *cannot judge*; they are kept here and left out of the outcomes.",
        "",
        *_table("verdict", "judgements", ((str(verdict), n[str(verdict)]) for verdict in Verdict)),
        "",
        *_table("stratum", "pairs", _counted(query.stratum_name for query in queries)),
        "",
        *_table("stakes", "pairs", _counted(str(query.stakes) for query in queries)),
        "",
        *_table("domain", "pairs", _counted(query.domain for query in queries)),
    ]


def _collection(dataset: Dataset, about: About, n: Mapping[str, int]) -> list[str]:
    swapped = sum(judgement.swapped for judgement in dataset.judgements)
    marked = sum(judgement.first_acceptable is not None for judgement in dataset.judgements)
    versions = Counter(judgement.guideline_version for judgement in dataset.judgements)
    hashes = {guideline.version: guideline.sha256 for guideline in about.guidelines}
    known = sorted(version for version in versions if version is not None)
    lines = [f"  - version {one}: {versions[one]} judgements, sha256 {hashes.get(one, 'unknown')}" for one in known]
    rows = (
        (
            expert.pseudonym,
            _qualification(expert.qualification, expert.qualified_until),
            str(expert.n_judgements),
            _rate(expert.gold),
            _rate(expert.repeats),
        )
        for expert in about.experts
    )
    return [
        "## How it was judged",
        "",
        "- Blind: the screen never received the models' names.",
        f"- Sides were counterbalanced; the second answer stood left in {swapped} of {n['judgements']} judgements.",
        f"- {marked} of {n['judgements']} judgements mark the first answer acceptable or not; "
        "where a mark is missing, the verdict speaks.",
        f"- {n['pairs_judged_twice']} pairs were judged by two experts or more.",
        "- Quality of an answer: mean over experts of 1 (acceptable) or 0.",
        f"- Guideline: {versions[None]} judgements were made without one." if versions[None] else "- Guideline:",
        *lines,
        "",
        "| expert | qualification | judgements | hidden gold right | own verdict repeated |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _agreement(about: About, n: Mapping[str, int]) -> list[str]:
    rows = [
        f"| {one.stratum or '**all**'} | {one.n_items} | {one.raw} | {one.alpha} | {one.ac1} |"
        for one in about.agreement
    ]
    notes = [f"- {one.stratum or 'All'}: {one.note}" for one in about.agreement if one.note]
    return [
        "## Agreement on the verdict",
        "",
        f"Over the {n['pairs_judged_twice']} pairs judged by two experts or more, with 95 % intervals over pairs. "
        f"{about.release}".rstrip(),
        "",
        "| stratum | pairs | raw | Krippendorff's alpha (nominal) | Gwet's AC1 |",
        "|---|---|---|---|---|",
        *rows,
        *(["", *notes] if notes else []),
    ]


def _sampling(dataset: Dataset, about: About) -> list[str]:
    chances = [one.inclusion_probability for one in dataset.pairs if one.inclusion_probability is not None]
    spread = f", from {min(chances):.4g} to {max(chances):.4g}" if chances else ""
    drawings = [
        f"- Drawing {one.id} into the {one.stream} stream: {one.n_chosen} of {one.n_candidates} candidates, "
        f"seed {one.seed}, policy {one.policy}"
        for one in about.selections
    ]
    return [
        "## How queries were chosen",
        "",
        *_table("stream", "pairs", _counted(judged.stream for judged in dataset.pairs)),
        "",
        f"- The chance of inclusion is known for {len(chances)} of {len(dataset.pairs)} pairs{spread}; "
        "it is the product of the import's and the drawing's.",
        f"- {sum(judged.is_audit for judged in dataset.pairs)} pairs are kept for audit: those of the audit stream, "
        "and whatever shares a group or a text with an item of it.",
        *drawings,
    ]


def _screening(about: About) -> list[str]:
    found = about.screening
    kinds = sorted(found.items_by_kind.items())
    return [
        "## Identifiers",
        "",
        f"- Data class: {about.data_class}, the strictest of its items.",
        f"- {found.n_cleared} items were cleared by a person after a finding; texts of {found.n_masked} were masked, "
        "and stand here as the experts saw them.",
        f"- {found.n_left_out} judged pairs are left out, because their items are held back or excluded.",
        "",
        *(_table("kind found by the screen", "items", kinds) if kinds else ["The screen found nothing in its items."]),
    ]


def _gaps(dataset: Dataset) -> list[str]:
    queries = [judged.pair.query for judged in dataset.pairs]
    slices = {
        "stratum": Counter(query.stratum_name for query in queries),
        "stakes": Counter({str(stakes): 0 for stakes in Stakes}) + Counter(str(query.stakes) for query in queries),
        "domain": Counter(query.domain for query in queries),
    }
    routed = [stakes for stakes in Stakes if stakes < Stakes.CRITICAL]
    missing = [f"- stakes {stakes}: no pairs" for stakes in routed if not slices["stakes"][str(stakes)]]
    small = [
        f"- {kind} {name}: {number} pairs"
        for kind, counted in slices.items()
        for name, number in sorted(counted.items())
        if number < SMALL_SLICE
    ]
    found = [*missing, *small] or [f"Every slice has {SMALL_SLICE} pairs or more."]
    return ["## Gaps", "", f"Slices with fewer than {SMALL_SLICE} pairs; figures about them mean little.", "", *found]


def _table(what: str, number: str, rows: Iterable[tuple[str, int]]) -> list[str]:
    return [f"| {what} | {number} |", "|---|---|", *(f"| {_cell(name)} | {count} |" for name, count in rows)]


def _counted(names: Iterable[str]) -> Sequence[tuple[str, int]]:
    return sorted(Counter(names).items())


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _qualification(text: str | None, until: str | None) -> str:
    return "not recorded" if text is None else _cell(f"{text} (until {until})" if until else text)


def _rate(rate: Rate | None) -> str:
    return "none" if rate is None else f"{rate.n_right} of {rate.n} [{rate.low:.2f}, {rate.high:.2f}]"
