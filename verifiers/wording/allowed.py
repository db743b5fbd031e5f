"""wording.allowed: the answer is one of those that may be given. It does not see whether it is the right one.

The allowed answers are the case's (fact `allowed`: a list, or letters with what they stand for), else the pack's.
Case, markup and punctuation make no difference, and `The answer is (B).` gives B. What an answer gives is looked for in
order: the whole answer, what follows `Answer:` or `the answer is`, its first or last line, and then a single allowed
answer named in its prose.
"""

import re
from collections.abc import Mapping, Sequence

from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.wording.findings import READ_CHARS, Finding, failed, not_applicable, passed, undecided
from verifiers.wording.words import NEGATIONS, normal_text

_LABEL = re.compile(
    r"(?:^|(?<=[\s.;:,(\"]))(?:(?:(?:my|the|final|correct|best|right|most likely|correct|single) ){0,4}"
    r"(?:answer|choice|option|label|category|class|classification|decision|verdict|determination|outcome"
    r"|status|rating|result)"
    r"(?: is| would be| should be)?(?: option| choice)?(?:[ \t]*[:=\u2013\u2014]|(?<=is)|(?<=be)|(?<=option)"
    r"|(?<=choice)))[ \t\n]*(?P<given>[^\n]{1,300})"
)
_PLAIN = re.compile(r"[^\w%$+<>=/.-]+")
_EDGE = ".,;:!?-/ "
_LETTER_FIRST = re.compile(r"\A\(?(?P<letter>[a-z])(?:\)|[.:]|[ ]?[-\u2013\u2014][ ]|\Z|\n|(?<![ai])(?![\w'/]))")
_TWO = -1
_FIRST_PIECE = re.compile(r"[.;,\n](?:\s|\Z)|\s[\u2013\u2014-]\s|\s?\(|\bbecause\b|\bsince\b|\bas\b")
_LETTER_IN_PROSE = re.compile(
    r"(?:\((?P<a>[a-z])\)|\b(?:option|choice|answer) (?P<b>[a-z])\b"
    r"|(?<![\w'(])(?P<c>[b-hj-z])(?=[).:]? ?(?:\Z|\n|is (?:the )?(?:correct|right|best))))"
)
_FILLER_TEXT = "it is the answer this that i would say choose select therefore so hence a an be to my final correct"
_FILLER = frozenset(_FILLER_TEXT.split())
_HEDGES_TEXT = (
    "partially partly likely unlikely probably possibly almost nearly mostly maybe perhaps somewhat semi conditionally "
    "potentially arguably neither non un pre former either"
)
_HEDGES = frozenset(_HEDGES_TEXT.split())


