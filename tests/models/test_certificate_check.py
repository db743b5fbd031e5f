"""A bundle is only read with the certificate that was made for it."""

import json

import pytest

from core.certificate_record import Certificate
from core.errors import BundleError
from core.fingerprint import of_text
from models.bundle import load_bundle, save_bundle
from models.bundle_facts import Papers
from models.certificate_check import Deciding, hashes_of
from models.families import files_of
from tests.core.test_certificate_record import certificate, refused, stratum
from tests.models.mf_bundle import facts_of, mf, router_of

SETTINGS = {"split": {"certify": 0.25}, "gateway": {"port": 6060}}
VERIFIER = {"pack": "medical_coding"}


def bound(*strata, router=None, **changes) -> Certificate:
    """A certificate for the bundle of `save`."""
    facts = facts_of()
    deciding = Deciding(
        files_of(router or mf()),
        facts.calibrator,
        facts.encoder_sha256,
        (facts.weak, facts.strong),
        facts.data_fingerprint,
        SETTINGS,
        VERIFIER,
    )
    return certificate(*strata, hashes=hashes_of(deciding), **changes)


def save(folder, paper, *, router=None, settings=SETTINGS, verifier=VERIFIER, **facts):
    facts = {"status": "certified", "thresholds": paper.thresholds} | facts
    papers = Papers(settings=settings, certificate=paper.model_dump(mode="json"), verifier=verifier)
    save_bundle(folder, facts_of(**facts), router=router or mf(), papers=papers)


def test_a_certified_bundle_reads_back_with_its_thresholds(tmp_path):
    paper = bound(stratum("law/high"), refused("tax/high"))
    save(tmp_path / "b", paper)

    bundle = load_bundle(tmp_path / "b")
    assert bundle.facts.status == "certified"
    assert bundle.thresholds == {"default": None, "law/high": 0.4, "tax/high": None}
    assert Certificate.model_validate(bundle.certificate) == paper


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"router": mf(router_of(seed=1))}, "another router"),
        ({"data_fingerprint": of_text("other")}, "another data"),
        ({"encoder_sha256": "d" * 64}, "another encoder"),
        ({"weak": "other"}, "another pair"),
        ({"settings": {"split": {"certify": 0.3}}}, "another settings"),
        ({"verifier": {"pack": "none"}}, "another verifier"),
        ({"thresholds": {"default": 0.5, "coding/high": 0.4}}, "not those of its certificate"),
        ({"thresholds": {"default": None, "coding/high": 0.5}}, "not those of its certificate"),
        ({"status": "not_certified"}, "says otherwise"),
    ],
)
def test_a_certificate_about_something_else_is_refused(tmp_path, changes, what):
    if "weak" in changes:
        changes = {**changes, "router": mf(weak="other")}
    with pytest.raises(BundleError, match=what):
        save(tmp_path / "b", bound(), **changes)


def test_where_the_bundle_is_served_is_not_what_the_certificate_is_about(tmp_path):
    save(tmp_path / "b", bound(), settings=SETTINGS | {"gateway": {"port": 7000}})

    assert load_bundle(tmp_path / "b").facts.status == "certified"


def test_a_certificate_of_which_nothing_is_certified_sends_everything_to_the_strong_model(tmp_path):
    save(tmp_path / "b", bound(refused("law/high")), status="not_certified")

    assert load_bundle(tmp_path / "b").thresholds == {"default": None, "law/high": None}


def test_a_certified_bundle_whose_certificate_does_not_read_is_refused(tmp_path):
    papers = Papers(settings=SETTINGS, certificate=json.loads('{"format": "preceptor/certificate/1"}'))

    with pytest.raises(BundleError, match="does not read"):
        save_bundle(tmp_path / "b", facts_of(status="certified"), router=mf(), papers=papers)
