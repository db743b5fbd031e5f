"""Each gate passes, fails, and cannot run, as its evidence says."""

from datetime import timedelta

import pytest

from assurance.bootstrap import Interval
from core.errors import BundleError
from core.gate_settings import GateSettings
from pipeline.gates import CalibrationEvidence, InForce, SliceEvidence, gates_fingerprint, run_gates
from tests.core.test_certificate_record import MADE, certificate, refused, stratum
from tests.pipeline.test_promotion import GOOD

TWO = certificate(stratum("law/high"), refused("tax/high"))


def interval(low, high):
    return Interval(estimate=(low + high) / 2, low=low, high=high)


def gate(name, folder, evidence=GOOD, *, paper=None, days=1, check_bundle=lambda _: None):
    (folder / "evidence.json").write_text(evidence.model_dump_json())
    if paper is not None:
        (folder / "certificate.json").write_text(paper if isinstance(paper, str) else paper.model_dump_json())
    gates = run_gates(folder, check_bundle=check_bundle, in_force=InForce(MADE + timedelta(days=days)))
    (found,) = (one for one in gates if one.name == name)
    return found


def changed(**changes):
    return GOOD.model_copy(update=changes)


def under(**limits):
    gates = GateSettings(**limits)
    return {"gates": gates, "gates_sha256": gates_fingerprint(gates)}


def test_a_stratum_that_is_measurably_worse_than_the_base_fails_and_is_named(tmp_path):
    slices = (
        SliceEvidence(stratum="law/high", n=90, better_than_base=interval(0.1, 0.2)),
        SliceEvidence(stratum="tax/high", n=80, better_than_base=interval(-0.3, -0.06)),
    )

    found = gate("strata", tmp_path, changed(slices=slices))
    assert (found.result, "tax/high" in found.why, "law" in found.why) == ("fail", True, False)
    assert gate("strata", tmp_path, changed(slices=slices, **under(stratum_margin=0.1))).result == "pass"
    assert gate("strata", tmp_path, changed(slices=None)).result == "could not run"


def test_a_stratum_that_may_be_worse_is_named_and_does_not_fail(tmp_path):
    slices = (SliceEvidence(stratum="law/high", n=90, better_than_base=interval(-0.2, 0.3)),)

    found = gate("strata", tmp_path, changed(slices=slices))
    assert (found.result, "cannot be ruled out of law/high" in found.why) == ("pass", True)


def test_strata_with_few_rows_are_named_and_decide_nothing(tmp_path):
    slices = tuple(SliceEvidence(stratum=name, n=n, better_than_base=None) for name, n in (("a", 29), ("b", 30)))

    found = gate("slices", tmp_path, changed(slices=slices))
    assert (found.result, found.why) == ("note", "fewer than 30 test rows: a (29)")
    assert found.is_open


@pytest.mark.parametrize(("p_value", "result"), [(0.01, "pass"), (0.0099, "fail")])
def test_a_calibration_error_that_chance_hardly_makes_fails(tmp_path, p_value, result):
    evidence = changed(calibration=CalibrationEvidence(ece=0.1, null_high=0.06, p_value=p_value))

    assert gate("calibration", tmp_path, evidence).result == result
    assert gate("calibration", tmp_path, changed(calibration=None)).result == "could not run"


@pytest.mark.parametrize(
    ("agreement", "least", "result"),
    [
        ((), None, "note"),
        ((), 0.6, "could not run"),
        (("0.710 [0.640, 0.780] alpha, 300 pairs of v1",), None, "note"),
        (("0.710 [0.640, 0.780] alpha, 300 pairs of v1",), 0.6, "pass"),
        (("0.710 [0.640, 0.780] alpha", "0.510 [0.3, 0.6] alpha"), 0.6, "fail"),
        (("not defined: one answer alone alpha",), 0.6, "could not run"),
        (("-0.1 [-0.2, 0.1] alpha",), 0.0, "fail"),
    ],
)
def test_agreement_decides_only_where_a_least_one_is_asked_for(tmp_path, agreement, least, result):
    assert gate("agreement", tmp_path, changed(agreement=agreement, **under(min_agreement=least))).result == result


@pytest.mark.parametrize(
    ("paper", "days", "result", "words"),
    [
        (None, 1, "note", "nothing is promised about harm"),
        (TWO, 1, "pass", "law/high certified until 2027-02-22; always strong: tax/high"),
        (certificate(), 90, "fail", "it ended on 2027-02-22"),
        (certificate(refused("law/high")), 1, "fail", "no stratum is certified"),
        ("{}", 1, "fail", "does not read"),
    ],
)
def test_a_certificate_must_hold_where_one_was_made(tmp_path, paper, days, result, words):
    found = gate("certificate", tmp_path, paper=paper, days=days)

    assert found.result == result
    assert words in found.why


def test_limits_that_do_not_fit_their_hash_or_have_none_are_refused(tmp_path):
    assert gate("limits", tmp_path).result == "pass"
    assert gate("limits", tmp_path, changed(gates=GateSettings(stratum_margin=0.5))).result == "fail"
    assert gate("limits", tmp_path, changed(gates_sha256=None)).result == "could not run"


def test_a_bundle_that_does_not_load_fails_its_first_gate(tmp_path):
    def refuse(_):
        raise BundleError("The certificate is about another router. Certify this one.")

    assert gate("manifest", tmp_path, check_bundle=refuse).result == "fail"
