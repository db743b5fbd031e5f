"""wording.citation: every citation of the answer stands in the source, or in a list of known citations.

| found | outcome | reason |
|---|---|---|
| each in the source or the list, in this year, by these names, at this page | pass | in_source |
| in neither, and no book has such a volume, title or page | fail | no_such_volume, no_such_title, no_such_page |
| in neither, and its own numbers speak against it | fail | year_outside_reporter, pin_before_page |
| in the source with another year | fail | other_year |
| in neither | cannot decide (or fail, by option) | not_in_source |
| a case's name, a page or a subsection is not in the source | cannot decide | name_, pin_, part_not_in_source |
| `Id.`, `supra` or a short form points to nothing | cannot decide | unresolved_id, unresolved_supra, unresolved_short |

It does not see whether the authority supports what the answer makes of it, nor whether it is still good law.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from core.errors import DataError
from verifiers.case import Case
from verifiers.chain import CheckResult, Price
from verifiers.wording.citation_forms import CaseName, Citation, Reader, case_names
from verifiers.wording.findings import (
    READ_CHARS,
    SOURCE_CHARS,
    Finding,
    failed,
    not_applicable,
    passed,
    undecided,
    unless_unread,
)
from verifiers.wording.reporter_limits import implausible
from verifiers.wording.words import normal_text

_ID = re.compile(r"(?<![\w.])(?:Id|Ibid|Idem)\.(?:,? at (?P<pin>\d{1,5}))?|(?<=[(;] )(?:id|ibid)\.|(?<=\bsee )id\.")
_SUPRA = re.compile(
    r"(?P<name>[A-Z][\w'&.-]+)?,? \bsupra\b(?! (?:notes?|parts?|sections?|pp?\.|\u00a7))", re.IGNORECASE
)
_MAX_CITATIONS = 60
_MAX_WINDOWS = 8
_BEFORE = 250


class CitationCheck:
    """Finds citations that neither the source nor a list of known ones holds."""

    id = "wording.citation"
    price = Price.FREE

    def __init__(
        self,
        *,
        known: Path | str | None = None,
        ungrounded: Literal["cannot_decide", "fail"] = "cannot_decide",
        required: bool = False,
    ) -> None:
        """Load the tables of reporters, and the list of known citations.

        Args:
            known: a text file of citations that exist, one a line.
            ungrounded: the outcome of a citation that is in neither the source nor the list.
            required: an answer without a citation cannot be decided, instead of passing.

        Raises:
            MissingExtra: eyecite is not installed.
            DataError: a line of the list holds no citation.
        """
        self._reader = Reader()
        self._known = frozenset(_known(Path(known), self._reader)) if known is not None else frozenset()
        self._ungrounded = ungrounded
        self._required = required

    def judge(self, case: Case) -> CheckResult:
        """The worst that was found about any citation."""
        answer = self._reader.prepared(case.answer[:READ_CHARS])
        cited = self._reader.citations(answer, enough=_MAX_CITATIONS)
        names = case_names(answer)
        if not cited and not names and _ID.search(answer) is None and _SUPRA.search(answer) is None:
            return unless_unread(not_applicable("no_citations", self._required), case.answer).by(self.id)
        source = _Source(case, self._reader)
        worst: Finding | None = None
        for finding in self._findings(answer, cited, names, source):
            if worst is None or finding.severity > worst.severity:
                worst = finding
        if worst is None and len(cited) > _MAX_CITATIONS:
            worst = undecided("too_many", n_citations=len(cited))
        good = passed("in_source", n_citations=len(cited))
        return unless_unread(worst or good, case.answer).by(self.id)

    def _findings(
        self, answer: str, cited: Sequence[Citation], names: Sequence[CaseName], source: "_Source"
    ) -> Iterator[Finding]:
        for number, citation in enumerate(cited[:_MAX_CITATIONS]):
            finding = self._about(citation, cited, source)
            if finding is not None:
                finding.evidence.update(kind=citation.kind, citation=number, n_citations=len(cited))
                yield finding
        for name in names[:_MAX_CITATIONS]:
            if not source.holds_words(name.words):
                yield undecided("name_not_in_source", n_names=len(names))
        yield from _unresolved(answer, cited, source)

    def _about(self, citation: Citation, cited: Sequence[Citation], source: "_Source") -> Finding | None:
        if citation.kind == "short":
            return _short(citation, cited, source)
        standing = source.find(citation)
        if not standing:
            if (reason := implausible(citation)) is not None:
                return failed(reason)
            if citation.key in self._known:
                return None
            return failed("not_in_source") if self._ungrounded == "fail" else undecided("not_in_source")
        years = {other.year for other in standing if other.year is not None}
        if citation.year is not None and years and citation.year not in years:
            return failed("other_year", year=citation.year)
        if citation.pin is not None and not source.holds_number(citation.pin):
            return undecided("pin_not_in_source", page=citation.pin)
        if citation.subs and not any(_begins(other.subs, citation.subs) for other in standing):
            return None if source.holds_marks(citation.subs) else undecided("part_not_in_source")
        return None


class _Source:
    """The texts that citations may stand in; only the places with a citation's numbers are read closely."""

    def __init__(self, case: Case, reader: Reader) -> None:
        said = "\n\n".join(message.content for message in case.query.messages)
        self._reader = reader
        self._text = reader.prepared(f"{case.source}\n\n{said}"[:SOURCE_CHARS])
        self._normal = normal_text(self._text)

    def find(self, citation: Citation) -> list[Citation]:
        """The same citation as it stands in the source, each time; read closely only where it is written otherwise."""
        verbatim = [citation.again(self._text, end) for end in self._ends_of(citation)]
        if verbatim:
            return verbatim
        numbers = [part for part in citation.key if any(letter.isdigit() for letter in part)]
        if not numbers:
            return []
        pattern = r"(?<![\d.])" + r"(?!\d).{1,80}?(?<!\d)".join(
            map(re.escape, [*numbers[:1], *numbers[-1:]][: len(numbers)])
        )
        found: list[Citation] = []
        for _, match in zip(range(_MAX_WINDOWS), re.finditer(pattern, self._text, re.IGNORECASE), strict=False):
            window = self._text[max(0, match.start() - 60) : match.end() + 60]
            found += [other for other in self._reader.citations(window) if other.key == citation.key]
        return found

    def _ends_of(self, citation: Citation) -> list[int]:
        """Where the source writes the citation as the answer does."""
        pattern = rf"(?<![\w.]){re.escape(citation.written)}(?!\w|[.-]\w)"
        places = re.finditer(pattern, self._text) if citation.written else ()
        return [match.end() for _, match in zip(range(_MAX_WINDOWS), places, strict=False)]

    def holds_volume(self, citation: Citation) -> bool:
        """Whether the source cites the volume that a short form names."""
        volume, book, _ = citation.key
        places = re.finditer(rf"(?<!\d){re.escape(volume)}(?!\d)", self._text)
        return any(
            other.key[:2] == (volume, book)
            for _, match in zip(range(_MAX_WINDOWS), places, strict=False)
            for other in self._reader.citations(self._text[match.start() : match.end() + 60])
        )

    def holds_number(self, number: int) -> bool:
        return re.search(rf"(?<!\d){number}(?!\d)", self._text) is not None

    def holds_words(self, words: Sequence[str]) -> bool:
        return all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self._normal) for word in words)

    def holds_marks(self, subs: Sequence[str]) -> bool:
        return all(f"({sub.lower()})" in self._normal for sub in subs)


