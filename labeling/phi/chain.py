"""The chain: detectors in order, codes and eponyms protected, overlaps merged. Keeps no text of what was found."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from labeling.phi.allowed import kept_by_the_allow_list
from labeling.phi.findings import Detector, Finding
from labeling.phi.gazetteer import GazetteerDetector
from labeling.phi.patterns import PatternDetector
from labeling.phi.word_lists import PARTICLES, cities, eponyms, folded, ordinary_words

_NAME_WORD = re.compile(r"[^\W\d_]{3,}(?:['’-][^\W\d_]+)*")


def _both() -> tuple[Detector, ...]:
    return PatternDetector(), GazetteerDetector()


@dataclass(frozen=True)
class Chain:
    """Detectors that are asked in turn about the same text."""

    detectors: tuple[Detector, ...] = field(default_factory=_both)
    protects_codes: bool = True
    """Whether the allow-list is used. Only a measurement turns it off."""
    least_score: float = 0.0
    """Findings below it are dropped."""

    def find(self, text: str) -> list[Finding]:
        """Findings in order, without overlaps.

        >>> text = "Mr. Okafor, MRN I50, has I50.9. Okafor denies chest pain."
        >>> [(f.kind, f.start, f.end) for f in Chain().find(text)]
        [('name', 4, 10), ('mrn', 16, 19), ('name', 32, 38)]
        """
        return self.find_in_item([text])[0]

    def find_in_item(self, texts: Sequence[str]) -> list[list[Finding]]:
        """Findings of each text; a name found in one text is found wherever its words stand in the others."""
        found = [self._in_one(text) for text in texts]
        words = {word for text, findings in zip(texts, found, strict=True) for word in _name_words(text, findings)}
        if not words:
            return found
        pattern = re.compile(
            rf"(?<![\w-])(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True))})(?![\w-])"
        )
        return [self._with_echoes(text, findings, pattern) for text, findings in zip(texts, found, strict=True)]

    def kinds_of(self, texts: Iterable[str]) -> dict[str, int]:
        """How often each kind of identifier stands in the texts of one item; kinds not found are left out."""
        return dict(Counter(f.kind for findings in self.find_in_item(list(texts)) for f in findings))

    def _in_one(self, text: str) -> list[Finding]:
        found = [f for detector in self.detectors for f in detector.find(text) if f.score >= self.least_score]
        if found and self.protects_codes:
            found = kept_by_the_allow_list(text, found)
        return merged(found)

    def _with_echoes(self, text: str, findings: list[Finding], pattern: re.Pattern[str]) -> list[Finding]:
        covered = {place for finding in findings for place in range(finding.start, finding.end)}
        spans = [match.span() for match in pattern.finditer(text) if match.start() not in covered]
        echoes = [Finding.of("name", *span, detector="echo", score=0.4) for span in spans]
        if echoes and self.protects_codes:
            echoes = kept_by_the_allow_list(text, echoes)
        return merged([*findings, *echoes]) if echoes else findings


@cache
def default_chain() -> Chain:
    """Patterns, gazetteer and allow-list: what needs nothing but the package."""
    return Chain()


def kinds_of(texts: Iterable[str]) -> dict[str, int]:
    """How often each kind of identifier stands in the texts of one item, by the default chain.

    >>> kinds_of(["Pt reachable at 555-010-2233, DOB 4/7/1961.", "S72.001A, CPT 99214, NDC 0002-8215-01"])
    {'phone': 1, 'date_of_birth': 1}
    """
    return default_chain().kinds_of(texts)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without overlaps: whatever any of them covers stays covered, named by the longest, then the surest.

    >>> a = Finding.of("phone", 4, 16, detector="x", score=0.8)
    >>> b = Finding.of("fax", 4, 16, detector="x", score=0.9)
    >>> c = Finding.of("mrn", 14, 18, detector="x", score=0.9)
    >>> [(f.kind, f.start, f.end) for f in merged([a, b, c])]
    [('fax', 4, 18)]
    """
    clusters: list[list[Finding]] = []
    reach = -1
    for finding in sorted(findings):
        if finding.start < reach:
            clusters[-1].append(finding)
        else:
            clusters.append([finding])
        reach = max(reach, finding.end)
    return [_one_of(cluster) for cluster in clusters]


def _one_of(cluster: list[Finding]) -> Finding:
    best = max(cluster, key=lambda f: (f.end - f.start, f.score))
    return best.spanning(min(f.start for f in cluster), max(f.end for f in cluster))


def _name_words(text: str, findings: list[Finding]) -> set[str]:
    """Words of found names that would betray the person elsewhere; those that mean something else are left out."""
    return {
        word[0].removesuffix("'s")
        for finding in findings
        if finding.kind == "name" and finding.score > 0.6
        for word in _NAME_WORD.finditer(text[finding.start : finding.end])
        if word[0][0].isupper() and not _means_something(word[0])
    }


def _means_something(word: str) -> bool:
    key = folded(word)
    return word in PARTICLES or key in ordinary_words() or key in eponyms() or key in cities()
