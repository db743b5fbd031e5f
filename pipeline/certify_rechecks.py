"""Which weak answers of a run's rows pass the recheck that the gateway will make: the same free checks, same texts.

Checks that ask models are left out, and those that read log-probabilities, which rows do not hold: they only stop more.
"""

from collections.abc import Collection, Mapping

from core.outcomes import read_outcomes
from core.records import Stakes
from core.settings import RunSettings
from verifiers.assembling import NO_PACK, free_recheck_of
from verifiers.case import Case
from verifiers.chain import run_chain


def passed_recheck(settings: RunSettings, ids: Collection[str]) -> Mapping[str, bool]:
    """Per id, whether the weak answer may leave at high stakes; rows without its text are left out.

    Empty where settings name no checks: nothing passes then, and nothing is known of these rows.
    """
    if settings.verifiers.pack == NO_PACK:
        return {}
    recheck, weak = free_recheck_of(settings.verifiers), settings.pair.weak.name
    found: dict[str, bool] = {}
    for outcome in read_outcomes(settings.data.all_files):
        answer = outcome.results.get(weak)
        if outcome.query.id in ids and answer is not None and answer.text is not None:
            case = Case(query=outcome.query, answer=answer.text)
            found[outcome.query.id] = run_chain(recheck.checks, case, limits=recheck.limits).releases(Stakes.HIGH)
    return found
