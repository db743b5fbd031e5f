"""Each check of figures: an answer that passes, one that fails, one that cannot be decided."""

import importlib
from typing import Any

import pytest

from core.errors import PreceptorError
from verifiers.case import Case
from verifiers.chain import CheckOutcome
from verifiers.figures import CHECKS
from verifiers.figures.calculation import Calculation
from verifiers.figures.dates import Dates
from verifiers.figures.derived import Derived
from verifiers.figures.doses import Doses
from verifiers.figures.final import FinalAnswer
from verifiers.figures.grounded import Grounded
from verifiers.figures.identifiers import Identifiers
from verifiers.figures.percentages import Percentages
from verifiers.figures.prose import ProseArithmetic
from verifiers.figures.totals import Totals
from verifiers.figures.unit_use import Units


def said(check: Any, answer: str, source: str = "", asked: str = "Answer.") -> tuple[str, str]:
    query = {"id": "q", "messages": [{"role": "user", "content": asked}]}
    case = Case.model_validate({"query": query, "answer": answer, "facts": {"source": source} if source else {}})
    result = check.judge(case)
    assert result.check == check.id
    assert result.check in CHECKS
    return result.outcome.value, result.reason


PASS, FAIL, OPEN = "pass", "fail", "cannot_decide"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("12.5 + 7.5 = 20", PASS),
        ("300 / 4 is 75", PASS),
        ("300 / 4 is 74", FAIL),
        ("(48 - 40) / 40 = 20%", PASS),
        ("(48 - 40) / 40 = 25%", FAIL),
        ("$1,200 less 15% is $1,020.", PASS),
        ("$1,200 less 15% is $1,030.", FAIL),
        ("24 * 3 = <<24*3=72>>72", PASS),
        ("24 * 3 = <<24*3=74>>74", FAIL),
        ("2 / 3 = 0.67, or 2 / 3 = 0.66", PASS),
        ("100 / 6 = 16.67 and 16.67 * 6 = 100.00", PASS),
        (r"\frac{3}{4} \times 100 = 75\%", PASS),
        ("3 eggs per day * $2 per egg = $7 per day", FAIL),
        ("500 mg x 2 = 1 g", PASS),
        ("17 hours/week * 16 weeks = 272 hours", PASS),
        ("$150 (2 x 4 boards) + $120 (4 x 4 boards) = $270", PASS),
        ("60 (from store-bought feeders) + 90 (home-made) = 150", PASS),
    ],
)
def test_stated_arithmetic_is_recomputed(answer: str, outcome: str) -> None:
    assert said(ProseArithmetic(), answer)[0] == outcome


@pytest.mark.parametrize(
    "answer",
    ["6s + 9 = 3 * (s + 9)", "x + 3 + 4 = 11", "2019-2020 = 12%", "BP of 120/80 is 40 points above",
     "$5 + 50 cents = $5.50",
     "9A - 21 = 339", "A + (4A - 13) + (4A - 8) = 339", "90 inches = 9 * B\nB = 10", "See pages 10-15 are 6 pages"],
)  # fmt: skip
def test_algebra_ranges_and_mixed_units_are_never_called_wrong(answer: str) -> None:
    assert said(ProseArithmetic(), answer) == (PASS, "no_arithmetic")


def test_a_required_check_with_nothing_to_look_at_cannot_decide() -> None:
    assert said(ProseArithmetic(required=True), "Yes.") == (OPEN, "no_arithmetic")
    assert said(ProseArithmetic(), "Yes.") == (PASS, "no_arithmetic")


