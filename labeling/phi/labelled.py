"""Numbers and codes that a label announces: "MRN 00482913", "Member ID: XGH-33812", "S/N 4471-B".

The finding is the value, not the label. What no label, checksum or form tells apart is not found here.
"""

import re
from collections.abc import Iterator, Mapping

from labeling.phi.findings import Finding

_NO = r"(?:numbers?\b|num\b\.?|no\b\.?|nr\b\.?|ids?\b\.?|identifier\b|\#)"

_LABELS: Mapping[str, str] = {
    "ssn": rf"s\.?s\.?n\b\.?|ssa\s?{_NO}|social\s+security(?:\s*{_NO})?|soc\.?\s+sec\.?(?:\s*{_NO})?",
    "mrn": rf"mrn\b|m\.r\.n\.|mr\s?(?:\#|no\b\.?)|med(?:ical)?\.?\s+rec(?:ord)?\.?s?(?:\s*{_NO})?|chart\s*{_NO}"
    rf"|(?:patient|pt\.?)(?:['’]?s)?\s*{_NO}|hospital\s*{_NO}|unit\s+(?:number\b|no\b\.?|\#)|uhid\b|nhs\s*{_NO}"
    rf"|(?:health|medical)\s+{_NO}|(?:hosp|rekord|akten|patienten)-?(?:nummer|nr\.?)|expediente\b"
    rf"|no?\.?\s+de\s+dossier",
    "health_plan": rf"(?:member(?:ship)?|subscriber|beneficiary|policy(?:holder)?|insured|insurance|group"
    rf"|health\s+plan|plan"
    rf"|medicare|medicaid|enrollee|hicn|mbi|recipient|certificate\s+of\s+coverage)(?:['’]s)?(?:\s+(?:policy"
    rf"|member|card))?\s*{_NO}"
    r"|hicn?\b|mbi\b|versichertennummer",
    "account": rf"(?:account|acct|a/c|billing|bank|credit\s+card|card|routing|invoice"
    rf"|guarantor)\.?(?:\s+account)?\s*{_NO}"
    r"|acct\.?|account(?=\s*[:#=])|iban\b",
    "licence": rf"(?:driver['’]?s?['’]?\s+|medical\s+|nursing\s+|state\s+)?licen[cs]e\s*{_NO}"
    rf"|(?:driver['’]?s?['’]?\s+)licen[cs]e"
    rf"|dl\s*{_NO}|(?:certificate|cert|certification|registration)\.?\s*{_NO}|dea\s*{_NO}|dea\b",
    "vehicle": rf"vin\b(?:\s*{_NO})?|vehicle\s+(?:identification\s+)?{_NO}|(?:licen[cs]e|number)\s+plates?(?:\s*{_NO})?"
    rf"|plates?\s*{_NO}|registration\s+plate|plate(?=\s*[:#=])",
    "device": rf"serial(?:\s*{_NO})?|s/n\b|sn(?=\s*[:#])|udi\b(?:-?[dp]i\b)?|device\s*(?:serial\s*)?{_NO}"
    rf"|imei\b|mac\s+address"
    rf"|(?:pacemaker|implant|pump|lead|generator)\s*{_NO}",
    "npi": rf"npi\b(?:\s*{_NO})?",
    "unique_code": rf"(?:case|visit|encounter|accession|specimen|study|subject|participant|claim|referral"
    rf"|admission|employee"
    rf"|reference|ref|tracking|confirmation|prescription|rx|authorization|auth|order|donor|voucher|requisition"
    rf"|icn|dcn|fin"
    rf"|passport|national|tax|voter|student|badge)\.?(?:\s+(?:id(?:entity|entification)?|control))?\s*{_NO}"
    r"|passport|aadhaar|aadhar|curp|rfc\b|insee|nir\b|tin\b|steuer-?id\w*|icn\b|dcn\b|csn\b|har\b",
}
_SEPARATOR = r"(?:\s*(?:is|was|are|of|on\s+file|ending(?:\s+in)?|last\s+(?:4|four)|number\b|no\b\.?|[:#=|(–-]))*\s*"
_VALUE = (
    r"(?P<value>\d{1,4}(?:[ ]\d{2,6}){1,4}(?![\w-]|\.\d)"
    r"|[A-Z]{1,4}[ ]\d{3,}(?:[ ]\d{2,})*(?!\w)"
    r"|(?=[A-Z./-]{0,12}\d)(?=(?:[A-Z./-]*\d){2})[A-Z0-9](?:[A-Z0-9_]|[-./:](?=[A-Z0-9])){2,}(?!\w))"
)
_LABELLED = re.compile(
    rf"(?<![\w-])(?:{'|'.join(f'(?P<{kind}>{label})' for kind, label in _LABELS.items())}){_SEPARATOR}{_VALUE}",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_ANOTHER_KIND = re.compile(r"(?:19|20)\d\d|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}")


def find_labelled(text: str, detector: str) -> Iterator[Finding]:
    """Values after a label that says what they are, even where they look like a medical code.

    >>> [(f.kind, f.start, f.end) for f in find_labelled("MRN I50, acct # 77-1204; MRN not on file", "x")]
    [('mrn', 4, 7), ('account', 16, 23)]
    """
    if not _DIGIT.search(text):
        return
    for match in _LABELLED.finditer(text):
        if _ANOTHER_KIND.fullmatch(match["value"]):
            continue
        kind = next(name for name in _LABELS if match[name])
        yield Finding.of(kind, *match.span("value"), detector=detector, score=0.95, is_labelled=True)
