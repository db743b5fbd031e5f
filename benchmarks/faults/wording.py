"""Faults of wording planted into right answers about legal texts: citations, quotations, forms, refusals.

An answer is written from the text that it is to be grounded in, so the clean one is right by construction. It quotes
one sentence, names its section and cites what the text cites, in one of several ways.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from benchmarks.faults.legal_passages import CASES, PASSAGES, STATUTES
from benchmarks.faults.seeded import Seeded
from core.records import Query, messages_of
from verifiers.case import Case

KINDS = ("fabricated_citation", "changed_quote", "dropped_negation", "changed_number", "missing_section",
         "broken_schema", "wrong_label", "refusal")  # fmt: skip
"""What may be planted here."""

_FRAMES = (
    "Under Section {section}, {quote}. See {cite}.",
    "The text is clear. Section {section} provides that {quote}, and {cite} is in accord.",
    "In short: yes. As \u00a7 {section} puts it, {quote}. {cite} says the same.",
    "{cite} controls here. Section {section} reads: {quote}.",
    "The answer turns on Sec. {section}:\n\n{block}\n\nCompare {cite}.",
    "1. Rule. {quote} (Section {section}).\n2. Authority. {cite}.\n3. Result. The clause applies as written.",
    "**Conclusion.** The clause governs.\n\n**Reason.** According to section {section}, {quote}; see also {cite}.",
    "Clause {section} governs. It says {quote}. The court in {cite} read such words strictly.",
)
_PARTIES = (("tenant", "landlord"), ("buyer", "seller"), ("licensee", "licensor"), ("borrower", "lender"))
_QUESTIONS = (
    "What does the text say about {title}?",
    "Does the provision on {title} apply, and on what authority?",
    "Advise the client on {title}.",
    "Summarise the rule on {title} with its source.",
)
_REFUSALS = (
    "I'm sorry, but I can't help with that request.",
    "I cannot provide legal advice. A licensed attorney in your area can review the document.",
    "As an AI language model, I am not able to interpret contracts.",
    "I am unable to answer this question based on the information available to me.",
    "I don't know the answer to this question.",
    "Unfortunately, I won't be able to assist with this matter.",
    "I must respectfully decline to give an opinion on this document.",
    "I can't determine which clause applies here.",
    "Sorry, I cannot help with legal questions.",
    "",
    "   \n",
    "N/A",
    "This question is outside the scope of my capabilities.",
    "I'm not able to provide an answer to that. Is there anything else I can do for you?",
)
_LABELS = (
    ("breach", "no breach"),
    ("enforceable", "unenforceable", "void"),
    ("A", "B", "C", "D"),
    ("affirmed", "reversed", "vacated", "remanded"),
    ("granted", "denied", "granted in part"),
)
_FOREIGN = ("settled", "pending", "partially breached", "moot", "E", "F", "dismissed", "not applicable", "see above")
_LABEL_FRAMES = (
    "{label}",
    "{label}.",
    "Answer: {label}",
    "**Answer:** {label}",
    "The answer is {label}.",
    "Final answer: {label}",
)
_OTHER_WORDS = ("monthly", "reasonable", "vendor", "promptly", "estate", "annual", "material", "quarterly", "lawful",
                "agent", "deliver", "property", "revised", "receive", "certified", "premises")  # fmt: skip
_TURNING = {"not", "no", "never", "except", "unless", "without"}
_NUMBERS = ("two", "three", "seven", "fourteen", "twenty", "forty", "sixty", "eleven")


class _Text(NamedTuple):
    """A source, and what a right answer may take from it."""

    source: str
    title: str
    section: str
    sentence: str
    cite: str
    cited: Mapping[str, str]


def seeded(rng: np.random.Generator, n: int) -> list[Seeded]:
    """`n` cases of each kind, each beside its clean twin.

    >>> rows = seeded(np.random.default_rng(0), 2)
    >>> [row.fault for row in rows][::2] == list(KINDS)
    True
    """
    makers: Mapping[str, Callable[[np.random.Generator], tuple[Case, Case]]] = {
        "fabricated_citation": _fabricated_citation,
        "changed_quote": lambda rng: _with_quote(rng, _changed_word),
        "dropped_negation": lambda rng: _with_quote(rng, _turned_round),
        "changed_number": lambda rng: _with_quote(rng, _other_number),
        "missing_section": _missing_section,
        "broken_schema": _broken_schema,
        "wrong_label": _wrong_label,
        "refusal": _refusal,
    }
    return [Seeded(kind, "legal", *makers[kind](rng)) for kind in KINDS for _ in range(n)]


def _fabricated_citation(rng: np.random.Generator) -> tuple[Case, Case]:
    text = _text(rng)
    if "name" not in text.cited:
        head, section = text.cite.rsplit(" ", 1)
        number = re.sub(r"\d+", lambda digits: str(int(digits[0]) + int(rng.integers(1, 40))), section, count=1)
        false = f"{head} {number}"
    else:
        name, volume, book, page, year = (text.cited[part] for part in ("name", "volume", "book", "page", "year"))
        parties = (_pick(rng, ("Harlan", "Ostrow", "Delmar")), _pick(rng, ("Bexley", "Varga Corp.", "Tolland")))
        invented = " v. ".join(parties)
        false = (
            f"{name}, {int(volume) + int(rng.integers(1, 90))} {book} {page} ({year})",
            f"{name}, {volume} {book} {int(page) + int(rng.integers(1, 300))} ({year})",
            f"{name}, {volume} {book} {page} ({int(year) + int(rng.integers(1, 9))})",
            f"{invented}, {int(rng.integers(20, 990))} F.3d {int(rng.integers(20, 1300))} (9th Cir. 2003)",
            f"{invented}, {int(rng.integers(1000, 9000))} F. Supp. 2d {int(rng.integers(20, 1300))} (2004)",
            f"{invented}, {volume} {book} {page} ({year})",
        )[int(rng.integers(6))]
    write = _writer(rng, text)
    return _case(rng, text, write(text.sentence, text.cite)), _case(rng, text, write(text.sentence, false))


def _with_quote(
    rng: np.random.Generator, change: Callable[[np.random.Generator, str], str | None]
) -> tuple[Case, Case]:
    while True:
        text = _text(rng)
        changed = change(rng, text.sentence)
        if changed is not None:
            write = _writer(rng, text)
            return _case(rng, text, write(text.sentence, text.cite)), _case(rng, text, write(changed, text.cite))


def _missing_section(rng: np.random.Generator) -> tuple[Case, Case]:
    text = _text(rng)
    other = str(int(text.section) + int(rng.integers(100, 400)))
    write = _writer(rng, text)
    clean = write(text.sentence, text.cite)
    faulty = re.sub(rf"(?i)((?:section|sec\.|clause|\u00a7) ){text.section}\b", rf"\g<1>{other}", clean, count=1)
    return _case(rng, text, clean), _case(rng, text, faulty)


def _broken_schema(rng: np.random.Generator) -> tuple[Case, Case]:
    text = _text(rng)
    schema: JsonValue = {
        "type": "object",
        "required": ["section", "holding", "days"],
        "properties": {
            "section": {"type": "string"},
            "holding": {"enum": ["breach", "no breach"]},
            "days": {"type": "integer", "minimum": 0},
        },
        "additionalProperties": False,
    }
    right = {"section": text.section, "holding": _pick(rng, ("breach", "no breach")), "days": int(rng.integers(5, 90))}
    written = json.dumps(right, indent=int(rng.integers(0, 3)) or None)
    left_out = _pick(rng, tuple(right))
    wrong = (
        json.dumps({key: value for key, value in right.items() if key != left_out}),
        json.dumps({**right, "holding": "unclear"}),
        json.dumps({**right, "days": str(right["days"])}),
        json.dumps({**right, "days": -3}),
        json.dumps({**right, "note": "read with care"}),
        written[:-2],
        written.replace('"section"', "section"),
        "The section applies and there is no breach.",
        json.dumps([right]),
    )[int(rng.integers(9))]
    frame = _pick(rng, ("{0}", "```json\n{0}\n```", "Here is the result:\n\n```json\n{0}\n```"))
    clean, faulty = (_case(rng, text, frame.replace("{0}", reply), schema=schema) for reply in (written, wrong))
    return clean, faulty


def _wrong_label(rng: np.random.Generator) -> tuple[Case, Case]:
    text = _text(rng)
    labels = _LABELS[int(rng.integers(len(_LABELS)))]
    foreign = _pick(rng, tuple(word for word in _FOREIGN if word not in labels))
    frame = _pick(rng, _LABEL_FRAMES)
    right = _pick(rng, labels)
    clean, faulty = (_case(rng, text, frame.format(label=label), allowed=list(labels)) for label in (right, foreign))
    return clean, faulty


def _refusal(rng: np.random.Generator) -> tuple[Case, Case]:
    text = _text(rng)
    clean = _pick(
        rng,
        (
            f"The request for {text.title.lower()} was declined because notice came too late; see {text.cite}.",
            f"No. The insurer is unable to refuse payment, and Section {text.section} cannot be waived by silence.",
            f"I conclude that Section {text.section} applies. The tenant cannot rely on it without notice.",
            f"The party refused to perform and is sorry for it, but Section {text.section} does not excuse that.",
            _writer(rng, text)(text.sentence, text.cite),
        ),
    )
    return _case(rng, text, clean), _case(rng, text, _pick(rng, _REFUSALS))


def _text(rng: np.random.Generator) -> _Text:
    """A source of three to five passages, some with citations, and what to quote from it."""
    chosen = [PASSAGES[at] for at in rng.choice(len(PASSAGES), size=int(rng.integers(3, 6)), replace=False)]
    first = int(rng.integers(2, 60))
    parts, cites = [], []
    for at, (title, template) in enumerate(chosen):
        cite, cited = _cite(rng)
        cites.append((cite, cited))
        heading = _pick(rng, ("Section {0}. {1}.", "{0}. {1}.", "\u00a7 {0} {1}")).format(first + at, title)
        parts.append(f"{heading}\n{_filled(rng, template)} {_pick(rng, ('See', 'Accord', 'Cf.'))} {cite}.")
    at = int(rng.integers(len(chosen)))
    body = parts[at].split("\n", 1)[1]
    sentence = _pick(rng, tuple(re.split(r"(?<=[.]) (?=[A-Z])", body)[:2])).rstrip(".")
    return _Text("\n\n".join(parts), chosen[at][0], str(first + at), sentence, *cites[at])


def _filled(rng: np.random.Generator, template: str) -> str:
    a, b = (("tenant", "landlord"), ("buyer", "seller"), ("licensee", "licensor"), ("borrower", "lender"))[
        int(rng.integers(4))
    ]
    return template.format(
        a=a,
        b=b,
        n=int(rng.integers(2, 25)),
        days=_pick(rng, ("ten", "fifteen", "thirty", "thirty (30)", "45", "60", "ninety")),
        few=int(rng.integers(2, 9)),
        money=f"{int(rng.integers(1, 900)) * 250:,}",
        pct=_pick(rng, ("5", "7.5", "twelve", "33", "51")),
        hours=int(rng.integers(20, 100)),
        weeks=int(rng.integers(4, 20)),
    )


def _cite(rng: np.random.Generator) -> tuple[str, Mapping[str, str]]:
    if rng.random() < 0.35:
        code, section = STATUTES[int(rng.integers(len(STATUTES)))]
        return f"{code}{section}", {}
    name, volume, book, page, year = CASES[int(rng.integers(len(CASES)))]
    cited = {"name": name, "volume": str(volume), "book": book, "page": str(page), "year": str(year)}
    return f"{name}, {volume} {book} {page} ({year})", cited


def _writer(rng: np.random.Generator, text: _Text) -> Callable[[str, str], str]:
    """How one answer is written; the clean and the faulty twin are written the same way."""
    frame = _pick(rng, _FRAMES)
    left, right = (("\u201c", "\u201d"), ('"', '"'), ("\u201c", "\u201d"))[int(rng.integers(3))]
    has_ellipsis = rng.random() < 0.15

    def write(sentence: str, cite: str) -> str:
        words = sentence.split()
        if has_ellipsis and len(words) > 14 and sentence == text.sentence:
            words[4:7] = words[4:7] if _TURNING & set(words[4:7]) else ["..."]
        said = " ".join(words)
        return frame.format(section=text.section, quote=f"{left}{said}{right}", block=f"> {said}.", cite=cite)

    return write


def _case(rng: np.random.Generator, text: _Text, answer: str, **facts: JsonValue) -> Case:
    question = _pick(rng, _QUESTIONS).format(title=text.title.lower())
    query = Query(id="q", domain="legal", messages=messages_of(question))
    return Case(query=query, answer=answer, facts={"source": text.source, **facts})


def _changed_word(rng: np.random.Generator, sentence: str) -> str:
    words = sentence.split()
    places = [
        at for at, word in enumerate(words) if word.isalpha() and len(word) > 3 and word not in ("shall", "within")
    ]
    words[places[int(rng.integers(len(places)))]] = _pick(
        rng, tuple(word for word in _OTHER_WORDS if word not in words)
    )
    return " ".join(words)


def _turned_round(rng: np.random.Generator, sentence: str) -> str | None:
    if re.search(r"\bnot\b", sentence):
        return re.sub(r" not\b", "", sentence, count=1)
    if rng.random() < 0.5 and re.search(r"\b(shall|may|must|is|are)\b", sentence):
        return re.sub(r"\b(shall|may|must|is|are)\b", r"\1 not", sentence, count=1)
    return None


def _other_number(rng: np.random.Generator, sentence: str) -> str | None:
    number = re.search(r"\d[\d,.]*\d|\d|\b(?:ten|fifteen|thirty|ninety|twelve|one)\b", sentence)
    if number is None:
        return None
    if number[0][0].isdigit():
        other = f"{int(float(number[0].replace(',', '')) * (1 + rng.random())) + int(rng.integers(1, 40)):,}"
    else:
        other = _pick(rng, _NUMBERS)
    return sentence[: number.start()] + other + sentence[number.end() :]


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]
