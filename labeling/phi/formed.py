"""Identifiers that their own form gives away: phones, e-mail, social security numbers, web, checksums."""

import ipaddress
import re
from collections.abc import Iterator

from labeling.phi.checksums import is_iban, is_npi, is_vin, passes_luhn
from labeling.phi.findings import Finding
from labeling.phi.number_starts import matches_at, number_starts

PUBLIC_HOSTS = frozenset(
    [
        "cms.gov",
        "cdc.gov",
        "hhs.gov",
        "nih.gov",
        "fda.gov",
        "ecfr.gov",
        "who.int",
        "ama-assn.org",
        "ahima.org",
        "aapc.com",
        "aha.org",
        "loinc.org",
        "snomed.org",
        "hl7.org",
        "ncbi.nlm.nih.gov",
        "pubmed.ncbi.nlm.nih.gov",
        "icd10data.com",
        "codingclinicadvisor.com",
    ]
)
"""Hosts of code sets and guidelines: a link there, without a query, belongs to no patient."""

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}(?P<s>[- ])(?!00)\d{2}(?P=s)(?!0000)\d{4}(?![\d-])")
_PHONE = re.compile(
    r"(?<![\d.-])(?<!\d )(?:\+?1[ .-]?)?(?:\(\d{3}\)[ ]?|\d{3}[ ./-])\d{3}[ .-]\d{4}(?![\d-])"
    r"(?:,?[ ]?(?:x|ext\.?)[ ]?\d{1,6})?"
    r"|(?<![\w+])\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,6}(?![\d-])"
    r"|(?<![\w+-])0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,6}(?![\d-])"
    r"|(?<![\w+-])0\d(?:[ .]\d\d){4}(?![\d-])|(?<![\w+-])\(0\d{1,4}\)[ ]?\d{3,4}[ -]?\d{3,5}(?![\d-])"
)
_PHONE_LABEL = re.compile(
    r"\b(?P<label>fax(?:ed)?|f:|facsimile|telefax|phone|ph\b|tel\b|telephone|cell|mobile|call(?:ed)?|pager"
    r"|contact|reach(?:ed|able)?|text(?:ed)?"
    r"|dial|whatsapp|handy|móvil|portable|home|work)"
    r"(?:\s*(?:phone|number|no\b\.?|nr\b\.?|line|him|her|them|back|sent|is|at|to|on|us|me|patient|[.:#=(-]))*\s*"
    r"(?P<number>\+?\(?\d(?:[ ().-]{0,2}\d){6,14})(?![\d])",
    re.IGNORECASE,
)
_FAX_BEFORE = re.compile(
    r"(?:\bfax(?:ed)?|facsimile|telefax|\bF:)(?:\s*(?:number|no\.?|is|at|to|line|sent|[.:#=(-]))*\s*$", re.IGNORECASE
)
_URL = re.compile(
    r"(?<![\w@])(?:(?:https?|ftp|sftp)://[^\s<>\"')\]]+|www\.[\w-]+(?:\.[\w-]+)+[^\s<>\"')\]]*"
    r"|(?<![.-])(?:[a-z0-9-]{1,63}\.){1,6}(?:com|org|net|edu|gov|io|health|info|us|uk|de|fr|mx|in)(?:/[^\s<>\"')\]]*)?(?![\w@.-]))",
    re.IGNORECASE,
)
_HOST = re.compile(r"^(?:https?://)?(?:www\.)?([a-z0-9.-]+)(?:/[^?#@]*)?$", re.IGNORECASE)
_IPV4 = re.compile(
    r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)(?:/\d{1,2})?"
)
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-F]{0,4}:){2,7}[0-9A-F]{0,4}(?![\w:])", re.IGNORECASE)
_MAC = re.compile(r"(?<![\w:-])[0-9A-F]{2}(?P<s>[:-])(?:[0-9A-F]{2}(?P=s)){4}[0-9A-F]{2}(?![\w:-])", re.IGNORECASE)
_UDI = re.compile(r"\(01\)\d{14}(?:\(\d{2}\)[\w/-]{1,20})*")
_CARD = re.compile(
    r"(?<![\w.-])[3-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,4}(?![\w-])|(?<![\w.-])3[47]\d{2}[ -]?\d{6}[ -]?\d{5}(?![\w-])"
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?(?!\w)")
_MBI_LETTER, _MBI_EITHER = "[AC-HJKMNP-RT-Y]", "[0-9AC-HJKMNP-RT-Y]"
_MBI = re.compile(rf"[1-9]{_MBI_LETTER}{_MBI_EITHER}\d-?{_MBI_LETTER}{_MBI_EITHER}\d-?{_MBI_LETTER}{{2}}\d{{2}}")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_CURP = re.compile(r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d")
_LONG_TOKEN = re.compile(r"(?<![\w-])(?=[A-Za-z-]*\d)[A-Za-z0-9-]{11,36}(?![\w-])")
_LONG_NUMBER = re.compile(r"(?<![\w.,/-])\d{9,}(?![\w/-]|[.,]\d)")
_IMAGE = re.compile(
    r"data:(?:image|audio|video)/[\w.+-]+;base64,[A-Za-z0-9+/=]+|<img\b[^>]*>|!\[[^\]]*\]\([^)\s]+\)"
    r"|(?<![\w/])[\w-]+\.(?:jpe?g|png|gif|tiff?|heic|bmp|dcm|mp4|mov|wav|mp3)\b",
    re.IGNORECASE,
)
_IMAGE_HINTS = (";base64", "<img", "![", ".jp", ".png", ".gif", ".tif", ".heic", ".bmp", ".dcm", ".mp", ".mov", ".wav")
_BIOMETRIC = re.compile(
    r"\b(?:finger|voice|face|palm)[\s-]?prints?\s+(?:template|record(?:ing)?|id|file|on\s+file|scan|hash"
    r"|stored|enrolled)\b"
    r"|\b(?:biometric|iris|facial\s+recognition)\s+(?:template|id|record|hash|identifier|enrol+ment)\b",
    re.IGNORECASE,
)
_RARE = (
    ("device", _UDI, 0.95, ("(01)",)),
    ("device", _MAC, 0.9, (":", "-")),
    ("biometric", _BIOMETRIC, 0.6, ("print", "biometric", "iris ", "facial")),
    ("image", _IMAGE, 0.9, _IMAGE_HINTS),
)
"""Kind, pattern, score, and what a text must hold for the pattern to be tried: that costs less than trying it."""

_LONG_CODES = (("health_plan", _MBI), ("unique_code", _UUID), ("unique_code", _CURP))


def find_formed(text: str, detector: str) -> Iterator[Finding]:
    """Identifiers with a form of their own; where a checksum exists, it must hold.

    >>> [(f.kind, f.start, f.end) for f in find_formed("j.doe@mail.example from 203.0.113.7", "x")]
    [('email', 0, 18), ('ip_address', 24, 35)]
    """
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Finding.of("email", *match.span(), detector=detector, score=1.0, is_labelled=True)
    starts = number_starts(text)
    for match in matches_at(_SSN, text, starts):
        yield Finding.of("ssn", *match.span(), detector=detector, score=0.9, is_labelled=True)
    lower = text.lower()
    for kind, pattern, score, hints in _RARE:
        if any(hint in lower for hint in hints):
            for match in pattern.finditer(text):
                yield Finding.of(kind, *match.span(), detector=detector, score=score, is_labelled=True)
    for token in _LONG_TOKEN.finditer(text):
        for kind, pattern in _LONG_CODES:
            if pattern.fullmatch(token[0]):
                yield Finding.of(kind, *token.span(), detector=detector, score=0.9, is_labelled=True)
    yield from _phones(text, detector)
    yield from _web(text, detector)
    yield from _checked(text, detector)
    for match in matches_at(_LONG_NUMBER, text, number_starts(text)):
        yield Finding.of("long_number", *match.span(), detector=detector, score=0.3)


def _phones(text: str, detector: str) -> Iterator[Finding]:
    for match in matches_at(_PHONE, text, number_starts(text, with_signs=True)):
        kind = "fax" if _FAX_BEFORE.search(text, max(0, match.start() - 30), match.start()) else "phone"
        yield Finding.of(kind, *match.span(), detector=detector, score=0.8)
    for match in _PHONE_LABEL.finditer(text):
        kind = "fax" if match["label"].lower().startswith(("f", "telefax")) else "phone"
        yield Finding.of(kind, *match.span("number"), detector=detector, score=0.9, is_labelled=True)


def _web(text: str, detector: str) -> Iterator[Finding]:
    for match in _URL.finditer(text):
        address = match[0].rstrip(".,;:")
        host = _HOST.match(address)
        if host is None or host[1].lower() not in PUBLIC_HOSTS:
            span = match.start(), match.start() + len(address)
            yield Finding.of("url", *span, detector=detector, score=0.9, is_labelled=True)
    for match in matches_at(_IPV4, text, number_starts(text)):
        yield Finding.of("ip_address", *match.span(), detector=detector, score=0.9, is_labelled=True)
    if "::" in text or text.count(":") >= 7:
        for match in _IPV6.finditer(text):
            try:
                ipaddress.IPv6Address(match[0])
            except ValueError:
                continue
            if len(match[0]) > 4:
                yield Finding.of("ip_address", *match.span(), detector=detector, score=0.9, is_labelled=True)


def _checked(text: str, detector: str) -> Iterator[Finding]:
    for match in _LONG_TOKEN.finditer(text):
        if len(match[0]) == 17 and match[0].isupper() and is_vin(match[0]):
            yield Finding.of("vehicle", *match.span(), detector=detector, score=0.95, is_labelled=True)
    for match in matches_at(_CARD, text, number_starts(text)):
        digits = re.sub(r"[ -]", "", match[0])
        if 13 <= len(digits) <= 19 and passes_luhn(digits):
            yield Finding.of("account", *match.span(), detector=detector, score=0.9, is_labelled=True)
    for match in _IBAN.finditer(text):
        if is_iban(match[0]):
            yield Finding.of("account", *match.span(), detector=detector, score=0.95, is_labelled=True)
    for match in matches_at(_LONG_NUMBER, text, number_starts(text)):
        if is_npi(match[0]):
            yield Finding.of("npi", *match.span(), detector=detector, score=0.5)
