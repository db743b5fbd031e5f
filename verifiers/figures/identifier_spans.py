"""Digits that are no quantities: identifiers, telephone numbers, times, references. It finds them; it judges nothing."""

import re

_SPANS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])"  # IBAN
    r"|\(?\d{3}\)?[-. ]\d{3}[-.]\d{4}\b"  # telephone
    r"|\d{3}-\d{2}-\d{4}\b"  # social security
    r"|\d{1,2}:\d{2}(?::\d{2})?"  # time
    r"|\d{1,4} (?:U\.\s?S\.(?: ?C\.)?|C\.\s?F\.\s?R\.|F\.\s?(?:2d|3d|4th|Supp\.?(?: ?[23]d)?)|S\.\s?Ct\.|L\.\s?Ed\.)[^\n;]{0,24}?\d+"
    r"|(?:19|20)\d{2}(?= [A-Z]{2,6} \d)"
    r"|(?:NPI|CUSIP|MRN|SSN|EIN|TIN|CPT|HCPCS|ICD[-A-Z0-9]*|DRG|NDC|invoice|account|acct|policy|claim|order|case|docket|file|"
    r"ref(?:erence)?|patent|reg(?:istration)?|serial|part|ticket|PO)\s*(?:codes?|no\.?|number|numbers|#|id)?\s*[:#]?\s*"
    r"[A-Z]{0,4}-?\d[\dA-Z-]*"
    r"|(?:§+|sections?|sec\.|articles?|art\.|rules?|forms?|codes?|pages?|pp?\.|no\.|chapters?|ch\.|part|schedules?|exhibits?|paragraphs?|"
    r"para\.|clauses?|items?|steps?|figures?|fig\.|tables?|note|appendix|question|option|line|grade|stage|type|phase|level|tier)"
    r"\s*\d[\d.()a-z-]*"
    r")",
    re.I,
)
_NUMBERING = re.compile(r"^[ \t]*(?:[-*]\s*)?\(?\d{1,2}[.)][ \t]", re.M)
_PARENTHESISED_YEAR = re.compile(r"\((?:[A-Z][\w. ]{0,20} )?(?:19|20)\d{2}\)")


def reference_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of what is a reference, an identifier, a time or the number of a list item.

    >>> text = "1. See 42 U.S.C. § 1983 at 10:30; pay 40."
    >>> [text[start:end] for start, end in reference_spans(text)]
    ['1. ', '42 U.S.C. § 1983', '10:30']
    """
    found = [match.span() for pattern in (_NUMBERING, _SPANS, _PARENTHESISED_YEAR) for match in pattern.finditer(text)]
    return sorted(found)
