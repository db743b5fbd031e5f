"""Checks of figures on real answers: `python -m benchmarks.answers_in_figures --data DIR [--json]`.

tatqa: questions over tables of annual reports, answered by text-davinci-002 with a number alone; gsm8k: word problems,
answered by Mixtral-8x7B with working, labels regraded. *Caught* is the share of wrong answers, *false alarm* that of
right ones, to which the checks together do not say `pass`. A row is in the half on which the rules were written
(`seen`) or in the other (`unseen`), no row of which was looked at, by a hash of its table or question. Intervals are
exact (Clopper-Pearson, 95 %). Beside the rule stands a score: logistic regression on what the checks said and on the
looks of the answer, fitted on the seen half, its threshold set there at 10 % false alarms, judged on the unseen half.
"""

import csv
import gzip
import hashlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from jaxtyping import Float
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from verifiers.case import Case
from verifiers.chain import Check, CheckOutcome, CheckResult
from verifiers.figures.calculation import Calculation
from verifiers.figures.derived import Derived
from verifiers.figures.final import FinalAnswer
from verifiers.figures.grounded import Grounded
from verifiers.figures.percentages import Percentages
from verifiers.figures.prose import ProseArithmetic
from verifiers.figures.totals import Totals
from verifiers.figures.unit_use import Units

WEAK = "gpt3+direct"
_BARE_NUMBER = re.compile(r"^[\s$()\-£€]*[\d,.]+\s*(%|million|thousand|billion|\))*\.?$")


class Row(NamedTuple):
    """One answer with its label, its group (a table or a question) and its half."""

    case: Case
    is_right: bool
    group: str
    is_seen: bool


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), envvar="PRECEPTOR_DATA", required=True, help="The public sets."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(data: Path, as_json: bool) -> None:
    """Caught and false alarms on both sets, on either half."""
    with threadpool_limits(1):
        figures = {
            "tatqa": _measured(list(tatqa(data)), _checks_of_numbers(), score_with=[Grounded()]),
            "gsm8k": _measured(list(gsm8k(data)), _checks_of_working(), score_with=[Grounded()]),
        }
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, measured in figures.items():
        click.echo(f"{name}: p95 of all checks {measured['p95_ms']} ms an answer (CPU)")
        for half in ("seen", "unseen"):
            for way in ("rule", "score"):
                found = measured[half][way]
                caught, alarms = _shown(found["caught"]), _shown(found["false_alarms"])
                click.echo(f"  {half:<7}{way:<6} caught {caught}   false alarms {alarms}")


