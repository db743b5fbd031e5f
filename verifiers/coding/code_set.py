"""ICD-10-CM's tabular list, read once: codes, descriptions, other official terms, notes. It judges nothing.

The list is the April 2026 release that simple-icd-10-cm 1.5 carries (data of CDC and CMS, public domain). It is read
in one pass through the library and kept as plain tables, since the library walks its tree for every question.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from core.collecting import without_collection
from core.errors import MissingExtra
from verifiers.coding.references import Span, spans_of

BUNDLED_FROM = date(2026, 4, 1)
"""First date of service that the bundled release governs; the next release follows on 1 October."""

_CODE = re.compile(r"[A-Z][0-9A-Z]{2,6}")
"""A code without its dot; chapters are bare numbers and most blocks are ranges (E08-E13)."""
_NAMED = re.compile(r"(?P<term>[^()]{4,}?)\s*\((?P<code>[A-Z][0-9A-Z]{2}(?:\.[0-9A-Z]+)?)\)")


@dataclass(frozen=True)
class CodeSet:
    """One release, all codes without their dots. What only the tabular list says is empty where none was read.

    `billable` may stand on a claim. `stems` maps each code that ends in a seventh-character extension to the code
    that it extends. `terms` are what the list calls a code beside its description. `excludes1` and `code_first`
    hold the codes that a note under a code, block or chapter names; `above` the blocks and chapter of a category.
    """

    codes: frozenset[str]
    billable: frozenset[str]
    descriptions: Mapping[str, str]
    stems: Mapping[str, str]
    terms: Mapping[str, tuple[str, ...]]
    excludes1: Mapping[str, tuple[Span, ...]]
    code_first: Mapping[str, tuple[Span, ...]]
    above: Mapping[str, tuple[str, ...]]

    def has(self, code: str) -> bool:
        """Whether the code is a category, subcategory or leaf; a dot in the wrong place makes it another code."""
        return is_dotted_rightly(code) and undotted(code) in self.codes

    def is_billable(self, code: str) -> bool:
        """Whether the code is a leaf."""
        return is_dotted_rightly(code) and undotted(code) in self.billable

    def lineage(self, code: str) -> tuple[str, ...]:
        """The code, every code that it refines, then its block and chapter: what their notes say holds for it."""
        bare = undotted(code)
        shorter = tuple(bare[:n] for n in range(len(bare), 2, -1) if bare[:n] in self.codes)
        return (*shorter, *self.above.get(bare[:3], ()))


def undotted(code: str) -> str:
    """The code as the tables hold it."""
    return code.replace(".", "")


def dotted(code: str) -> str:
    """The code as a claim shows it.

    >>> dotted("S52501A"), dotted("I10")
    ('S52.501A', 'I10')
    """
    return code if len(code) <= 3 else f"{code[:3]}.{code[3:]}"


def is_dotted_rightly(code: str) -> bool:
    """Whether a dot, where there is one, stands after three characters and before another.

    >>> is_dotted_rightly("B42.81"), is_dotted_rightly("B4281"), is_dotted_rightly("B428.1")
    (True, True, False)
    """
    return "." not in code or (code.count(".") == 1 and code.index(".") == 3 and not code.endswith("."))


@cache
def load_code_set() -> CodeSet:
    """The bundled release, loaded once a process in a few seconds.

    Raises:
        MissingExtra: simple-icd-10-cm is not installed.

    >>> codes = load_code_set()
    >>> codes.is_billable("B42.81"), codes.is_billable("E11"), codes.has("E11"), codes.has("E08-E13")
    (True, False, True, False)
    >>> codes.lineage("E11.9")
    ('E119', 'E11', 'E08-E13', '4')
    """
    with without_collection():
        return _read_through_library()


def leaves(ordered: Sequence[str]) -> list[str]:
    """The codes that no other code refines; every code stands right before those that refine it.

    >>> leaves(["E11", "E110", "E1100", "E1101", "E119"])
    ['E1100', 'E1101', 'E119']
    """
    following = (*ordered[1:], "")
    return [code for code, after in zip(ordered, following, strict=True) if not after.startswith(code)]


def _read_through_library() -> CodeSet:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the library reads its tables the old way
            import simple_icd_10_cm as icd
    except ImportError as error:
        raise MissingExtra("simple-icd-10-cm", "medical", "Checking ICD-10-CM codes") from error
    listed = list(icd.get_all_codes(with_dots=False))
    # By shape, not by `is_chapter_or_block`: B20, F99, P84, R99 and Z66 name a block and a billable code alike.
    codes = list(dict.fromkeys(filter(_CODE.fullmatch, listed)))
    stems = {code: undotted(icd.get_parent(code)) for code in codes if len(code) == 7 and _extends(icd, code)}
    plain = [code for code in codes if code not in stems]
    excludes1 = {code: tuple(icd.get_excludes1(code)) for code in plain}
    titled = [name for name in dict.fromkeys(listed) if not _CODE.fullmatch(name)]
    for name in titled:
        excludes1[name] = tuple(icd.get_excludes1(name))
    named = _named_by_others(icd, plain, excludes1)
    return CodeSet(
        codes=frozenset(codes),
        billable=frozenset(leaves(codes)),
        descriptions={code: str(icd.get_description(code)) for code in codes},
        stems=stems,
        terms={code: terms for code in plain if (terms := _terms(icd, code, named))},
        excludes1={code: spans for code, notes in excludes1.items() if (spans := spans_of(notes))},
        code_first={code: spans_of([note]) for code in plain if (note := icd.get_code_first(code))},
        above={
            code: tuple(map(str, icd.get_ancestors(code, prioritize_blocks=True))) for code in codes if len(code) == 3
        },
    )


def _extends(icd: Any, code: str) -> bool:  # noqa: ANN401 - an untyped module
    return bool(icd.is_extended_subcategory(code))


def _terms(icd: Any, code: str, named: Mapping[str, list[str]]) -> tuple[str, ...]:  # noqa: ANN401
    return tuple(dict.fromkeys((*icd.get_inclusion_term(code), *icd.get_includes(code), *named.get(code, ()))))


def _named_by_others(icd: Any, plain: Sequence[str], excludes1: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:  # noqa: ANN401
    """What the Excludes notes of other codes call a code: `panic disorder (F41.0)`."""
    found: dict[str, list[str]] = {}
    for code in plain:
        for note in (*excludes1[code], *icd.get_excludes2(code)):
            match = _NAMED.fullmatch(note.strip())
            if match is not None:
                found.setdefault(undotted(match["code"]), []).append(match["term"])
    return found
