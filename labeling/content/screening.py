"""A first screen of texts before anyone sees them: identifiers of patients, and models that name themselves.

Patterns alone, made to leave codes alone (ICD-10-CM, CPT, NDC). It finds identifiers that have a form; it does not find
names or addresses, so a clean screen is not a de-identification.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_DATE = (
    r"(?:\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}"
    r"|\d{1,2}\.?\s+[A-Za-z]{3,9}\.?,?\s+\d{4}"
    r"|[A-Za-z]{3,9}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})"
)

PHI_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "ssn": re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"),
    "mrn": re.compile(
        r"\b(?:MRN|medical record (?:number|no\.?|#)|patient (?:id|no\.?|number)|chart (?:no\.?|number|#))"
        r"(?:\s*(?:is|[:#=-]))*\s*(?=[A-Z-]{0,6}\d)[A-Z0-9-]{4,}\b",
        re.IGNORECASE,
    ),
    "phone": re.compile(r"(?<![\d.-])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\d-])"),
    "email": re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b"),
    "date_of_birth": re.compile(
        rf"\b(?:DOB|D\.O\.B\.?|date of birth|birth ?date|born(?: on)?)(?:\s*(?:is|[:=-]))*\s*{_DATE}", re.IGNORECASE
    ),
}
"""What the screen looks for, by kind."""

_FAMILIES = (
    r"(?:chat-?gpt|gpt-?\s?\d[\w.-]*|gpt|claude|gemini|bard|llama|mistral|mixtral|qwen|deepseek|grok|copilot|command r)"
)
_MAKERS = (
    r"(?:openai|anthropic|google(?: deepmind)?|deepmind|meta(?: ai)?|mistral ai|alibaba|deepseek|xai|cohere|microsoft)"
)

IDENTITY = re.compile(
    rf"\b(?:as|i am|i['’]m|my name is|this is|you are chatting with)\s+(?:an?\s+)?{_FAMILIES}\b"
    rf"|\b(?:trained|made|created|developed|built)\s+by\s+{_MAKERS}\b",
    re.IGNORECASE,
)
"""A model that says who it is, which undoes the blinding."""


def phi_kinds(texts: Iterable[str]) -> dict[str, int]:
    """How often each kind of identifier stands in the texts; kinds not found are left out.

    >>> phi_kinds(["Pt reachable at 555-010-2233, DOB 4/7/1961.", "S72.001A, CPT 99214, NDC 0002-8215-01"])
    {'phone': 1, 'date_of_birth': 1}
    """
    counts: Counter[str] = Counter()
    for text in texts:
        for kind, pattern in PHI_PATTERNS.items():
            counts[kind] += sum(1 for _ in pattern.finditer(text))
    return {kind: n for kind, n in counts.items() if n}


def names_a_model(text: str) -> bool:
    """Whether an answer tells who wrote it.

    >>> names_a_model("As GPT-4, I would code I10."), names_a_model("As with any claim, code I10.")
    (True, False)
    """
    return IDENTITY.search(text) is not None


def masked_identity(text: str) -> str:
    """The text with what tells its author struck out, so that the judging stays blind.

    >>> masked_identity("As GPT-4, I would code I10.")
    '[model], I would code I10.'
    """
    return IDENTITY.sub("[model]", text)