CALC = (
    '{"answer": 4.01, "calc": [{"expr": "units * price", "inputs": {"units": 3, "price": "1.335"}, '
    '"result": %s, "rounding": 2}]}'
)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (CALC % '"4.01"', PASS),
        (CALC % "4.00", FAIL),
        (CALC % '"four"', FAIL),
        ("Here:\n```json\n" + CALC % "4.01" + "\n```", PASS),
        ('{"calc": [{"expr": "9**9**9", "result": 1}]}', FAIL),
        ('{"calc": [{"expr": "1/3", "result": 0.333}]}', PASS),
        ('{"calc": 3}', FAIL),
        ('{"calc": [' + ",".join(['{"expr": "1+1", "result": 2}'] * 51) + "]}", OPEN),
        ("No working.", PASS),
    ],
)
def test_calculations_are_recomputed_with_their_rounding(answer: str, outcome: str) -> None:
    assert said(Calculation(), answer)[0] == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("Revenue rose from 40 to 50, an increase of 25%.", PASS),
        ("Revenue rose from $40 million to $50 million, an increase of 20%.", FAIL),
        ("Sales fell from 40 to 50, by 25%.", FAIL),
        ("The rate rose from 4% to 5%, an increase of 1 percentage point.", PASS),
        ("The rate rose from 4% to 5%, an increase of 1%.", OPEN),
        ("The plan paid 12 of 48 claims (25%).", PASS),
        ("The plan paid 12 of 48 claims (26%).", FAIL),
        ("12 is 24% of 48", FAIL),
        ("Allocation:\n- A: 40%\n- B: 35%\n- C: 20%", OPEN),
        ("The mix is 40% A, 35% B and 25% C.", PASS),
        ("Claims grew by 40% from 2023 to 2024.", PASS),
    ],
)
def test_percentages_follow_from_the_numbers_beside_them(answer: str, outcome: str) -> None:
    assert said(Percentages(), answer)[0] == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("- A: $10\n- B: $20\nTotal: $30", PASS),
        ("- A: $10\n- B: $20\nTotal: $35", FAIL),
        ("A: $100\nB: $50\nSubtotal: $150\nTax: $15\nTotal: $165", PASS),
        ("A: $100\nB: $50\nSubtotal: $150\nDiscount: $15\nTotal: $130", FAIL),
        ("| Item | Qty | Price | Amount |\n|---|---|---|---|\n| A | 2 | $5 | $10 |\n| B | 3 | $4 | $13 |", FAIL),
        ("A cost $10, B cost $20 and C $30, for a total of $60.", PASS),
        ("A cost $10, B cost $20 and C $30, for a total of $61.", FAIL),
        ("We saw 10 kg, 20 kg and 30 kg, for a total of 61 kg.", OPEN),
        ("3 units at $25 each: $80", FAIL),
    ],
)
def test_totals_are_the_sum_of_their_items(answer: str, outcome: str) -> None:
    assert said(Totals(), answer)[0] == outcome


@pytest.mark.parametrize(
    ("answer", "source", "outcome"),
    [
        ("Give 5 g daily", "Take 5 mg daily", FAIL),
        ("Give 0.005 g daily", "Take 5 mg daily", PASS),
        ("Give 15 mg", "15 mg/kg for the child", FAIL),
        ("$4.2 billion", "Revenue of $4.2 million", FAIL),
        ("$1,452.4 thousand", "(in millions)\nFixed | 1,452.4", FAIL),
        ("$1,452.4 million", "(in millions)\nFixed | 1,452.4", PASS),
        ("70 kg (154 lb)", "", PASS),
        ("70 kg (145 lb)", "", FAIL),
        ("10 mg daily", "5 mg twice daily for 10 days", PASS),
        ("within 30 weeks", "30 days", FAIL),
    ],
)
def test_a_number_keeps_the_unit_and_the_scale_of_its_source(answer: str, source: str, outcome: str) -> None:
    assert said(Units(), answer, source)[0] == outcome


@pytest.mark.parametrize(
    ("answer", "source", "outcome"),
    [
        ("Give 300 mg", "Child 20 kg. Dose 15 mg/kg.", PASS),
        ("Give 30 mg", "Child 20 kg. Dose 15 mg/kg.", FAIL),
        ("Give 100 mg every 8 hours.", "Child 20 kg. Dose 15 mg/kg/day in three divided doses.", PASS),
        ("Give 150 mg every 8 hours.", "Child 20 kg. Dose 15 mg/kg/day in three divided doses.", FAIL),
        ("Give 8 mL", "Child 20 kg. Dose 15 mg/kg. Suspension 250 mg/5 mL", FAIL),
        ("Give 5 g a day", "Maximum 4 g per day", FAIL),
        ("Rest and fluids.", "Child 20 kg. Dose 15 mg/kg.", PASS),
    ],
)
def test_doses_follow_from_rate_and_weight_and_stay_under_the_maximum(answer: str, source: str, outcome: str) -> None:
    assert said(Doses(), answer, source)[0] == outcome


