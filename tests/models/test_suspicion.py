"""The classifier of (question, weak answer): what it reads, how it travels in a bundle, and what it refuses."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.certificate_record import Certificate, PromiseTerms, StratumEvidence
from core.errors import BundleError, NotEnoughLabels
from models.answer_conclusion import conclusion_of
from models.answer_looks import FEATURES, answer_looks
from models.bundle import load_bundle, save_bundle
from models.bundle_facts import BundleFacts, Papers
from models.certificate_check import Deciding, hashes_of
from models.encoders import EncoderSpec
from models.families import files_of
from models.file_tree import files_in
from models.pair_fit import fit_pair
from models.pair_router import CLOSENESS, pair_vectors
from models.pair_text import MOST_CHARACTERS, SEPARATOR, pair_text, parted
from models.suspicion import Suspicion, SuspicionFacts, threshold_for, vectors_of
from models.words import fit_words

QUESTION = "Which code fits?\nA. asthma\nB. sinusitis\nC. none of the above"
SURE, UNSURE = (
    "The finding is classic for asthma. The answer is A.",
    "It might be sinusitis, but perhaps not. However, B may fit.",
)


class HashEncoder:
    """A real encoder of a kind: a unit vector made of the text's hash."""

    spec = EncoderSpec()
    sha256 = "e" * 64
    dimension = 6
    n_truncated = 0

    def encode(self, texts):
        rows = [list(hashlib.sha256(text.encode()).digest()[:6]) for text in texts]
        vectors = np.array(rows, dtype=np.float32).reshape(-1, 6) + 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def judged(n=60):
    """Pair texts whose unsure answers are wrong."""
    texts = [pair_text(f"{QUESTION}\nCase {i}", SURE if i % 2 else UNSURE) for i in range(n)]
    return texts, np.array([-1.0 if i % 2 else 1.0 for i in range(n)])


def pair_suspicion(tau=0.5):
    texts, lean = judged()
    vectors = pair_vectors(HashEncoder(), texts)
    router = fit_pair(texts, vectors, lean, groups=np.arange(60), weights=np.ones(60)).router
    facts = SuspicionFacts(
        family="pair", tau=tau, pass_share=0.8, encoder=EncoderSpec(), encoder_sha256="e" * 64, n_labels=60
    )
    return Suspicion(facts, router, HashEncoder)


def words_suspicion(tau=0.5):
    texts, lean = judged()
    router = fit_words(texts, lean)[0]
    return Suspicion(SuspicionFacts(family="words", tau=tau, pass_share=0.8, n_labels=60), router, HashEncoder)


def facts_of(**changes):
    return BundleFacts(
        **{
            "name": "coding",
            "family": "words",
            "weak": "cheap",
            "strong": "dear",
            "encoder": None,
            "encoder_sha256": None,
            "thresholds": {"default": 0.5},
            "settings_fingerprint": "s" * 64,
            "data_fingerprint": "d" * 64,
            "created_at": datetime(2026, 11, 24, tzinfo=UTC),
        }
        | changes
    )


def words_router():
    return fit_words(["net loss", "net gain"] * 10, np.array([1.0, -1.0] * 10))[0]


@given(st.text(max_size=60), st.text(max_size=60))
def test_nobody_can_write_a_text_that_reads_as_another_pair(question, answer):
    text = pair_text(question, answer)

    assert text.count(SEPARATOR) == 1
    assert parted(text) == (question.replace(SEPARATOR, " "), answer.replace(SEPARATOR, " "))


def test_a_text_beyond_the_limit_loses_its_middle():
    question, answer = parted(pair_text("q", "start " + "x" * 50_000 + " the answer is B"))

    assert question == "q"
    assert (answer[:6], answer[-15:]) == ("start ", "the answer is B")
    assert len(answer) == MOST_CHARACTERS + 1


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ('{"step_by_step_thinking": "It wheezes.", "answer_choice": "A"}', "A"),
        ('{"thinking": "...", "answer": "B. sinusitis"}', "B"),
        ("Reasoning.\nThe correct answer is (B).", "B"),
        ("It could be A. Therefore the answer is asthma.", "A"),
        ("#### C", "C"),
        ("Sinusitis, I would say", "B"),
        ('{"thinking": "Both fit.", "answer_choice": "A/B"}', None),
        ("A patient like this needs more tests.", None),
        ("", None),
    ],
)
def test_the_conclusion_names_the_option_that_the_answer_names(answer, chosen):
    assert conclusion_of(QUESTION, answer).chosen == chosen


