"""Finds the quotations of an answer. It does not know whether they are true."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from verifiers.wording.words import words_of

_PAIRED = re.compile(
    "\u201c(?P<curly>[^\u201c\u201d]{2,4000})\u201d"
    "|\u201e(?P<low>[^\u201e\u201c\u201d]{2,4000})[\u201c\u201d]"
    "|\u00ab(?P<angled>[^\u00ab\u00bb]{2,4000})\u00bb"
    "|``(?P<tex>[^`]{2,4000}?)''"
    '|(?<!\\w)"(?=[^\\s"])(?P<straight>[^"]{2,4000})"(?!\\w)'
    "|(?<![\\w\u2019])\u2018(?P<single_curly>(?:[^\u2018\u2019\\n]|(?<=\\w)\u2019(?=\\w)){2,2000})\u2019"
    "|(?<![\\w'])'(?=[^\\s'])(?P<single>(?:[^'\\n]|(?<=\\w)'(?=\\w)){2,2000})(?<!\\s)'(?![\\w'])"
)
_UNCLOSED = re.compile('(?:\u201c|(?<!\\w)"(?=[^\\s"]))(?P<open>[^\u201d"\u201c]{2,4000})\\Z')
_BLOCK = re.compile(r"(?:^[ \t]{0,3}>[^\n]*(?:\n|\Z))+", re.MULTILINE)
_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})(?![`~])[^\n]*\n(?P<code>.*?)(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_QUOTING_KEY = re.compile(r"quot|excerpt|verbatim|passage", re.IGNORECASE)

_GAP = re.compile(
    r"\[\s*(?:sic|emphasis[^\]]{0,40}|citation[^\]]{0,40}|internal[^\]]{0,60})\s*\]"
    "|(?P<ellipsis>\\[\\s*(?:\\.\\s*){2,4}\\]|\\[\\s*\u2026\\s*\\]|\\(\\s*(?:\\.{3}|\u2026)\\s*\\)|\u2026"
    "|(?:\\.[ \u00a0]?){3,4}|\\*[ ]?\\*[ ]?\\*)"
    r"|(?P<inserted>(?<![\w\]])\[[^\[\]]{1,200}\](?!\w))",
    re.IGNORECASE,
)
_ALTERED = re.compile(r"\[([^\[\]]{0,20})\]")


class Part(NamedTuple):
    """Words that stand together in a quotation. `may_skip` says what its author left out before them."""

    words: tuple[str, ...]
    may_skip: str
    """`nothing`, `inserted` (words in brackets stand for a few of the source's) or `ellipsis`."""


def quotations(answer: str) -> list[str]:
    r"""The texts that the answer puts in quotation marks or block quotes, in no promised order.

    Code fences are not read, and of a JSON answer only its strings: what they quote, and whole those under a key such
    as `quote` or `excerpt`.

    >>> quotations('It says "the tenant shall pay" and \u201cnot before noon\u201d; the tenants\' duty.')
    ['the tenant shall pay', 'not before noon']
    >>> quotations('{"quote": "rent is due monthly", "verdict": "yes"}')
    ['rent is due monthly']
    """
    replied = _json_of(answer)
    if replied is not None:
        return [quoted for key, text in _strings(replied) for quoted in _of_field(key, text)]
    return list(_of_prose(answer))


def parts_of(quotation: str) -> tuple[Part, ...]:
    """The quotation as runs of words, parted where it says that it left something out or put something in.

    `[t]he` is one word; `[sic]` and `[emphasis added]` are nothing.

    >>> [(" ".join(part.words), part.may_skip) for part in parts_of("[T]he fee . . . is [not less than] $5.")]
    [('the fee', 'nothing'), ('is', 'ellipsis'), ('$ 5', 'inserted')]
    """
    parts: list[Part] = []
    skip, start = "nothing", 0
    for gap in [*_GAP.finditer(quotation), None]:
        piece = quotation[start : gap.start() if gap else None]
        words = tuple(words_of(_ALTERED.sub(r"\1", piece)))
        if words:
            parts.append(Part(words, skip if parts else "nothing"))
            skip = "nothing"
        if gap:
            start = gap.end()
            kind = "ellipsis" if gap["ellipsis"] else "inserted" if gap["inserted"] else "nothing"
            skip = kind if skip == "nothing" else skip
    return tuple(parts)


def _of_prose(text: str) -> Iterator[str]:
    text = _FENCE.sub("\n\n", text)
    for block in _BLOCK.finditer(text):
        quoted = re.sub(r"^[ \t]{0,3}>[ \t]?", "", block[0], flags=re.MULTILINE)
        yield from _marked(quoted) if _PAIRED.search(quoted) else [quoted]
    yield from _marked(_BLOCK.sub("\n\n", text))


def _marked(text: str) -> Iterator[str]:
    """What stands in quotation marks; a mark that a paragraph does not close quotes to the paragraph's end."""
    for paragraph in _PARAGRAPH.split(text):
        end = 0
        for match in _PAIRED.finditer(paragraph):
            yield match[match.lastgroup or 0]
            end = match.end()
        if (rest := _UNCLOSED.search(paragraph, end)) is not None:
            yield rest["open"]


def _of_field(key: str, text: str) -> Iterator[str]:
    if _QUOTING_KEY.search(key):
        yield text.strip("\"'\u201c\u201d\u2018\u2019 ")
    else:
        yield from _of_prose(text)


def _json_of(answer: str) -> object | None:
    stripped = answer.strip()
    fence = _FENCE.fullmatch(stripped)
    stripped = fence["code"].strip() if fence else stripped
    if not stripped.startswith(("{", "[")):
        return None
    try:
        replied: object = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    return replied


def _strings(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a JSON value with the key that it stands under."""
    waiting: list[tuple[str, object]] = [(key, value)]
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, str):
            yield name, item
        elif isinstance(item, dict):
            waiting.extend((str(inner), content) for inner, content in reversed(item.items()))
        elif isinstance(item, list):
            waiting.extend((name, content) for content in reversed(item))