@pytest.mark.parametrize(
    ("answer", "source", "outcome"),
    [
        ("30 days from 2 March 2026 is 1 April 2026.", "", PASS),
        ("30 days from 2 March 2026 is 2 April 2026.", "", FAIL),
        ("Tuesday, 2 March 2026", "", FAIL),
        ("2 March 2026 is a Monday", "", PASS),
        ("Admitted 5 March 2026, discharged on 2 March 2026.", "", FAIL),
        ("June 31, 2026", "", FAIL),
        ("Reply by 1 April 2026.", "Notice dated 2 March 2026; 30 days to respond.", PASS),
        ("Reply by 3 April 2026.", "Notice dated 2 March 2026; 30 days to respond.", OPEN),
        ("From 1 March 2026 to 31 March 2026 is 40 days", "", FAIL),
    ],
)
def test_dates_are_possible_in_order_and_grounded(answer: str, source: str, outcome: str) -> None:
    assert said(Dates(), answer, source)[0] == outcome


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("NPI 1234567893", "NPI 1234567890"),
        ("The IBAN on file is GB82 WEST 1234 5698 7654 32.", "The IBAN on file is GB82 WEST 1234 5698 7654 33."),
        ("ISIN: US0378331005", "US0378331006"),
        ("CUSIP 037833100", "CUSIP number 037833101"),
        ("LEI 5493001KJTIIGC8Y1R12", "LEI: 5493001KJTIIGC8Y1R17"),
    ],
)
def test_identifiers_with_a_wrong_check_digit_fail(good: str, bad: str) -> None:
    assert said(Identifiers(), good)[0] == PASS
    assert said(Identifiers(), bad)[0] == FAIL
    assert said(Identifiers(), "NPI 1234567893", "NPI 1669583724 on file")[0] == OPEN


SALES = "Sales were $1,452.4 million in 2019 and $1,146.2 million in 2018. Twenty-five stores closed."


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("Sales were $1,452.4 million.", PASS),
        ("Sales were $1,425.4 million.", OPEN),
        ("Sales rose by $306.2 million.", PASS),
        ("Sales rose by $316.2 million.", OPEN),
        ("About $1.5 billion, and 25 stores.", PASS),
        ("27 stores closed.", OPEN),
    ],
)
def test_numbers_rest_on_the_source(answer: str, outcome: str) -> None:
    assert said(Grounded(), answer, SALES)[0] == outcome


def test_an_ungrounded_number_fails_where_the_pack_says_so_and_nothing_is_judged_without_numbers() -> None:
    assert said(Grounded(ungrounded="fail"), "27 stores closed.", SALES)[0] == FAIL
    assert said(Grounded(), "27 stores closed.", "No numbers here.") == (PASS, "no_source_numbers")
    assert said(Grounded(bare_numbers="leave"), "27 stores closed.", SALES)[0] == PASS


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("3 + 4 = 7\n#### 7", PASS), ("3 + 4 = 7\n#### 8", FAIL), ("3 + 4 = <<3+", OPEN), ("#### 8", PASS)],
)
def test_the_final_number_is_one_that_the_working_came_to(answer: str, outcome: str) -> None:
    assert said(FinalAnswer(), answer)[0] == outcome


TABLE = "— | 2019 | 2018\nNet sales | 120 | 100\nCosts | 66 | 60\nTotal | 186 | 160"


@pytest.mark.parametrize(
    ("asked", "answer", "outcome"),
    [
        ("What was the change in net sales from 2018 to 2019?", "20", PASS),
        ("What was the change in net sales from 2018 to 2019?", "-20", OPEN),
        ("What was the percentage change in costs between 2018 and 2019?", "10%", PASS),
        ("What was the percentage change in costs between 2018 and 2019?", "12%", OPEN),
        ("What was the average net sales for 2018 and 2019?", "110", PASS),
        ("What was the average net sales for 2018 and 2019?", "115", OPEN),
        ("What percentage of net sales were costs in 2019?", "55%", PASS),
        ("What were the costs in 2018?", "60", PASS),
        ("What were the costs in 2018?", "66", OPEN),
        ("What were the costs in 2018?", "They were reported.", PASS),
    ],
)
def test_a_bare_answer_is_derived_from_the_table_as_its_question_says(asked: str, answer: str, outcome: str) -> None:
    assert said(Derived(), answer, TABLE, asked)[0] == outcome


def test_ten_thousand_digits_or_brackets_break_no_check() -> None:
    for place in CHECKS.values():
        module, name = place.split(":")
        check = getattr(importlib.import_module(module), name)()
        for text in ("9" * 9000, "(" * 9000, "1 + " * 3000, "| 1 " * 3000, "1,234 = " * 1500, "\x00\ud7ff٣٤"):
            try:
                outcome = said(check, text, "Sales 12 and 30 | 2")[0]
            except PreceptorError:
                outcome = "raised"
            assert outcome in {found.value for found in CheckOutcome}
