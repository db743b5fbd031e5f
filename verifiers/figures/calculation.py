"""figures.calculation: the answer's own `calc` entries are recomputed in Decimal. It runs no code of the answer.

An answer carries JSON with `calc: [{"expr": "units * price", "inputs": {"units": 3, "price": "1.25"}, "result": "3.75",
"rounding": 2}]`, alone, in a fenced block, or inside a larger object.
"""

import json
import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, InvalidOperation
from typing import Any

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.figures.amounts import READ_CHARACTERS, agree
from verifiers.figures.expression import ExpressionError, evaluate
from verifiers.figures.finding import Finding, conclude, number

READ_ENTRIES = 50
"""Entries of `calc` that are recomputed; an answer with more is not decided."""

_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN, "up": ROUND_UP}
_KEY = re.compile(r'"calc"\s*:')


class Calculation:
    """Fails when an entry's result is not what its expression comes to, or when `calc` cannot be read."""

    id = "figures.calculation"
    price = Price.FREE

    def __init__(self, *, required: bool = False) -> None:
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Pass when every entry holds; answers without `calc` pass unless the pack requires one."""
        text = case.answer[:READ_CHARACTERS]
        findings: list[Finding] = []
        n_checked = 0
        if _KEY.search(text):
            entries = _entries(text)
            n_checked = len(entries) if entries is not None else 1
            if entries is None:
                findings.append(Finding("malformed_calculation", is_hard=True, evidence={}))
            elif len(entries) > READ_ENTRIES:
                findings.append(Finding("too_many_calculations", is_hard=False, evidence={"n_entries": len(entries)}))
            for index, entry in enumerate((entries or [])[:READ_ENTRIES]):
                finding = _judged(entry, index)
                if finding is not None:
                    findings.append(finding)
        return conclude(
            self.id, findings, n_checked=n_checked, nothing="no_calculation", required=self._required, text=case.answer
        )


def _entries(text: str) -> list[Any] | None:
    """The list under `calc` of the first JSON object that has one; None where there is none to read."""
    decoder = json.JSONDecoder(parse_float=Decimal, parse_int=_whole, parse_constant=str)
    for tried, brace in enumerate(re.finditer(r"\{", text)):
        if tried == 20:
            break
        try:
            value, _ = decoder.raw_decode(text, brace.start())
        except (ValueError, RecursionError, InvalidOperation):
            continue
        found = _calc(value, 3)
        if found is not None:
            return found
    return None


def _calc(value: object, depth: int) -> list[Any] | None:
    if isinstance(value, dict):
        if isinstance(value.get("calc"), list):
            return list(value["calc"])
        if depth:
            return next((found for item in value.values() if (found := _calc(item, depth - 1)) is not None), None)
    return None


def _judged(entry: object, index: int) -> Finding | None:
    malformed = Finding("malformed_calculation", is_hard=True, evidence={"entry": index})
    if not isinstance(entry, Mapping) or not isinstance(entry.get("expr"), str):
        return malformed
    inputs = entry.get("inputs") or {}
    if isinstance(inputs, list):
        inputs = {}
    result = _decimal(entry.get("result"))
    if not isinstance(inputs, Mapping) or result is None:
        return malformed
    names = {str(name): value for name, given in inputs.items() if (value := _decimal(given)) is not None}
    try:
        expected = evaluate(entry["expr"], names)
        rounded = _rounded(expected, entry.get("rounding"))
    except (ExpressionError, InvalidOperation):
        return Finding("unreadable_expression", is_hard=True, evidence={"entry": index})
    if rounded is None:
        return malformed
    step = Decimal(1).scaleb(min(int(result.as_tuple().exponent), 0))
    holds = rounded == result if entry.get("rounding") is not None else agree(expected, result, step)
    if holds:
        return None
    evidence = {"entry": index, "expected": number(rounded), "stated": number(result)}
    return Finding("wrong_calculation", is_hard=True, evidence=evidence)


def _rounded(value: Decimal, rounding: object) -> Decimal | None:
    """The value rounded as the entry says: a number of digits, a step such as `0.01`, or {digits, mode}."""
    mode = "half_up"
    if isinstance(rounding, Mapping):
        mode = str(rounding.get("mode", mode)).lower().removeprefix("round_")
        rounding = rounding.get("digits")
    if rounding is None:
        return value
    if isinstance(rounding, str) and rounding.lower().removeprefix("round_") in _MODES:
        return None
    digits = _decimal(rounding)
    if digits is None or mode not in _MODES:
        return None
    if digits == digits.to_integral_value() and -9 <= digits <= 12 and not isinstance(rounding, str):
        return value.quantize(Decimal(1).scaleb(-int(digits)), rounding=_MODES[mode])
    if isinstance(rounding, str) and rounding.strip().lstrip("-").isdigit() and -9 <= digits <= 12:
        return value.quantize(Decimal(1).scaleb(-int(digits)), rounding=_MODES[mode])
    if 0 < digits < 1:
        return (value / digits).to_integral_value(rounding=_MODES[mode]) * digits
    return None


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    text = str(value).replace(",", "").replace("$", "").strip()
    is_percent = text.endswith("%")
    try:
        number_ = Decimal(text.rstrip("%"))
    except InvalidOperation:
        return None
    if not number_.is_finite() or abs(number_.adjusted()) > 30:
        return None
    return number_ / 100 if is_percent else number_


def _whole(digits: str) -> Decimal:
    return Decimal(digits[:40])
