"""Which weak answers of a run's rows pass the recheck that the gateway will make: the same checks, same texts."""

from collections.abc import Collection, Mapping

from core.outcomes import read_outcomes
from core.records import Stakes
from core.settings import RunSettings
from verifiers.case import Case
from verifiers.chain import run_chain
from verifiers.packs import checks_of


def passed_recheck(settings: RunSettings, ids: Collection[str]) -> Mapping[str, bool]:
    """Per id, whether the weak answer may leave at high stakes; rows without its text are left out.

    Empty where settings name no checks: nothing passes then, and nothing is known of these rows.
    """
    if settings.verifiers.pack == "none":
        return {}
    checks, weak = checks_of(settings.verifiers.pack), settings.pair.weak.name
    found: dict[str, bool] = {}
    for outcome in read_outcomes(settings.data.all_files):
        answer = outcome.results.get(weak)
        if outcome.query.id in ids and answer is not None and answer.text is not None:
            case = Case(query=outcome.query, answer=answer.text)
            found[outcome.query.id] = run_chain(checks, case).releases(Stakes.HIGH)
    return found