def _short(citation: Citation, cited: Sequence[Citation], source: _Source) -> Finding | None:
    if (reason := implausible(citation)) is not None:
        return failed(reason)
    full = [other for other in cited if other.kind == "case" and other.key[:2] == citation.key[:2]]
    if not full and not source.holds_volume(citation):
        return undecided("unresolved_short")
    page = citation.key[2]
    if page.isdigit() and not source.holds_number(int(page)):
        return undecided("pin_not_in_source", page=int(page))
    return None


def _unresolved(answer: str, cited: Sequence[Citation], source: _Source) -> Iterator[Finding]:
    """What points back and has nothing to point to, or points to a page that the source does not hold."""
    first = min((citation.start for citation in cited), default=len(answer))
    for match in _ID.finditer(answer):
        if match.start() < first:
            yield undecided("unresolved_id")
        elif match["pin"] and not source.holds_number(int(match["pin"])):
            yield undecided("pin_not_in_source", page=int(match["pin"]))
    for match in _SUPRA.finditer(answer):
        name = match["name"]
        if name is None or (name not in answer[: match.start()] and not source.holds_words([normal_text(name)])):
            yield undecided("unresolved_supra")


def _begins(whole: Sequence[str], start: Sequence[str]) -> bool:
    return list(whole[: len(start)]) == list(start)


def _known(path: Path, reader: Reader) -> Iterator[tuple[str, ...]]:
    faults = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = reader.citations(reader.prepared(line)) if line.strip() else []
        if line.strip() and not found:
            faults.append(f"{path}:{number}: no citation was recognised")
        yield from (citation.key for citation in found)
    if faults:
        raise DataError(faults, "Write one citation a line, such as 367 U.S. 643 (1961).")