def test_a_question_without_options_has_no_chosen_one():
    found = conclusion_of("What was revenue in 2019?", "The answer is $4.2 million.")

    assert (found.chosen, found.options, found.stated) == (None, {}, "$4.2 million.")


def test_hedges_and_support_are_counted():
    sure, unsure = (
        dict(zip(FEATURES, row, strict=True)) for row in answer_looks([(QUESTION, SURE), (QUESTION, UNSURE)]).tolist()
    )

    assert sure["hedges"] == 0
    assert unsure["hedges"] == pytest.approx(np.log1p(3))  # might, perhaps, may
    assert (sure["letter_a"], sure["chosen_supported"], sure["other_supported"]) == (1, 1, 0)


@given(st.text(max_size=200), st.text(max_size=200))
def test_looks_are_finite_whatever_the_texts(question, answer):
    assert np.isfinite(answer_looks([(question, answer)])).all()


def test_it_learns_that_hedging_answers_are_wrong_and_tells_held_out_ones_apart():
    texts, lean = judged()
    fit = fit_pair(texts, pair_vectors(HashEncoder(), texts), lean, groups=np.arange(60), weights=np.ones(60))

    assert fit.held_out[lean > 0].min() > fit.held_out[lean < 0].max()


def test_how_close_the_options_lie_is_measured_and_is_nothing_where_there_are_none():
    encoder = HashEncoder()
    texts = [pair_text(QUESTION, "The answer is A."), pair_text("Why?", "Because.")]
    with_options, without = pair_vectors(encoder, texts)[:, -len(CLOSENESS) :]
    question, answer, chosen = encoder.encode([QUESTION, "The answer is A.", "asthma"])

    assert dict(zip(CLOSENESS, with_options, strict=True))["chosen_to_question"] == pytest.approx(chosen @ question)
    assert dict(zip(CLOSENESS, with_options, strict=True))["question_to_answer"] == pytest.approx(question @ answer)
    assert without[:-1].tolist() == [0.0] * 8


def test_answers_of_one_kind_teach_nothing():
    texts, _ = judged()

    with pytest.raises(NotEnoughLabels, match="60 judged answers of 1 kinds"):
        fit_pair(texts, pair_vectors(HashEncoder(), texts), np.ones(60), groups=np.arange(60), weights=np.ones(60))


def test_what_cannot_be_scored_is_above_every_threshold():
    class Broken(HashEncoder):
        def encode(self, texts):
            return np.full((len(texts), 6), np.nan, dtype=np.float32)

    broken = dataclasses.replace(pair_suspicion(), encoder=Broken)

    assert broken.of([(QUESTION, SURE)]).tolist() == [1.0]
    assert threshold_for(np.ones(5), 0.8) < 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from([0.5, 0.6, 0.8, 0.9]))
def test_the_threshold_lets_at_least_its_share_pass(suspicion, share):
    values = np.minimum(suspicion, 0.999)

    assert np.mean(values <= threshold_for(values, share)) >= share - 1e-9


@pytest.mark.parametrize("make", [pair_suspicion, words_suspicion])
def test_a_bundle_gives_the_classifier_back_to_the_bit(tmp_path, make):
    suspicion, pairs = make(), [(QUESTION, SURE), (QUESTION, UNSURE), ("", "")]
    save_bundle(tmp_path / "b", facts_of(), router=words_router(), suspicion=suspicion)
    bundle = load_bundle(tmp_path / "b")
    loaded = dataclasses.replace(bundle.suspicion, encoder=HashEncoder)

    assert loaded.of(pairs).tobytes() == suspicion.of(pairs).tobytes()
    assert loaded.of(pairs)[1] > loaded.of(pairs)[0]
    assert sorted(files_in(tmp_path / "b" / "verifier")) == sorted(suspicion.to_files())


def test_a_bundle_without_one_suspects_everything_and_asks_nothing(tmp_path):
    save_bundle(tmp_path / "b", facts_of(), router=words_router())
    bundle = load_bundle(tmp_path / "b")

    assert bundle.suspicion is None
    assert bundle.suspicions([(QUESTION, SURE)]).tolist() == [1.0]
    assert bundle.tau("law/high") is None


