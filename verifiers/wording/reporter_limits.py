"""What can be said against a citation without looking it up: volumes, titles and years that no such book has.

Years come from reporters-db; the volumes are those of the closed series, and generous limits for the running ones.
A citation that nothing speaks against here may still be invented.
"""

from collections.abc import Mapping

from verifiers.wording.citation_forms import Citation

LAST_VOLUMES: Mapping[str, int] = {
    "F.": 300,
    "F.2d": 999,
    "F.3d": 999,
    "F. Supp.": 999,
    "F. Supp. 2d": 999,
    "A.": 200,
    "A.2d": 999,
    "N.E.": 200,
    "N.E.2d": 999,
    "N.W.": 300,
    "P.": 300,
    "P.2d": 999,
    "S.E.": 200,
    "So.": 200,
    "So. 2d": 999,
    "S.W.": 300,
    "S.W.2d": 999,
    "L. Ed.": 100,
}
"""Last volume of each closed series of reporters."""

ROOMY_VOLUMES: Mapping[str, int] = {
    "U.S.": 700,
    "S. Ct.": 220,
    "L. Ed. 2d": 400,
    "F.4th": 500,
    "F. Supp. 3d": 1500,
    "A.3d": 700,
    "N.E.3d": 700,
    "N.W.2d": 999,
    "N.W.3d": 300,
    "P.3d": 999,
    "S.E.2d": 999,
    "So. 3d": 999,
    "S.W.3d": 999,
    "Fed. Cl.": 400,
    "B.R.": 999,
    "F.R.D.": 600,
}
"""For series that still grow, a volume that they will not reach in decades."""

LAST_TITLES: Mapping[str, int] = {"U.S.C.": 54, "C.F.R.": 50}
"""Titles of the United States Code and of the Code of Federal Regulations."""

LAST_PAGE = 3000
"""No volume of a reporter of cases has so many pages."""


def implausible(citation: Citation) -> str | None:
    """Why no such book can hold the citation, as `no_such_volume`; None when nothing speaks against it."""
    volume, book, page = (*citation.key, "", "", "")[:3]
    if citation.kind == "law":
        return "no_such_title" if volume.isdigit() and int(volume) > LAST_TITLES.get(book, 10**9) else None
    if citation.kind not in ("case", "short"):
        return None
    last = LAST_VOLUMES.get(book) or ROOMY_VOLUMES.get(book)
    if last is not None and volume.isdigit() and not 1 <= int(volume) <= last:
        return "no_such_volume"
    if last is not None and page.isdigit() and not 1 <= int(page) <= LAST_PAGE:
        return "no_such_page"
    return _outside_years(citation, book) or _pin_before_page(citation)


def _outside_years(citation: Citation, book: str) -> str | None:
    if citation.year is None:
        return None
    first = 1754 if book == "U.S." else citation.first_year
    too_early = first is not None and citation.year < first - 1
    too_late = citation.last_year is not None and citation.year > citation.last_year + 1
    return "year_outside_reporter" if too_early or too_late else None


def _pin_before_page(citation: Citation) -> str | None:
    page = citation.key[2]
    is_before = citation.kind == "case" and citation.pin is not None and page.isdigit() and citation.pin < int(page)
    return "pin_before_page" if is_before else None
