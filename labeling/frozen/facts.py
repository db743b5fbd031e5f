"""What is known of a version's experts, agreement, sampling and screening at the moment of freezing.

The figures are kept in the version as they are found here, so that later events cannot change them. Changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import sqlalchemy as sa

from assurance.agreement_figures import NO_LABEL, Measure
from assurance.agreement_report import AgreementReport, agreement_report, release_rule
from core.people_tables import PEOPLE
from core.records import Judgement
from labeling.frozen.dataset import (
    About,
    AgreementFacts,
    ExpertFacts,
    Guideline,
    JudgedPair,
    Rate,
    ScreeningFacts,
    SelectionFacts,
)
from labeling.quality import gold
from labeling.quality.overview import VERDICTS
from labeling.tables import (
    GUIDELINES,
    ITEMS,
    JUDGEMENTS,
    PAIRS,
    PHI_FINDINGS,
    REDACTIONS,
    SELECTED,
    SELECTIONS,
    counts,
    stands,
)

STRICTNESS = ("synthetic", "public", "deidentified", "limited", "identified")
"""Classes of texts, the strictest last."""

AGREEMENT_SEED = 20260713
"""Draws the resamples behind the intervals; any number would do, as long as it stays."""


def about_now(
    connection: sa.Connection, judgements: Sequence[Judgement], pairs: Sequence[JudgedPair], *, intended_use: str
) -> About:
    """What is known now of these judgements and pairs; experts stand in the judgements by pseudonym."""
    items = {judged.pair.query.id for judged in pairs}
    agreement, release = agreement_of_verdicts(judgements, pairs)
    return About(
        data_class=_strictest(connection, items),
        intended_use=intended_use,
        guidelines=_guidelines(connection, judgements),
        experts=_experts(connection, judgements),
        agreement=agreement,
        release=release,
        selections=_selections(connection, items),
        screening=_screening(connection, items),
    )


def agreement_of_verdicts(
    judgements: Sequence[Judgement], pairs: Sequence[JudgedPair]
) -> tuple[tuple[AgreementFacts, ...], str]:
    """Agreement on all verdicts and by stratum, and the sentence that says what it allows."""
    stratum_of = {judged.pair.id: judged.pair.query.stratum_name for judged in pairs}
    of_all = _report(judgements)
    strata = sorted(set(stratum_of.values()))
    found = [_agreement(None, of_all)]
    if len(strata) > 1:
        by_stratum: dict[str, list[Judgement]] = {stratum: [] for stratum in strata}
        for judgement in judgements:
            by_stratum[stratum_of[judgement.pair_id]].append(judgement)
        found += [_agreement(stratum, _report(by_stratum[stratum])) for stratum in strata]
    return tuple(found), release_rule(of_all.figures[Measure.ALPHA_NOMINAL]).sentence


def _report(judgements: Sequence[Judgement]) -> AgreementReport:
    told = [one for one in judgements if one.verdict in VERDICTS]
    row = {pair_id: number for number, pair_id in enumerate(sorted({one.pair_id for one in told}))}
    column = {expert: number for number, expert in enumerate(sorted({one.expert for one in told}))}
    table = np.full((len(row), len(column)), NO_LABEL)
    for one in told:
        table[row[one.pair_id], column[one.expert]] = VERDICTS.index(one.verdict)
    measures = (Measure.RAW, Measure.ALPHA_NOMINAL, Measure.AC1)
    rng = np.random.default_rng(AGREEMENT_SEED)
    return agreement_report(table, rng=rng, measures=measures, n_categories=len(VERDICTS))


def _agreement(stratum: str | None, report: AgreementReport) -> AgreementFacts:
    raw, alpha, ac1 = (report.figures[one] for one in (Measure.RAW, Measure.ALPHA_NOMINAL, Measure.AC1))
    notes = (report.caution, alpha.reason)
    return AgreementFacts(
        stratum=stratum,
        n_items=report.n_items,
        raw=str(raw),
        alpha=str(alpha),
        ac1=str(ac1),
        note=" ".join(note for note in notes if note),
    )


def _strictest(connection: sa.Connection, items: set[str]) -> str:
    rows = connection.execute(sa.select(ITEMS.c.id, ITEMS.c.data_class))
    classes = {row.data_class for row in rows if row.id in items}
    return max(classes, key=STRICTNESS.index, default="deidentified")


def _guidelines(connection: sa.Connection, judgements: Iterable[Judgement]) -> tuple[Guideline, ...]:
    used = {one.guideline_version for one in judgements}
    rows = connection.execute(sa.select(GUIDELINES.c.version, GUIDELINES.c.sha256).order_by(GUIDELINES.c.version))
    return tuple(Guideline(version=row.version, sha256=row.sha256) for row in rows if row.version in used)


def _experts(connection: sa.Connection, judgements: Sequence[Judgement]) -> tuple[ExpertFacts, ...]:
    n_of = Counter(judgement.expert for judgement in judgements)
    known = {name: _rounded(one) for name, one in gold.rates(connection).items()}
    repeats = _repeats(connection)
    people = connection.execute(sa.select(PEOPLE).order_by(PEOPLE.c.pseudonym))
    return tuple(
        ExpertFacts(
            pseudonym=person.pseudonym,
            qualification=person.qualification,
            qualified_until=person.qualified_until,
            n_judgements=n_of[person.pseudonym],
            gold=known.get(person.name),
            repeats=repeats.get(person.name),
        )
        for person in people
        if n_of[person.pseudonym]
    )


def _repeats(connection: sa.Connection) -> dict[str, Rate]:
    """Per expert, how many pairs that came back got the verdict that they had."""
    said = sa.select(JUDGEMENTS.c.pair_id, JUDGEMENTS.c.expert, JUDGEMENTS.c.verdict)
    again = connection.execute(said.where(stands(), JUDGEMENTS.c.purpose == "repeat")).all()
    if not again:
        return {}
    first = {(row.pair_id, row.expert): row.verdict for row in connection.execute(said.where(counts()))}
    known = [row for row in again if (row.pair_id, row.expert) in first]
    return _rates((row.expert, row.verdict == first[row.pair_id, row.expert]) for row in known)


def _rates(answers: Iterable[tuple[str, bool]]) -> dict[str, Rate]:
    said: dict[str, list[bool]] = {}
    for expert, is_right in answers:
        said.setdefault(expert, []).append(is_right)
    return {expert: _rounded(gold.rate(sum(each), len(each))) for expert, each in said.items()}


def _rounded(found: gold.Rate) -> Rate:
    low, high = (round(limit, 6) for limit in (found.share.low, found.share.high))
    return Rate(n_right=found.n_right, n=found.n, low=low, high=high)


def _selections(connection: sa.Connection, items: set[str]) -> tuple[SelectionFacts, ...]:
    rows = connection.execute(sa.select(SELECTED.c.item_id, SELECTED.c.selection_id))
    used = {row.selection_id for row in rows if row.item_id in items}
    return tuple(
        SelectionFacts(**{name: row._mapping[name] for name in SelectionFacts.model_fields})
        for row in connection.execute(sa.select(SELECTIONS).order_by(SELECTIONS.c.at, SELECTIONS.c.id))
        if row.id in used
    )


def _screening(connection: sa.Connection, items: set[str]) -> ScreeningFacts:
    found: Mapping[str, int] = Counter(
        row.kind
        for row in connection.execute(sa.select(PHI_FINDINGS.c.item_id, PHI_FINDINGS.c.kind))
        if row.item_id in items
    )
    cleared = connection.execute(sa.select(ITEMS.c.id).where(ITEMS.c.phi_state == "cleared")).scalars()
    masked = connection.execute(sa.select(REDACTIONS.c.item_id).distinct()).scalars()
    not_shown = sa.select(PAIRS.c.id).join(ITEMS).where(ITEMS.c.phi_state.in_(("held", "excluded")))
    left_out = sa.select(sa.func.count(JUDGEMENTS.c.pair_id.distinct())).where(
        counts(), JUDGEMENTS.c.pair_id.in_(not_shown)
    )
    return ScreeningFacts(
        items_by_kind=dict(sorted(found.items())),
        n_cleared=len(items.intersection(cleared)),
        n_masked=len(items.intersection(masked)),
        n_left_out=connection.execute(left_out).scalar_one(),
    )
