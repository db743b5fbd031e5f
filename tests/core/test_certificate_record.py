from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from core.certificate_record import Certificate, PromiseTerms, StratumEvidence

MADE = datetime(2026, 11, 24, tzinfo=UTC)


def stratum(name="coding/high", **changes):
    facts = {
        "stratum": name,
        "max_loss": 0.02,
        "is_certified": True,
        "threshold": 0.4,
        "n": 300,
        "n_accepted": 150,
        "share_weak": 0.5,
        "harms": 0,
        "mean_loss": 0.0,
        "upper": 0.012,
        "p_value": 0.002,
        "delta": 0.025,
        "attempt": 1,
        "ledger_seq": 1,
        "why": "150 of 300 weak answers leave.",
    }
    return StratumEvidence.model_validate(facts | changes)


def refused(name):
    return stratum(name, is_certified=False, threshold=0.0, p_value=1.0)


def certificate(*strata, **changes):
    facts = {
        "promise": PromiseTerms(loss="harm", is_selective=False, delta=0.05),
        "strata": strata or (stratum(),),
        "path": "thousandths",
        "hashes": {},
        "created_at": MADE,
        "expires_at": MADE + timedelta(days=90),
        "voids": ("Another model.",),
    }
    return Certificate(**(facts | changes))


def test_what_is_not_certified_and_what_is_unknown_always_goes_to_the_strong_model():
    made = certificate(stratum("law/high"), refused("tax/high"), budgets={"law/low": 0.7})

    assert made.thresholds == {"default": None, "law/high": 0.4, "tax/high": None, "law/low": 0.7}
    assert made.is_certified
    assert not certificate(refused("tax/high")).is_certified


def test_a_certificate_ends_at_its_moment_and_not_before():
    made = certificate()

    assert not made.has_expired(MADE + timedelta(days=90, microseconds=-1))
    assert made.has_expired(MADE + timedelta(days=90))


@pytest.mark.parametrize(
    "broken",
    [
        lambda: certificate(stratum(p_value=0.03)),
        lambda: certificate(stratum(max_loss=None)),
        lambda: certificate(stratum(is_certified=False)),
        lambda: certificate(stratum(threshold=0.0)),
        lambda: certificate(stratum(), stratum()),
        lambda: certificate(stratum(), budgets={"coding/high": 0.3}),
        lambda: certificate(expires_at=MADE),
        lambda: certificate(created_at=datetime(2026, 11, 24)),
    ],
)
def test_a_certificate_that_contradicts_itself_does_not_exist(broken):
    with pytest.raises(ValidationError):
        broken()


def test_a_certificate_reads_back_as_it_was_written():
    made = certificate(budgets={"law/low": 0.7})

    assert Certificate.model_validate_json(made.model_dump_json()) == made
