"""Finds the citations of a text and gives each a key that does not depend on how it is written.

American cases, statutes and journals are found by eyecite's tokeniser with the tables of reporters-db; the rest by the
forms below. Nothing here knows whether a citation exists.
"""

import re
from typing import TYPE_CHECKING, NamedTuple

from core.errors import MissingExtra
from verifiers.wording.words import normal_text

if TYPE_CHECKING:
    from eyecite.models import CitationToken

_OF_TITLE = re.compile(
    r"\b[Ss]ec(?:tion|\.) (?P<section>\d[\w.-]*(?:\([A-Za-z0-9]{1,5}\))*) of [Tt]itle (?P<title>\d{1,2})(?!\w)"
    r"(?: of the (?:United States Code|U\.S\.C\.?|U\.S\. Code))?"
)
"""`section 1983 of title 42`, turned into 42 U.S.C. section 1983 before reading."""

_SIGNLESS = re.compile(
    r"(?P<before>\b\d{1,2},?[ \u00a0](?:U\. ?S\. ?C\.(?: ?A\.| ?S\.)?|USCA?|C\. ?F\. ?R\.|CFR)[ \u00a0])"
    r"(?P<words>(?:[Pp]arts?|[Pp]ts?\.)[ \u00a0])?(?=\d)"
)
"""A code cited without its section sign, as in 17 CFR 240.10b-5."""

_OTHERS = re.compile(
    r"(?P<law>\b(?P<title>\d{1,3}),? (?:(?P<usc>U\. ?S\. ?C\.(?: ?A\.| ?S\.)?|USCA?|U\.S\. Code|United States Code,?)"
    r"|C\. ?F\. ?R\.|CFR|Code of Federal Regulations,?)"
    r" (?:\u00a7{1,2}|[Ss]ec(?:tions?|s?\.)) ?(?P<section>\d[\dA-Za-z]*(?:[.-]\d*[a-z]?\d*[A-Za-z]?)*(?<![.-])))"
    r"|(?P<rule>\bFed(?:eral|\.) ?R(?:ules?|\.)(?: of)? ?(?:Civ(?:il|\.)|Crim(?:inal|\.)|App(?:ellate|\.)"
    r"|Evid(?:ence|\.)|Bankr(?:uptcy|\.))"
    r"(?: ?P(?:rocedure|\.))?,?(?: Rule)? \d+(?:\.\d+)?(?:\([a-z0-9]{1,4}\))*)"
    r"|(?P<public_law>\b(?:Pub(?:\.|lic) ?L(?:\.|aw)|P\.L\.)(?: No\.)? ?\d{1,3}-\d{1,4}\b)"
    r"|(?P<statutes>\b\d{1,3} Stat\. \d{1,5}\b)"
    r"|(?P<neutral>[\[(][12]\d{3}[\])](?: \d{1,3})? [A-Z][A-Za-z.]{1,10}(?: \(?[A-Z][A-Za-z]{1,6}\)?)?"
    r" \d{1,5}\b(?: \([A-Z][a-z]+\))?)"
    r"|(?P<canadian>\b[12]\d{3} (?:SCC|FCA?|ONCA|BCCA|ABCA|QCCA|TCC|FC|ONSC|BCSC|IESC|IEHC|NZSC|NZCA|HCA) \d{1,5}\b)"
    r"|(?P<union_case>\b(?:Joined )?Cases? [CTF]-\d{1,4}/\d{2}\b)"
    r"|(?P<ecli>\bECLI:[A-Z]{2}:[A-Z0-9]{1,7}:\d{4}:[A-Z0-9.]{1,25})"
    r"|(?P<union_act>\b(?:Regulation|Directive|Decision) (?:\((?:EU|EC"
    r"|EEC)\) )?(?:No\.? )?\d{1,4}/\d{1,4}(?:/(?:EU|EC|EEC))?)"
    r"|(?P<doi>\b10\.\d{4,9}/[-._;()/:A-Za-z0-9]+[A-Za-z0-9])"
    r"|(?P<arxiv>\barXiv:\d{4}\.\d{4,5})"
    r"|(?P<docket>\bNo\. ?\d{1,2}[:-](?:cv|cr|mc|bk|md|\d{1,2})[-\d:a-zA-Z]{1,15})"
    r"|(?P<author>\b(?!(?:January|February|March|April|May|June|July|August|September|October|November|December)\b)"
    r"[A-Z][a-z]+(?:(?: (?:&|and) [A-Z][a-z]+)| et al\.?)(?:, | \()(?:1[89]|20)\d{2}\b)"
    r"|(?P<unknown>(?<=, )\d{1,4} [A-Z][\w.']{0,9}(?: ?[A-Z0-9][\w.']{0,8}){0,3} \d{1,5}(?= ?(?:[,(]|\.[ \n]|\.?$)))"
)
"""What eyecite does not read. `unknown` is looked at only after a case's name."""

