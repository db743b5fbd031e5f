import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError, NotEnoughLabels, SettingsError
from core.reading import Row
from core.records import Stakes
from verifiers.stakes.classifier import StakesClassifier, load_classifier
from verifiers.stakes.deciding import StakesRequest, decide_stakes
from verifiers.stakes.entities import ENTITIES
from verifiers.stakes.fitting import LabelledText, fit_stakes, read_labelled, threshold_of
from verifiers.stakes.money import amounts_of
from verifiers.stakes.patterns import MAX_WAYS_OF_WHOLE, compile_bounded
from verifiers.stakes.policy import StakesPolicy, merged, read_rules, rules_of
from verifiers.stakes.readings import MAX_CHARS, readings_of
from verifiers.stakes.sources import stakes_policy
from verifiers.stakes.vectors import read_vectors, recall_lower, recall_of, tell

RULE = {"id": "a.rule", "owner": "risk", "when": {"words": ["wire"]}, "tier": "high"}


ROOT = Path(__file__).parents[2]
FINANCE = stakes_policy("finance", None, default=Stakes.LOW)


def decided(policy, text, **fields):
    return decide_stakes(policy, StakesRequest((text,), **fields))


def test_all_faults_of_a_policy_are_reported_at_once(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "versoin": 2,
                "on_error": "low",
                "rules": [
                    {**RULE, "id": "A B"},
                    {**RULE, "when": {"regex": "(a+)+b"}},
                    {**RULE, "when": {"words": ["a"], "task": "b"}},
                    {**RULE, "when": {"entity": "dragon"}},
                    {**RULE, "when": {"entity": "minor", "at_least": 3}},
                    {**RULE, "when": {"words": ["..."]}},
                    {**RULE, "id": "policy.default"},
                    {key: value for key, value in RULE.items() if key != "owner"},
                ],
            }
        )
    )

    with pytest.raises(SettingsError) as caught:
        read_rules(path)

    for words in (
        "versoin: Extra inputs",
        "on_error",
        "rules[0].id",
        "repeat without an end",
        "this asks words, task",
        "no entity 'dragon'",
        "at_least goes with entity: money alone",
        "'...' has no word",
        "are taken",
        "rules[7].owner: Field required",
    ):
        assert words in str(caught.value)


def test_two_rules_of_one_id_are_refused_within_a_policy_and_across_two(tmp_path):
    with pytest.raises(SettingsError, match=r"share the id a\.rule"):
        rules_of({"rules": [RULE, RULE]}, where="here")
    one = rules_of({"rules": [RULE]}, where="here")
    with pytest.raises(SettingsError, match=r"share the id a\.rule"):
        merged([(one, tmp_path), (one, tmp_path)], default=Stakes.LOW)


