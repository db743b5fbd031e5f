"""Rows are certified in the strata that the gateway will form of such requests."""

import numpy as np
import pytest

from core.records import Graded, Outcome, Query, Stakes, messages_of
from core.settings import RunSettings
from gateway.certified import stratum_of
from pipeline.certify_binding import voids_of
from pipeline.certify_stakes import strata_in_force
from pipeline.table import table_of
from verifiers.stakes.deciding import StakesRequest, decide_stakes
from verifiers.stakes.sources import policy_in_force

RULES = "rules: [{id: a.dose, owner: x, when: {words: [dose]}, tier: critical}]"


@pytest.fixture
def settings(tmp_path):
    def make(stakes):
        rules = tmp_path / "rules.yaml"
        rules.write_text(RULES)
        values = {
            "name": "trial",
            "pair": {"weak": {"name": "cheap"}, "strong": {"name": "dear"}},
            "data": {"files": ["rows.jsonl"], "target_domains": ["law"]},
            "verifiers": {"stakes": stakes, "policy": str(rules)},
        }
        return RunSettings.model_validate(values)

    return make


def table(*rows):
    return table_of(
        [
            Outcome(
                query=Query(id=f"q{i}", messages=messages_of(text), domain=domain, stakes=stakes, stratum=stratum),
                results={"cheap": Graded(quality=1.0)},
            )
            for i, (text, domain, stakes, stratum) in enumerate(rows)
        ]
    )


ROWS = (
    ("Hello.", "law", Stakes.LOW, None),
    ("Which dose?", "law", Stakes.LOW, None),
    ("Hello.", "law", Stakes.HIGH, None),
    ("Hello.", "tax", Stakes.LOW, None),
    ("Which dose?", "law", Stakes.LOW, "by-hand"),
)


@pytest.mark.parametrize(
    ("stakes", "expected"),
    [
        ("low", ("law/low", "law/critical", "law/high", "tax/high", "by-hand")),
        ("high", ("law/high", "law/critical", "law/high", "tax/high", "by-hand")),
    ],
)
def test_the_policy_raises_the_tier_of_a_row_and_never_lowers_it(settings, stakes, expected):
    assert strata_in_force(settings(stakes), table(*ROWS), np.ones(5, dtype=bool)) == expected


def test_they_are_the_strata_by_which_the_gateway_finds_its_thresholds(settings):
    asked = settings("standard")
    policy = policy_in_force(asked.verifiers, asked.data.target_domains)
    rows = ROWS[:4]

    found = strata_in_force(asked, table(*rows), np.ones(4, dtype=bool))

    for (text, domain, stakes, _), stratum in zip(rows, found, strict=True):
        told = decide_stakes(policy, StakesRequest(texts=(text,), domain=domain, header=stakes.value))
        assert stratum == stratum_of({"default": None}, domain, told.stakes)


def test_rows_that_are_not_chosen_keep_their_strata(settings):
    assert strata_in_force(settings("high"), table(*ROWS), np.zeros(5, dtype=bool)) == table(*ROWS).strata


@pytest.mark.parametrize(("pack", "is_said"), [("finance", True), ("none", False)])
def test_a_certificate_that_counts_on_checks_says_that_its_rows_held_no_facts_of_clients(settings, pack, is_said):
    run = settings("high")
    sentences = voids_of(run.model_copy(update={"verifiers": run.verifiers.model_copy(update={"pack": pack})}))

    assert any("Facts that clients send" in sentence for sentence in sentences) is is_said