_NAME_WORD = r"(?:[A-Z][\w.'\u2019&-]*|of|the|and|&|for|ex|rel\.|de|la|von)"
_NAMES = re.compile(
    r"(?P<one>[A-Z][\w.'\u2019&-]*(?:,? (?:Inc|Corp|Co|Ltd|LLC|L\.L\.C)\.?|(?: " + _NAME_WORD + r")){0,7}),? "
    r"(?:vs?\.?|versus) (?P<two>[A-Z][\w.'\u2019&-]*(?:,? (?:Inc|Corp|Co|Ltd|LLC|L\.L\.C)\.?|(?: "
    + _NAME_WORD
    + r")){0,7})"
)
_IN_RE = re.compile(
    r"\b(?:In re|Ex parte|Matter of|Estate of) (?P<name>[A-Z][\w.'&-]*(?: (?:[A-Z][\w.'&-]*|of|the|and|&)){0,5})"
)
_YEAR = re.compile(
    r"\A(?:,? (?:at )?(?:\d{1,5}(?:[-\u2013]\d{1,5})?)(?: n\.? ?\d{1,3})?)*(?:,? ?\d{1,4} [A-Z][\w. ]{0,12} \d{1,5})*"
    r",? ?[(\[](?:[^()\[\]]{0,40}?[ ])?(?P<year>1[6-9]\d\d|20\d\d)[)\]]"
)
_PIN = re.compile(r"\A,? (?:at )?(?P<pin>\d{1,5})(?![\w.])(?! [A-Z])")
_SUBS = re.compile(r"\A(?:\([A-Za-z0-9]{1,5}\))+")
_MORE = re.compile(r"(?:[.-]\d+[A-Za-z]{0,2}(?:-\d+)*)+")
"""What eyecite leaves of a section number such as 240.10b-5."""

_PIECE = 2_000
_OVERLAP = 300
_ALNUM = re.compile(r"[^\W_]+")


class Citation(NamedTuple):
    """One citation, and where it stands in the text (`normalised` by `Reader.prepared`)."""

    kind: str
    """`case`, `short` (a case by volume and page in it), `law`, `journal`, or the name of another form."""
    key: tuple[str, ...]
    """The same for two citations of the same thing: (volume, reporter, page), (title, code, section) ..."""
    start: int
    end: int
    year: int | None
    pin: int | None
    subs: tuple[str, ...]
    first_year: int | None
    """When the reporter began, where that is known."""
    last_year: int | None
    written: str
    """As it is written, subsections left out."""

    def again(self, text: str, end: int) -> "Citation":
        """The same citation where another text writes it alike, ending at `end`, with the year and parts said there."""
        after = text[end : end + 160]
        year, subs = _YEAR.match(after), _SUBS.match(after)
        given = tuple(re.findall(r"\(([^)]+)\)", subs[0])) if subs and self.kind == "law" else ()
        return self._replace(year=int(year["year"]) if year else None, pin=None, subs=given, start=end, end=end)