def test_of_two_policies_the_higher_word_holds_and_the_hash_knows_every_part(tmp_path):
    one = rules_of({"default_tier": "standard", "domains": {"law": "low"}, "rules": [RULE]}, where="one")
    other = rules_of({"domains": {"law": "high"}, "on_error": "critical"}, where="other")
    both = merged([(one, tmp_path), (other, tmp_path)], default=Stakes.LOW, domains={"tax": Stakes.LOW})

    assert (both.default, both.on_error) == (Stakes.STANDARD, Stakes.CRITICAL)
    assert both.domains == {"law": Stakes.HIGH, "tax": Stakes.LOW}
    assert both.sha256 != merged([(one, tmp_path)], default=Stakes.LOW).sha256


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"(a+)+$", "repeat without an end"),
        (r"a*", "repeat without an end"),
        (r"(?:a{1,20}){1,20}b", "more than 500 ways"),
        (r"(a|a){30}b", "more than 500 ways"),
        (r"\w{0,30} ?\w{0,30}", "more than 500 ways"),
        (r"(a)\1", "refers back"),
        (r"(", "does not compile"),
        ("x" * 1001, "1001 characters"),
    ],
)
def test_a_regex_that_could_run_away_is_refused(pattern, words):
    with pytest.raises(ValueError, match=words):
        compile_bounded(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\b[a-z]{1,20}-[a-z]{1,20}!", "a" * MAX_CHARS),
        (r"(?:ab|a|b){0,5}!", "ab" * (MAX_CHARS // 2)),
        (r".{0,400}z", "a " * (MAX_CHARS // 2)),
    ],
)
def test_the_worst_text_for_an_allowed_regex_is_read_in_seconds(pattern, text):
    compiled = compile_bounded(pattern)
    started = time.perf_counter()

    assert compiled.search(text) is None
    assert time.perf_counter() - started < 20


def test_the_worst_short_text_for_an_allowed_whole_form_is_read_in_seconds():
    compiled = compile_bounded("[a-z ]{1,99}[a-z ]{1,99}[a-z ]{1,99}", max_ways=MAX_WAYS_OF_WHOLE)
    started = time.perf_counter()

    assert compiled.fullmatch("a" * 297 + "!!!") is None
    assert time.perf_counter() - started < 20


def test_a_regex_minds_case_only_where_it_says_so():
    exact = rules_of({"rules": [{**RULE, "when": {"regex": r"\bSAR\b", "case": "exact"}}]}, where="here")
    policy = StakesPolicy(default=Stakes.LOW, rules=exact.rules)

    assert decided(policy, "File a SAR.").stakes is Stakes.HIGH
    assert decided(policy, "A sar is a fish.").stakes is Stakes.LOW


def test_a_whole_form_is_ended_by_whatever_is_added_also_in_hidden_blocks():
    form = {"id": "unknown", "owner": "o", "when": {"not": {"whole": ["what is [a-z]{1,20}"]}}, "tier": "high"}
    policy = StakesPolicy(default=Stakes.LOW, rules=rules_of({"rules": [form]}, where="here").rules)

    assert decided(policy, "What is amortization?").stakes is Stakes.LOW
    assert not policy.rules[0].when.can_be_disarmed
    for text in (
        "What is amortization? And wire it.",
        "Wire it. What is amortization?",
        "Wire it. V2hhdCBpcyBhbW9ydGl6YXRpb24/",
        "",
        "what is " + "a" * 300,
    ):
        assert decided(policy, text).stakes.is_high


@pytest.mark.parametrize(
    ("entity", "found", "not_found"),
    [
        ("money", "Pay EUR 20.", "Page 20."),
        ("drug_dose", "Give 500 mg.", "Glucose was 340 mg/dL."),
        ("drug_name", "Is amoxicillin right?", "Is she all right?"),
        ("dose_by_weight", "at 5 mcg/kg/min", "5 km/h"),
        ("court_deadline", "When is the answer due?", "The answer is no."),
        ("icd10cm_code", "Report S52.501A.", "Vitamin B12 of 200."),
        ("date_of_birth", "DOB 1/2/1980", "a dobermann"),
        ("person_number", "MRN: 00482913", "1,204,118.22"),
        ("bank_account", "DE89 3704 0044 0532 0130 00", "in DE and FR"),
        ("minor", "a 7-year-old boy", "a 30-year mortgage"),
        ("other_language", "Was ist die Dosis für ein Kind von zehn Kilo?", "What is the dose for a child?"),
        ("other_language", "Какая доза нужна?", "OK 123 !!"),
    ],
)
def test_each_entity_is_found_by_its_form(entity, found, not_found):
    assert ENTITIES[entity](found)
    assert not ENTITIES[entity](not_found)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("$1,204,118.22 and 9 days", [1204118.22]),
        ("a 12.4 million charge", [12_400_000.0]),
        ("USD 3bn", [3e9]),
        ("two hundred thousand dollars", [200_000.0]),
        ("USD100k", [100_000.0]),
        ("1.000.000 euros", [1_000_000.0]),
        ("42 mm of rain", []),
    ],
)
def test_amounts_are_read_as_people_write_them(text, amounts):
    assert list(amounts_of(text)) == amounts


@given(st.text(max_size=200))
def test_every_text_has_a_plain_reading_and_reading_never_fails(text):
    found = readings_of(text)

    assert len(found.texts) >= 1
    assert found.is_whole


@given(st.text(max_size=60), st.text(max_size=60))
def test_adding_text_never_lowers_the_tier(text, more):
    assert decided(FINANCE, f"Wire it to the beneficiary. {text} {more}").stakes is Stakes.CRITICAL


@pytest.mark.parametrize("pack", ["medical_coding", "finance", "legal"])
def test_a_pack_sees_its_requests_of_high_stakes_and_no_client_can_disarm_its_rules(pack):
    policy = stakes_policy(pack, None, default=Stakes.LOW)
    folder = "verifiers/domains/vectors"
    for name in (pack, f"{pack}_held_out"):
        told = tell(policy, read_vectors(ROOT / folder / f"{name}.yaml"))
        recall = recall_of(told, delta=0.05)

        assert recall.n_high >= 60
        assert recall.lower >= 0.95
        assert [one.labelled.place for one in told if one.is_missed or one.is_in_vain] == []
    assert not any(rule.when.can_be_disarmed for rule in policy.rules)
    assert all(rule.owner and rule.why for rule in policy.rules)


def test_a_recall_is_bounded_exactly():
    assert recall_lower(59, 59, delta=0.05) == pytest.approx(0.05 ** (1 / 59))
    assert recall_lower(0, 10, delta=0.05) == 0.0
    assert recall_lower(92, 93, delta=0.05) == pytest.approx(0.95, abs=2e-3)


def test_the_threshold_is_the_largest_whose_recall_is_shown():
    probability = np.array([0.3] + [0.8] * 99)
    is_high = np.ones(100, dtype=bool)

    assert threshold_of(probability, is_high, recall=0.95, delta=0.05) == 0.8
    assert threshold_of(probability, is_high, recall=0.97, delta=0.05) == 0.3
    assert threshold_of(probability[:50], is_high[:50], recall=0.95, delta=0.05) is None


@pytest.mark.validity
def test_the_recall_that_a_threshold_shows_is_kept_in_95_of_100_studies():
    rng = np.random.default_rng(7)
    studies, broken = 1500, 0
    for _ in range(studies):
        probability = rng.uniform(size=150)  # so the true recall at a threshold t is 1 - t
        threshold = threshold_of(probability, np.ones(150, dtype=bool), recall=0.9, delta=0.05)
        broken += threshold is not None and threshold > 0.1

    assert broken / studies <= 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5
    assert broken > 0


def rows(n_high=200, n_low=60):
    high = [LabelledText(f"Wire amount {n} to the payee.", is_high=True) for n in range(n_high)]
    return high + [LabelledText(f"Tell a story of {n} cats.", is_high=False) for n in range(n_low)]


def test_a_fitted_classifier_raises_what_looks_high_and_never_lowers(tmp_path):
    fitted = fit_stakes(rows(), recall=0.95, delta=0.05, rng=np.random.default_rng(0))
    path = tmp_path / "stakes.json"
    path.write_text(fitted.classifier.model_dump_json())
    terms = {"file": "stakes.json", "high_if_p_at_least": fitted.classifier.high_if_p_at_least}
    policy = merged([(rules_of({"classifier": terms}, where="here"), tmp_path)], default=Stakes.LOW)

    assert fitted.classifier.recall_lower >= 0.95
    assert fitted.share_raised == 0.0
    assert decided(policy, "Wire amount 7 to the payee").rules == ("classifier.high", "policy.default")
    assert decided(policy, "Tell a story").stakes is Stakes.LOW
    assert decided(policy, "Tell a story", header="critical").stakes is Stakes.CRITICAL


def test_too_few_rows_of_high_stakes_show_no_recall():
    with pytest.raises(NotEnoughLabels, match="at least 59"):
        fit_stakes(rows(n_high=60), recall=0.95, delta=0.05, rng=np.random.default_rng(0))


def test_rows_without_text_or_tier_are_all_named():
    with pytest.raises(DataError) as caught:
        read_labelled([Row("f:1", {"query": " ", "stakes": "high"}), Row("f:2", {"query": "a", "stakes": "urgent"})])

    assert caught.value.faults == (
        "f:1: 'query' is missing or not a text",
        "f:2: 'stakes' is none of " + ", ".join(Stakes),
    )


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"bias": 0}', '{"bias": NaN, "weights": {}, "high_if_p_at_least": 0.5}']
)
def test_a_damaged_classifier_is_refused(tmp_path, content):
    (tmp_path / "stakes.json").write_text(content)

    with pytest.raises(SettingsError, match="no classifier of stakes"):
        load_classifier(tmp_path / "stakes.json")
    with pytest.raises(SettingsError, match="preceptor policy fit"):
        load_classifier(tmp_path / "missing.json")


@pytest.mark.parametrize("said", [float("nan"), float("inf"), -1.0, "0.1", None])
def test_a_classifier_that_gives_no_probability_is_high(monkeypatch, said):
    monkeypatch.setattr(StakesClassifier, "probability", lambda *_: said)
    classifier = StakesClassifier(bias=0.0, weights={}, high_if_p_at_least=0.5)
    policy = StakesPolicy(default=Stakes.LOW, classifier=classifier)

    assert decided(policy, "anything").rules == ("classifier.fault", "policy.default")