def test_an_altered_classifier_is_refused(tmp_path):
    save_bundle(tmp_path / "b", facts_of(), router=words_router(), suspicion=words_suspicion())
    path = tmp_path / "b" / "verifier" / "suspicion.json"
    path.write_text(path.read_text().replace('"tau": 0.5', '"tau": 0.9'))

    with pytest.raises(BundleError, match=r"altered: verifier/suspicion\.json"):
        load_bundle(tmp_path / "b")


def certified_papers(suspicion, tau=0.3):
    """Papers with a certificate that counts on this classifier."""
    router = words_router()
    hashes = hashes_of(
        Deciding(
            files_of(router),
            facts_of().calibrator,
            None,
            ("cheap", "dear"),
            "d" * 64,
            {},
            None,
            {} if suspicion is None else suspicion.to_files(),
        )
    )
    stratum = StratumEvidence(
        stratum="law/standard",
        max_loss=0.05,
        is_certified=True,
        threshold=0.4,
        n=100,
        n_accepted=50,
        share_weak=0.5,
        harms=0,
        mean_loss=0.0,
        upper=0.03,
        p_value=0.01,
        delta=0.05,
        attempt=1,
        ledger_seq=1,
        why="",
        tau=tau,
    )
    certificate = Certificate(
        promise=PromiseTerms(loss="harm", is_selective=False, delta=0.05),
        strata=(stratum, stratum.model_copy(update={"stratum": "law/low", "tau": None})),
        path="",
        hashes=hashes,
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        voids=(),
    )
    facts = facts_of(status="certified", thresholds=certificate.thresholds)
    return facts, router, Papers(certificate=certificate.model_dump(mode="json"))


def test_the_certificates_threshold_holds_in_the_strata_that_it_tried_and_the_runs_elsewhere(tmp_path):
    suspicion = words_suspicion(tau=0.5)
    facts, router, papers = certified_papers(suspicion)
    save_bundle(tmp_path / "b", facts, router=router, papers=papers, suspicion=suspicion)
    bundle = load_bundle(tmp_path / "b")

    assert bundle.tau("law/standard") == 0.3
    assert bundle.tau("law/low") is None  # certified with it off
    assert bundle.tau("law/high") == 0.5
    assert bundle.tau("tax/low") is None  # low stakes leave unchecked


@pytest.mark.parametrize("carried", [None, words_suspicion(tau=0.51)], ids=["none", "another"])
def test_a_certificate_that_counts_on_one_classifier_refuses_another_and_none(tmp_path, carried):
    facts, router, papers = certified_papers(words_suspicion(tau=0.5))

    with pytest.raises(BundleError, match=r"counts on a classifier|about another suspicion"):
        save_bundle(tmp_path / "b", facts, router=router, papers=papers, suspicion=carried)


def test_a_certificate_made_without_a_classifier_refuses_a_bundle_with_one(tmp_path):
    facts, router, papers = certified_papers(None)

    save_bundle(tmp_path / "without", facts, router=router, papers=papers)
    with pytest.raises(BundleError, match="about another suspicion"):
        save_bundle(tmp_path / "with", facts, router=router, papers=papers, suspicion=words_suspicion())


def test_a_classifier_that_reads_vectors_shares_the_routers_encoder_or_checks_its_own(tmp_path):
    suspicion = pair_suspicion()
    save_bundle(tmp_path / "b", facts_of(), router=words_router(), suspicion=suspicion)

    with pytest.raises(BundleError, match="was trained with encoder eeeeeeeeeeee"):
        load_bundle(tmp_path / "b").suspicions([(QUESTION, SURE)])


def test_vectors_are_of_the_pair_for_the_pair_router_and_of_the_text_for_others():
    texts, _ = judged(4)

    assert vectors_of(pair_suspicion().router, HashEncoder, texts).shape == (4, 12 + len(CLOSENESS))
    assert vectors_of(words_suspicion().router, HashEncoder, texts).shape == (4, 6)


def test_a_classifier_of_words_or_pairs_loads_and_scores_without_torch(tmp_path):
    save_bundle(tmp_path / "b", facts_of(), router=words_router(), suspicion=words_suspicion())
    code = (
        "import sys, json; from pathlib import Path; from models.bundle import load_bundle\n"
        f"bundle = load_bundle(Path({str(tmp_path / 'b')!r}))\n"
        "print(json.dumps([float(bundle.suspicions([('a', 'b')])[0]), 'torch' in sys.modules]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    suspicion, has_torch = json.loads(said)

    assert 0 <= suspicion <= 1
    assert has_torch is False
