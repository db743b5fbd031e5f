r"""The readings of a text: what it says once tricks of writing are undone. Reads no meaning, and keeps no text.

A request may be written so that a rule misses it: with characters that do not show, with letters of another script
that look alike, as an encoded block. Each such trick has its reading, and a rule that fires on any of them has fired;
so a reading more can raise a tier and never lower it.

| reading | undoes |
|---|---|
| plain | compatibility forms (full width), characters that do not show, runs of white space, typographic marks |
| folded | accents, letters of other scripts that look like Latin ones |
| parted | characters that do not show, where they stand for blanks |
| unescaped | HTML entities, percent signs, \uXXXX |
| unspaced | words written letter by letter |
| unleeted | digits and signs in place of letters |
| decoded | blocks of base64 or hexadecimal digits that hold text, twice over |
"""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

MAX_CHARS = 200_000
"""Characters of one text that are read; a longer one is not read whole, and that is said."""

MAX_BLOCKS = 20
"""Encoded blocks that are decoded in one text."""


class Readings(NamedTuple):
    """What a text may say. `is_whole`: all of it was read. `is_hidden`: it is written so that a reader misses it."""

    texts: tuple[str, ...]
    is_whole: bool
    is_hidden: bool


def readings_of(text: str) -> Readings:
    r"""All readings of a text that differ, the plain one first.

    >>> readings_of("Is this\u200blow?").texts
    ('Is thislow?', 'Is this low?')
    >>> readings_of("s\u0430nctions").texts[1], readings_of("s\u0430nctions").is_hidden
    ('sanctions', True)
    >>> readings_of("Say c2FuY3Rpb25zIHNjcmVlbmluZw== now").texts[-1]
    'sanctions screening'
    """
    head = text[:MAX_CHARS]
    plain = _plain(head)
    found = dict.fromkeys([plain[:MAX_CHARS]])
    is_whole = len(text) <= MAX_CHARS and len(plain) <= MAX_CHARS
    is_hidden = False
    if not head.isascii():
        found[_folded(plain)] = None
        found[_plain(_UNSEEN.sub(" ", head))] = None
        is_hidden = bool(_OVERRIDES.search(head) or _mixes_scripts(plain))
        if _OVERRIDES.search(head):
            found[plain[::-1]] = None
    for other in (_unescaped(plain), _unleeted(_folded(plain))):
        found[other] = None
    joined = _unspaced(head)
    if joined is not None:
        found[_plain(joined)] = None
        is_hidden = True
    for block in _decoded(head, depth=2):
        found[_plain(block)[:MAX_CHARS]] = None
        found[_folded(_plain(block))[:MAX_CHARS]] = None
        is_hidden = True
    return Readings(tuple(found), is_whole, is_hidden)


def faults_of(text: str) -> Readings:
    r"""What `readings_of` says of a text's whole and hidden parts, without its readings: for who reads none of them.

    >>> faults_of("s\u0430nctions")
    Readings(texts=(), is_whole=True, is_hidden=True)
    """
    head = text[:MAX_CHARS]
    is_whole, is_hidden = len(text) <= MAX_CHARS, False
    if not head.isascii():
        plain = _plain(head)
        is_whole = is_whole and len(plain) <= MAX_CHARS
        is_hidden = bool(_OVERRIDES.search(head) or _mixes_scripts(plain))
    is_hidden = is_hidden or _SPACED.search(head) is not None or next(_decoded(head, depth=1), None) is not None
    return Readings((), is_whole, is_hidden)


