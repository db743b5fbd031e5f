"""Words of the report: names on paper, and what someone who reads no statistics can act on. Computes nothing."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from core.certificate_record import StratumEvidence
from pipeline.report_numbers import day, percent, usd
from pipeline.report_records import RunReport

LABELS = {
    "adapted": "Adapted router",
    "base": "Base router",
    "random": "Random",
    "oracle": "Oracle",
    "prompt_length": "Prompt length",
    "topic_prior": "Topic prior",
    "tfidf_ridge": "TF-IDF ridge",
}
"""What routers and floors are called on paper; other names stand as they are."""

IN_A_SENTENCE = {
    "adapted": "the adapted router",
    "base": "the base router",
    "random": "a coin",
    "prompt_length": "the length of the prompt",
    "topic_prior": "the average of its topic",
    "tfidf_ridge": "a regression on its words",
}
"""The same in plain words, where no table explains them."""


class Advice(NamedTuple):
    """What to do and why. `mood` says whether the evidence is for it (good), open, or against; `light` is one word."""

    mood: Literal["good", "open", "against"]
    light: str
    headline: str
    reason: str


def advise(report: RunReport) -> Advice:
    """What someone who reads no statistics can act on: go, go with caution, or stop.

    Go only when the router's interval lies above a coin's and above every other router measured on the same rows, and a
    stratum at least is certified.
    """
    evaluation = report.evaluation
    if evaluation is None:
        return Advice(
            "against",
            "Stop",
            "Do not promote this router.",
            f"{report.strong} was not better than {report.weak} on the test rows, so nothing can be gained by routing "
            "between them. Measure on more rows, or choose another pair.",
        )
    first, figures = next(iter(evaluation.routers.items()))
    others = evaluation.better_than
    better = [name for name, difference in others.items() if difference.high < 0]
    open_to = [name for name, difference in others.items() if difference.low <= 0 <= difference.high]
    name = _plain(first)
    if figures.apgr.low <= 0.5:
        return Advice(
            "against",
            "Stop",
            f"Do not promote {name}.",
            "On queries it had not seen it cannot be told from a coin. Label more queries, or queries closer to these.",
        )
    if better:
        return Advice(
            "against",
            "Stop",
            f"Do not promote {name}.",
            f"{_capital(_listed(better))} did better on the same queries. Use that instead, or label more queries.",
        )
    if open_to:
        return Advice(
            "open",
            "Caution",
            f"{_capital(name)} is better than a coin, but not yet proven.",
            f"It could not be shown to beat {_listed(open_to)} on these queries. More labels would decide it.",
        )
    beaten = f"{_listed(list(others))}, each" if others else "a coin"
    reason = f"On queries it had not seen it beat {beaten} by more than chance explains."
    if report.certificate is None or not report.certificate.is_certified:
        return Advice("open", "Caution", f"{_capital(name)} works, and nothing is promised about harm.", reason)
    return Advice("good", "Go", f"{_capital(name)} is ready for promotion.", reason)


def three_sentences(report: RunReport) -> tuple[str, str, str]:
    """What it saves, what is promised and what is not, and what to do next."""
    return _saves(report), _promises(report), _next(report)


def label(name: str) -> str:
    """The name on paper.

    >>> label("tfidf_ridge"), label("my-router")
    ('TF-IDF ridge', 'my-router')
    """
    return LABELS.get(name, name)


def _saves(report: RunReport) -> str:
    share = report.overall.share_strong.estimate
    routed = (
        f"On {report.overall.n:,} queries that it had not seen, the router left {percent(1 - share)} to {report.weak} "
        f"and sent {percent(share)} to {report.strong}"
    )
    found = report.savings
    if found is None:
        return f"{routed}; what that saves cannot be said, since the rows do not tell what answers cost."
    time = f"a day, at {found.queries:,} queries" if report.is_per_day else f"in {found.queries:,} queries"
    verb = "saves" if found.saved.estimate >= 0 else "costs more by"
    whole = f", {percent(found.saved_share.estimate)} of the cost" if found.saved_share else ""
    return (
        f"{routed}, which {verb} about {usd(abs(found.saved.estimate))} {time}{whole} of asking {report.strong} always."
    )


def _promises(report: RunReport) -> str:
    certificate = report.certificate
    if certificate is None:
        return (
            "Nothing is certified: the share of queries that get a worse answer because of the router was not bounded, "
            "and every figure here is an estimate."
        )
    kept = [one for one in certificate.strata if one.is_certified]
    if not kept:
        return (
            "Nothing is certified: the rows could not show that the promise is kept anywhere, so every query whose "
            f"stratum was tried goes to {report.strong}."
        )
    what = {"harm": "harmed", "net": "harmed more often than helped", "graded": "worse off, counted by how much,"}
    of_what = "weak answers that leave" if certificate.promise.is_selective else "queries"
    others = len(certificate.strata) - len(kept)
    strata = (
        "One other stratum is promised nothing and goes"
        if others == 1
        else f"{others} others are promised nothing and go"
    )
    rest = f" {strata} to {report.strong} always." if others else ""
    if certificate.budgets:
        rest += f" Nothing is promised about {', '.join(certificate.budgets)}, which keeps to a budget."
    return (
        f"Promised until {day(certificate.expires_at)}, with {percent(1 - certificate.promise.delta)} confidence: "
        f"the share of {of_what} {what[certificate.promise.loss]} by the router is, in "
        f"{'; in '.join(_harm_words(one) for one in kept)}.{rest}"
    )


def _next(report: RunReport) -> str:
    advice = advise(report)
    if advice.mood == "against":
        return "Next: keep what serves today, and change the labels, the router or the pair before another run."
    if report.certificate is None:
        return (
            f"Next: use it for low stakes only, or set split.certify to get a promise. {report.plan}".strip().replace(
                "<=", "≤"
            )
        )
    if not report.certificate.is_certified:
        whys = [one.why for one in report.certificate.strata]
        return " ".join(["Next: label more queries, or improve the router.", *whys[:1]]).replace("<=", "≤")
    if advice.mood == "open":
        return "Next: label more queries before you promote it; the promise holds, but a plainer router may do as well."
    return "Next: have a second person approve it, then promote it with the command that the run printed."


def _harm_words(one: StratumEvidence) -> str:
    limit = one.max_loss or 0.0
    return f"{one.stratum}: at most {percent(limit, _digits(limit))}"


def _digits(share: float) -> int:
    return 0 if abs(share * 100 - round(share * 100)) < 1e-9 else 1


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain(name: str) -> str:
    return IN_A_SENTENCE.get(name, name)


def _listed(names: Sequence[str]) -> str:
    plain = [_plain(name) for name in names]
    return plain[0] if len(plain) == 1 else ", ".join(plain[:-1]) + " and " + plain[-1]