def tatqa(data: Path) -> Iterator[Row]:
    """The rows whose weak answer is one number."""
    with gzip.open(data / "tatqa-2022" / "outcomes.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            weak = row["results"][WEAK]
            if not _is_number(weak["pred"]):
                continue
            source = f"{row['context']}\n{row['table']}"
            yield _row(
                row["question"],
                weak["text"],
                source,
                is_right=bool(weak["correct"]),
                group=row["table"] + row["context"],
            )


def gsm8k(data: Path) -> Iterator[Row]:
    """All rows, those that stand in the training sets left out."""
    with gzip.open(data / "routellm" / "gsm8k_responses.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            if row["contaminated"] == "False" and row["weak_response"].strip():
                is_right = row["weak_correct_regraded"] == "True"
                yield _row(row["prompt"], row["weak_response"], None, is_right=is_right, group=row["prompt"])


def _row(asked: str, answer: str, source: str | None, *, is_right: bool, group: str) -> Row:
    digest = int(hashlib.sha256(group.encode()).hexdigest(), 16)
    query = {"id": f"{digest % 10**12}", "messages": [{"role": "user", "content": asked}]}
    facts = {"source": source} if source else {}
    case = Case.model_validate({"query": query, "answer": answer, "facts": facts})
    return Row(case, is_right, f"{digest:x}", digest % 2 == 0)


def _is_number(predicted: object) -> bool:
    if isinstance(predicted, list):
        return len(predicted) == 1 and _BARE_NUMBER.match(str(predicted[0])) is not None
    return isinstance(predicted, int | float)


def _checks_of_numbers() -> list[Check]:
    return [
        Derived(),
        Grounded(bare_answers="leave"),
        Units(),
        Percentages(),
        ProseArithmetic(),
        FinalAnswer(),
        Totals(),
        Calculation(),
    ]


def _checks_of_working() -> list[Check]:
    return [ProseArithmetic(), FinalAnswer(), Totals(), Percentages(), Units(), Calculation()]


def _measured(rows: Sequence[Row], checks: Sequence[Check], *, score_with: Sequence[Check]) -> dict[str, Any]:
    """Rule and score on either half."""
    results, seconds = [], []
    for row in rows:
        started = time.process_time()
        results.append([check.judge(row.case) for check in checks])
        seconds.append(time.process_time() - started)
    flagged = np.array([any(result.outcome is not CheckOutcome.PASS for result in found) for found in results])
    features = np.array(
        [
            _features(row, [*found, *(check.judge(row.case) for check in score_with)])
            for row, found in zip(rows, results, strict=True)
        ]
    )
    wrong = np.array([not row.is_right for row in rows])
    seen = np.array([row.is_seen for row in rows])
    groups = [row.group for row in rows]
    over = _scored(features, wrong, seen, groups)
    measured: dict[str, Any] = {"n_rows": len(rows), "p95_ms": round(float(np.quantile(seconds, 0.95)) * 1e3, 2)}
    for half, chosen in (("seen", seen), ("unseen", ~seen)):
        measured[half] = {
            way: _rates(flags[chosen], wrong[chosen]) for way, flags in (("rule", flagged), ("score", over))
        }
    return measured


def _features(row: Row, results: Sequence[CheckResult]) -> list[float]:
    """What each check said, how many values were derived, and the looks of question and answer."""
    said = [float(result.outcome is not CheckOutcome.PASS) for result in results]
    hard = float(any(result.outcome is CheckOutcome.FAIL for result in results))
    n_candidates = max(float(result.evidence.get("n_candidates", 0)) for result in results)
    n_checked = sum(float(result.evidence.get("n_checked", 0)) for result in results)
    asked, answer = row.case.query.text, row.case.answer
    looks = [np.log1p(len(asked)), np.log1p(len(answer)), float("%" in answer), float("####" in answer)]
    words = [float(word in asked.lower()) for word in ("change", "average", "percent", "total", "how many", "how much")]
    return [*said, hard, np.log1p(n_candidates), np.log1p(n_checked), *looks, *words]


def _scored(
    features: Float[np.ndarray, "n k"], wrong: np.ndarray, seen: np.ndarray, groups: Sequence[str]
) -> np.ndarray:
    """Whether each score exceeds the 90 % quantile of the seen half's right answers, cross-fitted there."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    own = np.array(groups)[seen]
    scores = np.empty(len(wrong))
    scores[seen] = cross_val_predict(
        model, features[seen], wrong[seen], groups=own, cv=GroupKFold(5), method="predict_proba"
    )[:, 1]
    model.fit(features[seen], wrong[seen])
    scores[~seen] = model.predict_proba(features[~seen])[:, 1]
    threshold = float(np.quantile(scores[seen & ~wrong], 0.9, method="higher"))
    flagged: np.ndarray = scores > threshold
    return flagged


def _rates(flagged: np.ndarray, wrong: np.ndarray) -> dict[str, list[float]]:
    return {"caught": _share(flagged[wrong]), "false_alarms": _share(flagged[~wrong])}


def _share(flagged: np.ndarray) -> list[float]:
    """The share, its exact 95 % interval, and how many it is of."""
    k, n = int(flagged.sum()), len(flagged)
    low = float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0
    high = float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
    return [round(k / n, 4), round(low, 4), round(high, 4), n]


def _shown(share: Sequence[float]) -> str:
    return f"{share[0]:6.1%} ({share[1]:.1%} to {share[2]:.1%}, n = {share[3]:.0f})"


if __name__ == "__main__":
    main()