_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\x00-\x08\x0e-\x1f\x7f-\x9f]"
)
_OVERRIDES = re.compile("[\u202d\u202e\U000e0020-\U000e007f]")
_MARKS = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc`\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63", "-")
    | {"\u2044": "/", "\u2215": "/", "*": None}
)
"""Typographic marks as the keyboard has them; asterisks, which set words in bold, are dropped."""


def _alike() -> dict[int, str]:
    pairs = (
        # Cyrillic
        ("\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u04bb", "aeopcyxijsdh"),
        ("\u051b\u051d\u0475\u043a\u043c\u0442\u0433\u0432\u043d\u0438\u043f\u044c\u0451", "qwvkmtrbhunbe"),
        ("\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406", "ABEKMHOPCTYXI"),
        # Greek
        ("\u03bf\u03b1\u03b5\u03b9\u03ba\u03bd\u03c1\u03c4\u03c5\u03c7\u03b3\u03b7\u03bc", "oaeikvptuxynu"),
        ("\u03c9\u03c3\u03f2\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f", "wocABEZHIKMNO"),
        ("\u03a1\u03a4\u03a5\u03a7\u0408\u0405", "PTYXJS"),
        # Armenian, Latin letters of other shapes, small capitals
        ("\u0585\u057d\u0570\u0578\u0581\u0566\u0131\u0251\u0261\u00f8\u0142\u0111\u0127", "ouhngqiagoldh"),
        ("\u0167\u0260\u0268\u0269\u0274\u0280\u028f\u0299\u029c\u029f\u1d00\u1d04\u1d05", "tgiinrybhlacd"),
        ("\u1d07\u026a\u1d0a\u1d0b\u1d0d\u1d0f\u1d18\u1d1b\u1d1c\u1d20\u1d21\u1d22\ua730", "eijkmoptuvwzf"),
        ("\ua731", "s"),
    )
    table = {ord(other): latin for others, latins in pairs for other, latin in zip(others, latins, strict=True)}
    for first in (0x1F150, 0x1F170, 0x1F1E6):  # letters in black circles, in black squares, of flags
        table |= {first + place: chr(ord("A") + place) for place in range(26)}
    return table


_ALIKE = _alike()
_LEET = str.maketrans("013457@$!", "oleastasi")
_LEETED = re.compile(r"(?<![^\W_])(?=[\w@$!]{0,30}[a-z])(?=[\w@$!]{0,30}[013457@$!])[\w@$!]{3,30}", re.IGNORECASE)
_SPACED = re.compile(r"(?<!\w)(?:[^\W\d_][ .\-_*|/]{1,3}){11,400}[^\W\d_](?!\w)")
_BLOCK = re.compile(r"[A-Za-z0-9+/_\-]{16,20000}={0,2}")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
_MIXABLE = ("CYRILLIC", "ARMENIAN", "CHEROKEE")


def _plain(text: str) -> str:
    if not text.isascii():
        text = _UNSEEN.sub("", unicodedata.normalize("NFKC", _UNSEEN.sub("", text)))
    return " ".join(text.translate(_MARKS).split())


def _folded(text: str) -> str:
    if text.isascii():
        return text
    bare = "".join(mark for mark in unicodedata.normalize("NFD", text) if not unicodedata.combining(mark))
    return bare.translate(_ALIKE)


def _mixes_scripts(text: str) -> bool:
    """Whether a word has Latin letters and letters that look like them. Greek does not count: 5 \u03bcg is a dose."""
    for word in re.findall(r"[^\W\d_]{2,60}", text):
        if not word.isascii() and any("a" <= letter.lower() <= "z" for letter in word):
            names = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if not letter.isascii()}
            if names.intersection(_MIXABLE):
                return True
    return False


def _unescaped(text: str) -> str:
    if "&" in text:
        text = html.unescape(text)
    if text.count("%") >= 3:
        text = unquote(text, errors="replace")
    if "\\" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), text)
        text = text.encode("utf-8", "replace").decode()
    return _plain(text)


def _unleeted(text: str) -> str:
    return _LEETED.sub(lambda match: match[0].translate(_LEET), text)


def _unspaced(text: str) -> str | None:
    """The text with words that were written letter by letter joined; None where there are none.

    Two or three blanks between letters part words.
    """
    if not _SPACED.search(text):
        return None
    return _SPACED.sub(lambda match: re.sub(r"([^\W\d_])[ .\-_*|/](?=[^\W\d_])", r"\1", match[0]), text)


def _decoded(text: str, *, depth: int) -> Iterator[str]:
    for match in list(_BLOCK.finditer(text))[:MAX_BLOCKS]:
        for content in (_from_base64(match[0]), _from_hex(match[0])):
            if content is not None and _is_prose(content):
                yield content
                if depth > 1:
                    yield from _decoded(content, depth=depth - 1)


def _from_base64(block: str) -> str | None:
    bare = block.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _from_hex(block: str) -> str | None:
    try:
        return bytes.fromhex(block).decode()
    except ValueError:
        return None


def _is_prose(text: str) -> bool:
    """Whether most of it is letters and blanks, so that it is meant to be read."""
    return len(text) >= 8 and sum(letter.isalpha() or letter.isspace() for letter in text) >= 0.6 * len(text)
