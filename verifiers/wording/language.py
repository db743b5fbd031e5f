"""wording.language: the answer is in the asked language. It does not see a few foreign words in a long answer.

Languages are told apart by the letters' sequences (py3langid, Naive Bayes), among a restricted set: the asked one and
those that a pack names. Code, numbers and quotations say nothing of a language and are left out. An answer with too few
letters passes by rule, because no method can tell.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from core.errors import MissingExtra
from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.wording.findings import Finding, failed, not_applicable, passed, undecided

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

COMMON = tuple(
    "ar cs da de el en es fi fr he hi hu it ja ko nl no pl pt ro ru sv th tr uk vi zh".split()  # noqa: SIM905 - a list of words
)
"""Languages that an answer is told apart among, unless the pack names others."""

MIN_LETTERS = 40
"""Letters below which an answer's language is not judged."""

_SURE = 0.9
_READ = 2_000
_SILENT = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\"[^\"\n]{0,400}\"|\u201c[^\u201d]{0,400}\u201d|[A-Z0-9][A-Z0-9.]{2,}",
    re.S,
)


class LanguageCheck:
    """Finds answers in another language than the asked one."""

    id = "wording.language"
    price = Price.FREE

    def __init__(self, *, language: str | None = None, among: Sequence[str] = COMMON, required: bool = False) -> None:
        """Name the language of cases that name none.

        Args:
            language: ISO 639-1 code for cases without the fact `language`.
            among: languages that are told apart.
            required: a case that names no language cannot be decided, instead of passing.

        Raises:
            MissingExtra: py3langid is not installed.
        """
        try:
            import py3langid  # noqa: F401
        except ImportError as error:
            raise MissingExtra("py3langid", "replies", "Telling an answer's language") from error
        self._language = language
        self._among = tuple(among)
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """Whether the answer is in the asked language."""
        own = self._language
        asked = own if case.is_client_told and own is not None else case.facts.get("language") or own
        if not isinstance(asked, str):
            return not_applicable("no_language", self._required).by(self.id)
        return self._about(asked.lower().split("-")[0].split("_")[0], case.answer).by(self.id)

    def _about(self, asked: str, answer: str) -> Finding:
        text = _SILENT.sub(" ", answer[:_READ])
        if sum(map(str.isalpha, text)) < MIN_LETTERS:
            return passed("too_short")
        identifier = _identifier(tuple(sorted({*self._among, asked})))
        if identifier is None:
            return undecided("unknown_language")
        found, probability = cast("tuple[str, float]", identifier.classify(text))
        if found == asked:
            return passed("as_asked", language=found)
        said = failed("other_language") if probability >= _SURE else undecided("unsure")
        said.evidence.update(language=found, probability=round(probability, 3))
        return said


@lru_cache(maxsize=16)
def _identifier(languages: tuple[str, ...]) -> "LanguageIdentifier | None":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    try:
        identifier.set_languages(list(languages))
    except ValueError:
        return None
    return identifier
