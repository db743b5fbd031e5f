"""wording.refusal: the answer answers. It finds answers that are empty, decline, or say that they cannot tell.

Only the answer's own voice counts: `I cannot help with that` declines, `the claim was declined` and `the insurer is
unable to pay` do not, nor does anything in quotation marks. Declining counts in the first sentences, or anywhere in a
short answer. A disclaimer before a real answer is soft.
"""

import re

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.wording.findings import READ_CHARS, Finding, failed, passed, undecided, unless_unread
from verifiers.wording.words import normal_text

_QUOTED = re.compile(
    '"[^"\n]{0,600}"|\u201c[^\u201d]{0,600}\u201d|\u00ab[^\u00bb]{0,600}\u00bb|^[ \t]*>[^\n]*$', re.MULTILINE
)
_CANNOT = (
    r"(?:can ?not|can't|could ?not|couldn't|am (?:not|un)(?: ?able| ?in a position| ?allowed| ?permitted"
    r"| ?authorized| ?qualified)(?: to)?"
    r"|'m (?:not|un)(?: ?able| ?in a position| ?allowed| ?permitted| ?authorized| ?qualified)(?: to)?"
    r"|won't(?: be able to)?|will (?:not|be unable to)(?: be able to)?|would rather not|must (?:decline"
    r"|refuse)(?: to)?|have to (?:decline|refuse)(?: to)?|(?:respectfully )?(?:decline|refuse) to"
    r"|do not have the (?:ability|means) to|don't have the (?:ability|means) to)"
)
_ANSWERING = (
    r"(?:help|assist|answer|respond|comply|fulfil?l?|complete|do (?:that|this|so)|discuss|share|advise"
    r"|support|engage|continue|proceed"
    r"|provide|give|offer|generate|create|produce|write|assign|determine|tell|say|identify|select|choose"
    r"|decide|process)"
)
_DECLINES = re.compile(
    rf"\b(?:i|we)(?: (?:really|simply|regret that i|am afraid(?: that)? i|am sorry(?:,)?(?: but)? i|just"
    rf"|also))? ?{_CANNOT} (?:really |currently |directly |possibly |reliably |actually |confidently )?{_ANSWERING}\b"
    r"|\b(?:i'?m|i am) (?:very |so |really |truly )?(?:sorry|afraid)[,.]? (?:but )?(?:i |we )?(?:can't"
    r"|can ?not|am unable|am not able|won't|don't|do not|that|this)\b"
    r"|\A(?:[\w ',]{0,40}\b)?(?:i|we) (?:can ?not|can't|am unable to) (?:access|see|view|open|read|verify|browse)\b"
    r"|\A(?:sorry[,.] |apologies[,.] )?unable to (?:help|assist|answer|respond|comply|complete|process"
    r"|provide|determine)\b"
    r"|\b(?:this|your|that) (?:request|question|query) (?:can ?not|can't|could not) be (?:fulfil?led|answered"
    r"|completed|processed)"
    r"|\bas an? (?:ai|artificial intelligence|(?:large )?language model|assistant|virtual assistant|chatbot)\b"
    r"|\bi(?:'m| am) (?:just |only )?an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\bi (?:must|have to|need to) (?:respectfully )?(?:decline|refuse)\b|\bi (?:respectfully )?decline\b"
    r"|\b(?:my|our) (?:guidelines|policies|programming|safety)[^.\n]{0,40} (?:prevent|prohibit|do not allow"
    r"|don't allow)"
    r"|\b(?:is|falls) (?:outside|beyond) (?:of )?(?:my|the scope of my) (?:scope|capabilit|expertise|abilit|knowledge)"
    r"|\bno puedo (?:ayudar|responder|proporcionar|dar|asistir)|\blo siento,? (?:pero )?no puedo"
    r"|\bje (?:ne (?:peux|puis) pas|suis d\u00e9sol\u00e9e?,? (?:mais )?je ne)|\bich kann (?:ihnen |dir "
    r"|dabei |diese \w+ |das |leider )*nicht (?:helfen|beantworten|weiterhelfen)"
    r"|\bes tut mir leid,? (?:aber )?(?:ich kann|das kann)|\bn\u00e3o posso (?:ajudar|responder|fornecer)"
    r"|\bnon posso (?:aiutare|rispondere|fornire)"
)
_ABSTAINS = re.compile(
    r"\b(?:i|we) (?:honestly |really |simply )?(?:do not|don't|can't|can ?not) (?:know|have (?:enough"
    r"|sufficient|any|access)|tell|be (?:sure|certain))\b"
    r"|\b(?:i|we)(?:'m| am|'re| are) (?:really )?not (?:sure|certain|confident)\b|\b(?:i|we) (?:have|'ve) no idea\b"
    r"|\b(?:i|we) (?:would )?need (?:more|additional|further) (?:information|context|details)\b"
)
_NOT_ENOUGH = re.compile(
    r"\b(?:not enough|insufficient|inadequate|too little) (?:information|context|details?|data|documentation"
    r"|evidence)\b"
    r"|\bcannot be (?:determined|answered|decided|established)\b|\b(?:more|additional|further) (?:information"
    r"|context|documentation) (?:is|would be) (?:needed|required|necessary)\b"
)
_EMPTY = frozenset(
    (
        "",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "no answer",
        "no response",
        "unknown",
        "error",
        "undefined",
        "nan",
        "tbd",
        "todo",
        "...",
        "[]",
        "{}",
    )
)
_BUT = re.compile(r"\b(?:but|however|that said|nevertheless|nonetheless|still)\b")
_OPENING_CHARS = 400
_SHORT_WORDS = 60
_CONTENT_WORDS = 25


class RefusalCheck:
    """Finds answers that are none."""

    id = "wording.refusal"
    price = Price.FREE

    def judge(self, case: Case) -> CheckResult:
        """Whether the answer answers."""
        return unless_unread(_about(case.answer[:READ_CHARS]), case.answer).by(self.id)


def _about(answer: str) -> Finding:
    text = " ".join(_QUOTED.sub(" ", normal_text(answer)).split())
    said = normal_text(answer).strip(" \t\r\n.*_`-\"'")
    if said in _EMPTY or not any(map(str.isalnum, answer)):
        return failed("empty")
    n_words = len(text.split())
    looked_at = text if n_words <= _SHORT_WORDS else text[:_OPENING_CHARS]
    declined = _DECLINES.search(looked_at)
    if declined is not None:
        return (
            undecided("hedged", n_words=n_words)
            if _goes_on(text, declined.end())
            else failed("declined", n_words=n_words)
        )
    if (abstained := _ABSTAINS.search(looked_at)) is not None:
        return (
            undecided("hedged", n_words=n_words)
            if _goes_on(text, abstained.end())
            else failed("abstained", n_words=n_words)
        )
    if n_words <= _SHORT_WORDS and _NOT_ENOUGH.search(looked_at) is not None:
        return undecided("not_enough", n_words=n_words)
    return passed("answers", n_words=n_words)


def _goes_on(text: str, end: int) -> bool:
    """Whether an answer comes after the disclaimer: it turns round with *but*, and enough follows."""
    turned = _BUT.search(text, end)
    return turned is not None and len(text[turned.end() :].split()) >= _CONTENT_WORDS