class AllowedCheck:
    """Finds answers that are none of the allowed ones."""

    id = "wording.allowed"
    price = Price.FREE

    def __init__(self, *, allowed: Sequence[str] | Mapping[str, str] | None = None, required: bool = False) -> None:
        """Take the answers that may be given to cases that bring none.

        Args:
            allowed: the answers, or letters with the answers that they stand for.
            required: a case without allowed answers cannot be decided, instead of passing.
        """
        self._allowed = allowed
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Whether the answer gives exactly one allowed answer."""
        given = case.facts.get("allowed")
        is_packs = given is None or (case.is_client_told and self._allowed is not None)
        choices = _choices(self._allowed if is_packs else given)
        if choices is None:
            return not_applicable("no_allowed", self._required).by(self.id)
        if not choices:
            return undecided("bad_allowed").by(self.id)
        if len(case.answer) > READ_CHARS:
            return undecided("too_long", chars=len(case.answer), read_chars=READ_CHARS).by(self.id)
        return _about(_unmarked(case.answer), choices).by(self.id)


def _about(answer: str, choices: Mapping[str, int]) -> Finding:
    """What the answer gives; `choices` maps every way to write an allowed answer to its number."""
    n_allowed = len(set(choices.values()))
    if not _plain(answer):
        return failed("empty", n_allowed=n_allowed)
    if _plain(answer) in choices:
        return passed("allowed", n_allowed=n_allowed)
    labelled = [_given(match["given"], choices) for match in _LABEL.finditer(answer)]
    if labelled:
        return _one_of(labelled, n_allowed)
    lines = [line for line in answer.splitlines() if _plain(line)]
    standing = (
        [_given(line, choices) for line in (lines[0], lines[-1])] if len(lines) > 1 else [_given(answer, choices)]
    )
    known = [number for number in standing if number is not None]
    if known:
        return _one_of(known, n_allowed)
    return _in_prose(answer, choices, n_allowed)


def _one_of(numbers: Sequence[int | None], n_allowed: int) -> Finding:
    if None in numbers:
        return failed("not_allowed", n_allowed=n_allowed)
    if _TWO in numbers or len(set(numbers)) > 1:
        return undecided("several", n_allowed=n_allowed)
    return passed("allowed", n_allowed=n_allowed)


def _given(text: str, choices: Mapping[str, int]) -> int | None:
    """The number of the choice that a short text gives: the letter in front, all of it, or its first sentence.

    A letter beside the text of another choice gives two.
    """
    stripped = text.strip(" \"'")
    letter = _LETTER_FIRST.match(stripped)
    if letter is not None and letter["letter"] in choices:
        number, rest = choices[letter["letter"]], f"{_plain(stripped[letter.end() :])} "
        named = [other for other in choices if len(other) > 1 and rest.startswith(f"{other} ")]
        return number if not named or choices[max(named, key=len)] == number else _TWO
    for piece in (text, _FIRST_PIECE.split(text)[0]):
        if (plain := _plain(piece)) in choices:
            return choices[plain]
    return None


def _in_prose(answer: str, choices: Mapping[str, int], n_allowed: int) -> Finding:
    plain = f" {_plain(answer)} "
    if all(len(choice) == 1 for choice in choices):
        letters = {match[match.lastgroup or 0] for match in _LETTER_IN_PROSE.finditer(answer)}
        numbers = [choices.get(letter) for letter in letters]
        return _one_of(numbers, n_allowed) if numbers else failed("not_allowed", n_allowed=n_allowed)
    found: set[int] = set()
    hedged = False
    longest_first = sorted((choice for choice in choices if len(choice) > 1), key=len, reverse=True)
    for choice in longest_first:
        at = plain.find(f" {choice} ")
        while at >= 0:
            before = plain[:at].split()[-2:]
            hedged = hedged or any(word in NEGATIONS or word in _HEDGES for word in before)
            found.add(choices[choice])
            plain = f"{plain[:at]} \x00 {plain[at + len(choice) + 2 :]}"
            at = plain.find(f" {choice} ")
    if not found:
        return failed("not_allowed", n_allowed=n_allowed)
    if len(found) > 1:
        return undecided("several", n_allowed=n_allowed)
    others = [word for word in plain.split() if word != "\x00" and word not in _FILLER]
    if hedged or 0 < len(others) <= 2:
        return undecided("not_alone", n_allowed=n_allowed)
    return passed("allowed", n_allowed=n_allowed)


def _choices(allowed: object) -> dict[str, int] | None:
    """Every way to write an allowed answer, with its number; None where none were given, empty where not readable."""
    if allowed is None:
        return None
    written: dict[str, int] = {}
    if isinstance(allowed, Mapping):
        rows = [[str(letter), str(text)] for letter, text in allowed.items()]
    elif isinstance(allowed, Sequence) and not isinstance(allowed, str):
        rows = [[str(text)] for text in allowed if isinstance(text, str | int | float)]
    else:
        return {}
    for number, row in enumerate(rows):
        for text in (*row, " ".join(row)):
            if plain := _plain(_unmarked(text)):
                written.setdefault(plain, number)
    return written


def _unmarked(text: str) -> str:
    return re.sub(r"[*_`#>]+", "", normal_text(text)).strip()


def _plain(text: str) -> str:
    words = (word.strip(_EDGE) for word in _PLAIN.sub(" ", text).split())
    return " ".join(word for word in words if word)