class CaseName(NamedTuple):
    """A case that a text names, as its parties' words, and where."""

    words: tuple[str, ...]
    start: int
    end: int


class Reader:
    """Reads citations. Building one loads the tables of reporters (half a second)."""

    def __init__(self) -> None:
        """Load the tables.

        Raises:
            MissingExtra: eyecite is not installed.
        """
        try:
            from eyecite.models import CitationToken
            from eyecite.tokenizers import default_tokenizer
        except ImportError as error:
            raise MissingExtra("eyecite", "legal", "Finding citations") from error
        self._tokenizer = default_tokenizer
        self._token = CitationToken

    def prepared(self, text: str) -> str:
        """The text as citations are read from it: one space between words, every code with its section sign."""
        text = re.sub(r"[\s\u00a0]+", " ", re.sub(r"[*_`]", "", text)).replace("\u2019", "'")
        text = _OF_TITLE.sub("\\g<title> U.S.C. \u00a7 \\g<section>", text)
        return _SIGNLESS.sub("\\g<before>\u00a7 ", text)

    def citations(self, text: str, *, enough: int = 1_000) -> list[Citation]:
        """The citations of a prepared text, in order, until there are more than `enough`.

        The text is read in overlapping pieces, because the tokeniser slows down with the square of what it finds.

        >>> reader = Reader()
        >>> text = reader.prepared("Mapp v. Ohio, 367 U. S. 643, 655 (1961); 17 CFR 240.10b-5")
        >>> [citation.key for citation in reader.citations(text)]
        [('367', 'U.S.', '643'), ('17', 'C.F.R.', '240.10b-5')]
        """
        found: list[Citation] = []
        for start in range(0, max(1, len(text) - _OVERLAP), _PIECE):
            piece = text[start : start + _PIECE + _OVERLAP]
            first = _OVERLAP // 2 if start else 0
            last = len(piece) if start + len(piece) == len(text) else _PIECE + _OVERLAP // 2
            found += [
                one._replace(start=one.start + start, end=one.end + start)
                for one in self._of_piece(piece)
                if first <= one.start < last
            ]
            if len(found) > enough:
                break
        return found

    def _of_piece(self, text: str) -> list[Citation]:
        found: list[Citation] = []
        for _, token in self._tokenizer.tokenize(text)[1]:
            if isinstance(token, self._token) and (one := _of_token(token, text)) is not None:
                found.append(one)
        taken = {place for one in found for place in range(one.start, one.end)}
        named = {place for name in case_names(text) for place in range(name.end, name.end + 4)}
        for match in _OTHERS.finditer(text):
            kind = next(kind for kind, value in match.groupdict().items() if value)
            if not taken.isdisjoint(range(match.start(), match.end())):
                continue
            if kind == "unknown" and match.start() not in named:
                continue
            found.append(_of_form(kind, match, text))
        return sorted(found, key=lambda one: one.start)


def case_names(text: str) -> list[CaseName]:
    """The cases that a prepared text names.

    >>> [name.words for name in case_names("As Mapp v. Ohio, 367 U.S. 643, and In re Doe say")]
    [('mapp', 'ohio'), ('doe',)]
    """
    lone = (CaseName(_parties(match["name"]), match.start(), match.end()) for match in _IN_RE.finditer(text))
    return [
        CaseName(_parties(_left_party(match["one"])) + _parties(match["two"]), match.start(), match.end())
        for match in _NAMES.finditer(text)
    ] + [name for name in lone if name.words]


_SHORTENED = frozenset(
    f"{word}."
    for word in (
        "corp",
        "inc",
        "co",
        "ltd",
        "bros",
        "mfg",
        "univ",
        "dep't",
        "ass'n",
        "nat'l",
        "int'l",
        "st",
        "dr",
        "mr",
        "ms",
        "mrs",
        "ry",
        "r.r",
        "ins",
        "elec",
        "dist",
        "comm'n",
        "bd",
        "cty",
        "tel",
        "rel",
        "hosp",
        "sch",
        "sys",
        "indus",
        "gen",
        "fed",
    )
)
"""Shortened words that may stand in a name."""

