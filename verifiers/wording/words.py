"""Text as a sequence of comparable words: typography, case and spacing are gone, numbers and signs are kept."""

import html
import re
import unicodedata
from functools import lru_cache

_LINE_HYPHEN = re.compile(r"(?<=[^\W\d_])-[ \t]*\r?\n[ \t]*(?=[a-z])")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u2032`]")
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|[%$\u20ac\u00a3\u00a5\u00a7<>=\u2264\u2265\u00b1]")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")

_NUMBER_WORDS_TEXT = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half "
    "first second third fourth fifth sixth seventh eighth ninth tenth once twice thrice double triple"
)
NUMBER_WORDS = frozenset(_NUMBER_WORDS_TEXT.split())
"""Words that say a quantity; a quotation that changes one says something else."""

_NEGATIONS_TEXT = (
    "not no never none neither nor without cannot nothing nobody unless except excluding excludes exclude "
    "can't don't doesn't didn't won't isn't aren't wasn't weren't shouldn't mustn't hasn't haven't nicht"
    " kein keine"
)
NEGATIONS = frozenset(_NEGATIONS_TEXT.split())
"""Words that turn a statement round."""


def words_of(text: str) -> list[str]:
    """The words, numbers and signs of the text in order, normalised so that typography makes no difference.

    >>> words_of("The \u201cTenant\u201d  shall pay $1,500.50\u2014not 5 %\u2014with\u00adin 30 days\u2019 notice.")
    ['the', 'tenant', 'shall', 'pay', '$', '1500.50', 'not', '5', '%', 'within', '30', 'days', 'notice']
    """
    return [_plain(word) if "," in word else word for word in _WORD.findall(normal_text(text))]


@lru_cache(maxsize=8)
def normal_text(text: str) -> str:
    r"""The text in compatibility form and lower case, without invisible signs, entities or broken lines.

    >>> normal_text("agree-\nment &amp; \ufb01nal")
    'agreement & final'
    """
    if "&" in text:
        text = html.unescape(text)
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return _LINE_HYPHEN.sub("", _APOSTROPHES.sub("'", text)).casefold()


def is_number(word: str) -> bool:
    """Whether a word of `words_of` says a quantity.

    >>> is_number("30"), is_number("thirty"), is_number("days")
    (True, True, False)
    """
    return word[0].isdigit() or word in NUMBER_WORDS


def _plain(word: str) -> str:
    return word.replace(",", "") if _GROUPED.fullmatch(word) else word
