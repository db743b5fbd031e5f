"""The word lists that detectors look names up in: read once, when first asked for. Knows words, finds nothing.

US census names come from the data files of the package `names`; the lists under data/ are Preceptor's own.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

_UP, _LETTER = r"[^\W\d_a-zß-öø-ÿ]", r"[^\W\d_]"
CAPITALISED_WORD = rf"(?:{_UP}{_LETTER}*(?:['’-]{_LETTER}+)*(?!\w))"
_PARTICLES = "del|de|las|la|los|van|von|der|den|das|da|dos|di|du|el|al|bint|bin|ibn|zu|le|y|ten|ter"
PARTICLES = frozenset(_PARTICLES.split("|"))
PARTICLE = rf"(?:{_PARTICLES})"
_INITIAL = rf"{_UP}\.(?=[ ](?:{PARTICLE}[ ])*{_UP})"
CAPITALISED_RUN = (
    rf"{CAPITALISED_WORD}(?:[ \u00a0](?:{PARTICLE}[ ]){{0,3}}(?:{_INITIAL}|{CAPITALISED_WORD}(?!\.\w))){{0,3}}"
)
"""Up to four capitalised words in a row, with initials and particles between: a name of a person or a town."""

_STATES = (
    "Alabama,Alaska,Arizona,Arkansas,California,Colorado,Connecticut,Delaware,Florida,Georgia,Hawaii,Idaho,Illinois,"
    "Indiana,Iowa,Kansas,Kentucky,Louisiana,Maine,Maryland,Massachusetts,Michigan,Minnesota,Mississippi,Missouri,Montana,"
    "Nebraska,Nevada,New Hampshire,New Jersey,New Mexico,North Carolina,North Dakota,Ohio,Oklahoma,Oregon,Pennsylvania,"
    "Rhode Island,South Carolina,South Dakota,Tennessee,Texas,Utah,Vermont,Virginia,Washington,West Virginia,Wisconsin,"
    "Wyoming,Puerto Rico,Guam"
)


def folded(word: str) -> str:
    """A word without case, accents, apostrophes and a possessive, as the lists hold it.

    >>> folded("José"), folded("O'Brien's"), folded("Müller")
    ('jose', 'obrien', 'muller')
    """
    if word.isascii():
        word = word.lower()
        if "'" not in word:
            return word
    else:
        plain = word.lower().replace("’", "'").replace("ß", "ss").replace("ø", "o").replace("ł", "l")
        word = "".join(char for char in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(char))
    return word.removesuffix("'s").rstrip("'").replace("'", "")


@cache
def states() -> frozenset[str]:
    """States and territories, which Safe Harbor lets stand."""
    return frozenset(_STATES.split(","))


@cache
def given_names() -> frozenset[str]:
    """Given names: the census lists of women and men, and those of other countries."""
    census = (*_census("dist.female.first"), *_census("dist.male.first"))
    return frozenset(name for name, _ in census) | _own("given_names.txt")


@cache
def usual_given_names() -> frozenset[str]:
    """Given names so usual that one alone, capitalised, is a person; ordinary words and towns are left out."""
    census = (*_census("dist.female.first"), *_census("dist.male.first"))
    usual = {name for name, rank in census if rank <= 1500} | _own("given_names.txt")
    return frozenset(name for name in usual if len(name) >= 4) - ordinary_words() - cities()


@cache
def family_names() -> frozenset[str]:
    """Family names: the census list, and those of other countries."""
    return frozenset(name for name, _ in _census("dist.all.last")) | _own("family_names.txt")


@cache
def usual_family_names() -> frozenset[str]:
    """Family names so usual that they are recognised beside an unknown word, or in lower case beside a given name."""
    usual = {name for name, rank in _census("dist.all.last") if rank <= 5000 and len(name) >= 3}
    return frozenset(usual | _own("family_names.txt")) - ordinary_words()


@cache
def most_usual_family_names() -> frozenset[str]:
    """Family names so usual that even an ordinary word before them is taken for a given name ("Rose Brown")."""
    return frozenset(name for name, rank in _census("dist.all.last") if rank <= 500)


@cache
def cities() -> frozenset[str]:
    """Towns of some size, of the US and abroad, as folded phrases."""
    return _own("cities.txt", ",")


@cache
def ordinary_words() -> frozenset[str]:
    """Words that stand capitalised in notes and are also somebody's name, or never one: months, headings."""
    return _own("ordinary_words.txt")


@cache
def eponyms() -> frozenset[str]:
    """Words of the phrases after which diseases, signs, scores, devices and operations are named."""
    return frozenset(word for phrase in eponym_phrases() for word in re.split(r"[ -]", folded(phrase)) if len(word) > 2)


@cache
def eponym_phrases() -> tuple[str, ...]:
    """The phrases as written, longest first."""
    return tuple(sorted(_entries("eponyms.txt", ","), key=len, reverse=True))


def _own(file_name: str, separator: str | None = None) -> frozenset[str]:
    return frozenset(folded(entry) for entry in _entries(file_name, separator))


def _entries(file_name: str, separator: str | None) -> Iterator[str]:
    """Entries of a list under data/, split at the separator or at blanks; `#` starts a comment."""
    text = files("labeling.phi").joinpath("data", file_name).read_text(encoding="utf-8")
    for line in text.splitlines():
        yield from (entry.strip() for entry in line.split("#")[0].split(separator) if entry.strip())


def _census(file_name: str) -> Iterator[tuple[str, int]]:
    """Names with their rank; a line holds name, share in percent, cumulated share, rank."""
    with files("names").joinpath(file_name).open(encoding="ascii") as lines:
        for line in lines:
            name, _, _, rank = line.split()
            yield name.lower(), int(rank)
