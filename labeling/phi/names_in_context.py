"""Names that their surroundings give away: after a title or "patient", before "MD". Finds no name that stands alone."""

import re
from collections.abc import Iterator

from labeling.phi.findings import Finding
from labeling.phi.word_lists import (
    CAPITALISED_RUN,
    CAPITALISED_WORD,
    PARTICLES,
    eponyms,
    family_names,
    folded,
    ordinary_words,
)
from labeling.phi.word_shapes import may_be_a_name

_TITLE = re.compile(
    r"(?<![\w'’-])(?:Mr|Mrs|Ms|Miss|Mx|Messrs|Dr|Drs|Doctor|Prof|Professor|Sr|Sra|Srta|Señor|Señora|Señorita"
    r"|Don|Doña|Mme|Mlle"
    r"|Madame|Monsieur|Herr|Frau|Shri|Smt|Sir|Rev|Reverend|Father|Sister|Nurse|Capt|Captain|Sgt|Sergeant|Officer|Judge"
    r"|MR|MRS|MS|DR|PROF)\b\.?[ \u00a0]+"
    rf"(?P<name>(?:[A-Z]\.[ ]?){{0,2}}{CAPITALISED_RUN})"
)
_NAMED = re.compile(
    r"\b(?i:(?:(?:patient|pt|client|full|first|last|family|given|maiden|legal|preferred|member|subscriber"
    r"|insured|guarantor|provider"
    r"|nombre|sur)(?:['’]s)?[\s-]*)?names?(?:\s+(?:is|was|on\s+file))?\s*[:=|-]?|aka|a\.k\.a\.|née|signed\s*:"
    r"|(?:patient|pt|client|insured|subscriber|guarantor|attending|surgeon|coder|cc|emergency\s+contact"
    r"|next\s+of\s+kin|dictated\s+by"
    r"|nombre|nom|re)\s*[:=|])\s*"
    rf"(?P<name>(?:[A-Z]\.[ ]?){{0,2}}{CAPITALISED_RUN}(?:,[ ]{CAPITALISED_RUN})?)"
)
_RELATIVE = re.compile(
    r"\b(?i:patient|pt\.?|client|resident|veteran|infant|baby|attending|physician|provider|surgeon|oncologist"
    r"|cardiologist|caregiver"
    r"|(?:referred|seen|signed|dictated|evaluated|examined|performed|reviewed|accompanied|reported"
    r"|interpreted)\s+by|under\s+the\s+care\s+of"
    r"|named|called|goes\s+by|wife|husband|spouse|partner|son|daughter|mother|father|brother"
    r"|sister|aunt|uncle|niece|nephew|grand(?:mother|father|son|daughter)"
    r"|cousin|guardian|(?:spoke|met|discussed|conferred|talked)\s+(?:to|with)|regarding|contacted|notified"
    r"|informed|neighbor|neighbour|friend|roommate|fianc[eé]e?)(?:\s+is|\s+was)?,?[ \u00a0]+"
    rf"(?P<name>(?:[A-Z]\.[ ]?){{0,2}}{CAPITALISED_RUN}(?:,[ ]{CAPITALISED_RUN})?)"
)
_ACTS = re.compile(
    rf"(?<![\w'’-])(?P<name>{CAPITALISED_RUN}|{CAPITALISED_WORD},[ ]{CAPITALISED_WORD})[ ]+(?:presents"
    rf"|presented|arrived|returned|returns|denies|denied|reports|reported|complains"
    r"|complained|states|stated|says|said|agrees|agreed|underwent|lives|works|came|called|takes|took|requests"
    r"|requested|wants|asked|fell"
    r"|(?:is|was)\s+(?:an?\s+\w+[- ]year|seen|admitted|brought|discharged|transferred|referred|found|given"
    r"|evaluated|born|accompanied))\b"
)
_CREDENTIALS = re.compile(
    rf"(?<![\w'’-])(?P<name>(?:[A-Z]\.[ ]?){{0,2}}{CAPITALISED_RUN}),?[ ]+(?:MD|M\.D\.|DO|D\.O\.|RN|NP|FNP"
    rf"|PA-C|PhD|Ph\.D\.|DDS|DPM|CRNA|LCSW"
    r"|CPC|MBBS|FACS|FACC|DNP|APRN|RHIA|RHIT|CCS|Jr\.?)(?![\w-])"
)
_WORD = re.compile(r"[^\s,]+")


def find_names_in_context(text: str, detector: str) -> Iterator[Finding]:
    """Capitalised words after a title, a label or a relative, or before a credential, cut at the first ordinary word.

    >>> text = "Dr. Okonkwo Reviewed; patient Ines Duarte has Hodgkin lymphoma; sister BRCA1 positive"
    >>> [text[f.start : f.end] for f in find_names_in_context(text, "x")]
    ['Okonkwo', 'Ines Duarte']
    """
    for pattern, score in ((_TITLE, 0.95), (_NAMED, 0.9)):
        for match in pattern.finditer(text):
            if span := _name(text, *match.span("name"), is_sure=True):
                yield Finding.of("name", *span, detector=detector, score=score, is_labelled=True)
    for match in _RELATIVE.finditer(text):
        if span := _name(text, *match.span("name"), is_sure=False):
            yield Finding.of("name", *span, detector=detector, score=0.75)
    for match in _ACTS.finditer(text):
        words = [word for word in _WORD.findall(match["name"]) if word not in PARTICLES]
        if 2 <= len(words) <= 4 and all(len(word) < 3 or may_be_a_name(word) for word in words):
            yield Finding.of("name", *match.span("name"), detector=detector, score=0.6)
    for match in _CREDENTIALS.finditer(text):
        start, end = match.span("name")
        for word in list(_WORD.finditer(text, start, end))[:-1]:
            if folded(word[0]) in ordinary_words():  # "Signed Ana Ruiz, MD"
                start = word.end() + 1
        span = _name(text, start, end, is_sure=False)
        if span and (" " in text[span[0] : span[1]] or not text[slice(*span)].isupper()):
            yield Finding.of("name", *span, detector=detector, score=0.85)


def _name(text: str, start: int, end: int, *, is_sure: bool) -> tuple[int, int] | None:
    """The leading words that may be a name; none when the first one cannot be.

    After a title an eponym is somebody ("Dr. Graves"); elsewhere alone it is a disease ("mother Graves").
    """
    last, n_words, has_eponym, shouted = start, 0, False, False
    for word in _WORD.finditer(text, start, end):
        if word[0] in PARTICLES:
            continue
        key = folded(word[0].rstrip("."))
        is_initial = len(key) == 1 or word[0].endswith(".")
        is_shouted = word[0].isupper() and not is_initial
        is_acronym = (
            is_shouted and not shouted if n_words else is_shouted and not is_sure and not may_be_a_name(word[0])
        )
        shouted = is_shouted if n_words == 0 else shouted
        is_ordinary = key in ordinary_words() and not ((is_sure or n_words) and key in family_names())
        if is_ordinary or is_acronym:
            break
        has_eponym |= key in eponyms()
        last, n_words = word.end(), n_words + (not is_initial)
    if n_words == 0 or last - start < 2 + (not is_sure) or (has_eponym and n_words == 1 and not is_sure):
        return None
    if shouted and n_words == 1 and not is_sure and folded(text[start:last]) not in family_names():
        return None
    name = text[start:last]
    return start, last - 2 * name.endswith(("'s", "’s"))