_NOT_A_PARTY_TEXT = (
    "see in the and of for also cf but as under accord compare inc corp co ltd llc held court ex rel id supra infra "
    "however moreover thus therefore citing quoting following while although because if when where similarly"
)
_NOT_A_PARTY = frozenset(_NOT_A_PARTY_TEXT.split())


def _left_party(side: str) -> str:
    """What of the words before *v.* is a name: not the sentence before, as in `Authority. Gideon`."""
    dotted = [match for match in re.finditer(r"(?<![\w.])[\w']{2,}\.(?= )", side) if match[0].lower() not in _SHORTENED]
    return side[dotted[-1].end() :] if dotted else side


def _parties(side: str) -> tuple[str, ...]:
    words = (word.strip("'") for word in re.split(r"[^\w'&]+", normal_text(side)))
    return tuple(word for word in words if len(word) > 2 and word not in _NOT_A_PARTY)


def _of_token(token: "CitationToken", text: str) -> Citation | None:
    editions = token.exact_editions or token.variation_editions
    if not editions:
        return None
    edition = editions[0]
    groups = token.groups
    source = edition.reporter.source
    kind = {"laws": "law", "journals": "journal"}.get(source, "short" if token.short else "case")
    if source == "laws":
        title = groups.get("title") or groups.get("chapter") or groups.get("volume") or groups.get("subject") or ""
        number = groups.get("section") or groups.get("page") or ""
        if edition.short_name in ("Pub. L.", "U.S.C.", "C.F.R."):  # of which eyecite reads less than our own forms
            return None
    else:
        title, number = groups.get("volume") or "", groups.get("page") or ""
    end = token.end
    if kind == "law" and (more := _MORE.match(text, end)) is not None:
        number, end = number + more[0], more.end()
    number = number.rstrip(".")
    after = text[end : end + 160]
    subs = _SUBS.match(after)
    year, pin = _YEAR.match(after), _PIN.match(after)
    starts = [one.start.year for one in editions if one.start]
    ends = [one.end.year for one in editions if one.end]
    return Citation(
        kind,
        (title.replace(",", ""), edition.short_name, number),
        token.start,
        end + (subs.end() if subs else 0),
        int(year["year"]) if year else None,
        int(pin["pin"]) if pin and kind != "law" else None,
        tuple(re.findall(r"\(([^)]+)\)", subs[0])) if subs else (),
        min(starts) if len(starts) == len(editions) else None,
        max(ends) if len(ends) == len(editions) else None,
        text[token.start : end],
    )


def _of_form(kind: str, match: "re.Match[str]", text: str) -> Citation:
    words = tuple(_ALNUM.findall(normal_text(match[0])))
    end = match.end()
    if kind == "law":
        subs = _SUBS.match(text[end : end + 60])
        return Citation(
            kind,
            (match["title"], "U.S.C." if match["usc"] else "C.F.R.", match["section"].lower()),
            match.start(),
            end + (subs.end() if subs else 0),
            None,
            None,
            tuple(re.findall(r"\(([^)]+)\)", subs[0])) if subs else (),
            None,
            None,
            match[0],
        )
    if kind == "public_law":
        words = words[-2:]
    elif kind == "rule":
        area = next(word[:3] for word in words if word.startswith(("civ", "cri", "app", "evi", "ban")))
        words = (area, *_ALNUM.findall(normal_text(re.sub(r"^\D*", "", match[0]))))
    year = _YEAR.match(text[match.end() : match.end() + 60])
    said = int(year["year"]) if year else None
    return Citation(kind, words, match.start(), match.end(), said, None, (), None, None, match[0])
