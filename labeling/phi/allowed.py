"""What must survive: medical codes, laboratory values, doses, and diseases named after people. Finds no identifier."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import cache

from labeling.phi.findings import Finding
from labeling.phi.word_lists import eponym_phrases, family_names, folded, given_names, ordinary_words

_UNIT = (
    r"(?:mg|mcg|µg|ug|g|kg|lb|lbs|oz|mL|ml|L|dL|cc|units?|IU|mEq|mmol|mol|mmHg|cm|mm|bpm|%|tabs?|tablets?"
    r"|caps?|capsules?|puffs?"
    r"|drops?|gtt|mCi|Gy|cGy|kcal|ng|pg|fL|U)"
)
_CODES = re.compile(
    r"(?<![\w.-])(?:"
    # label and code: whatever follows the name of a code system
    r"(?i:ICD-?(?:9|10|11|O)?(?:-?(?:CM|PCS|AM))?|CPT|HCPCS|LOINC|NDC|SNOMED(?:[ -]?CT)?|SCTID|RxNorm|RxCUI"
    r"|UMLS|CUI|CVX|DRG|MS-DRG|APC|HCC"
    r"|DSM-?(?:IV|5)?(?:-TR)?|CDT|ICD-O-3|revenue\s+code|modifiers?|type\s+of\s+bill|TOB|POS"
    r"|place\s+of\s+service|condition\s+code"
    r"|taxonomy(?:\s+code)?|FY)"
    r"(?:\s*(?:codes?|version|no\.?|\#|:|=))*\s*(?=[\w.-]*\d)[A-Za-z]{0,2}\d[\w.]*(?:-\w+)*(?:,\s*(?=[\w.-]*\d)[A-Z]?\d[\w.-]*)*"
    # ICD-10-CM and ICD-10-PCS, ICD-9
    r"|[A-TV-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?|[A-TV-Z]\d[0-9A-Z]{2,5}|(?=[A-Z]*\d)[0-9A-HJ-NP-Z]{7}"
    r"|[EV]?\d{2,3}\.\d{1,2}"
    # CPT with modifiers, HCPCS, LOINC, NDC, morphology
    r"|\d{4}[0-9FTUM](?:-[A-Z0-9]{2}){0,4}|[A-V]\d{4}(?:-[A-Z0-9]{2}){0,4}|\d{3,5}-\d|\d{4}-\d{4}-\d{1,2}"
    r"|\d{5}-\d{3,4}-\d{1,2}|\d{4}/[0-369]"
    # SNOMED CT as concept and term
    r"|\d{6,18}\s?\|[^|\n]{2,80}\|"
    r")(?![\w-]|\.\d)"
)
_VALUES = re.compile(
    rf"(?<![\w.-])\d+(?:[.,]\d+)?(?:\s?[-–/x×]\s?\d+(?:[.,]\d+)?){{0,3}}\s?{_UNIT}(?:/(?:\d+\s?)?{_UNIT}"
    rf"|/(?:day|d|hr|h|min|kg|m2|dose|week))*(?!\w)"
    r"|\b(?i:HbA1c|A1c|hemoglobin|Hgb|Hb|WBC|RBC|platelets?|creatinine|BUN|eGFR|GFR|sodium|potassium|glucose"
    r"|INR|PTT|TSH|T4|LDL|HDL|PSA"
    r"|troponin|BNP|lactate|pH|EF|LVEF|BMI|BP|HR|RR|SpO2|sat|pulse|temp|bilirubin|albumin|calcium|AST|ALT"
    r"|ferritin|CRP|ESR|GCS|Apgar|APGAR"
    r"|MELD|score|stage|grade|gravida|para|FEV1|CD4|titer|ratio)"
    r"(?:\s*(?:of|is|was|at|[:=<>~]))*\s*\d+(?:[.,]\d+)?(?:\s?[-–/:]\s?\d+(?:[.,]\d+)?)?\s?%?(?![\d/.-]*\d)"
)
_NOUN = (
    r"(?:disease|syndrome|chromosome|variant|sign|signs|test|score|scale|criteria|classification|class|stage"
    r"|staging|grade|system|index|rules?|fracture|dislocation"
    r"|lymphoma|sarcoma|tumou?r|carcinoma|thyroiditis|lesion|nodes?|nodules?|spots?|lines?|rings?|bod(?:y"
    r"|ies)|cells?|esophagus|oesophagus|ulcer"
    r"|palsy|paralysis|chorea|ataxia|dementia|disorder|anomaly|malformation|deformity|deformities|contracture"
    r"|cyst|hernia|fistula|abscess|gland"
    r"|duct|ligament|tendon|procedure|operation|repair|technique|maneuver|manoeuvre|method|catheter|tube"
    r"|drain|balloon|wire|nail|pins?|screw|plate"
    r"|surgery|angina|aneurysm|fundoplication|anastomosis|resection|incision|phenomenon|reflex|triad"
    r"|tetralogy|pentad|stroke|lobe|loop"
    r"|muscular|dystrophy|anemia|anaemia|granulomatosis|arteritis|purpura|nephropathy|neuropathy"
    r"|encephalopathy|enceph\w+|myasthenic|psychosis"
    r"|gangrene|cirrhosis|jaundice|respiration|virus|infection|monitor|ultrasound|effect|exercises?|level"
    r"|type|area|aphasia|reaction|stain"
    r"|agar|number|murmur|position|space|pouch|diverticulum|sphincter|hepatitis|coma|bowel|ankle|knee|heart"
    r"|hip|toe|elbow|foot|hand|joint"
    r"|tic|spasm|splint|forceps|retractor|clamp|pump|risk|patch(?:es)?|I{1,3}V?|[0-9])"
)

_AROUND_CHARS = 80
"""No code list, value or eponym with its noun is longer on either side of what it protects."""
_LONGEST_SPAN = 1000
"""Characters; a list of codes after its code system may be long."""

_FIRST_WORD = re.compile(r"[^\W\d_]+")


def allowed_spans(text: str) -> list[tuple[int, int]]:
    """Spans of codes, values, doses and eponyms, in order of their start; they may overlap.

    >>> text = "CPT 99214 for I50.9; HbA1c 8.9, Hodgkin lymphoma, Graves' disease"
    >>> [text[start:end] for start, end in allowed_spans(text)]
    ['CPT 99214', 'I50.9', 'HbA1c 8.9', 'Hodgkin lymphoma', "Graves' disease"]
    """
    spans = [match.span() for pattern in (_CODES, _VALUES) for match in pattern.finditer(text)]
    return sorted([*spans, *_eponym_spans(text)])


def kept_by_the_allow_list(text: str, findings: list[Finding]) -> list[Finding]:
    """Findings that say more than an allowed span does: labelled ones, and those with a word outside of all spans.

    "Hodgkin lymphoma" taken for a person goes; "John Hodgkin", an address with "I10" in it, and "MRN I50" stay.
    """
    unlabelled = [finding for finding in findings if not finding.is_labelled]
    spans = [
        (start + offset, end + offset)
        for offset, stop in _surroundings(text, unlabelled)
        for start, end in allowed_spans(text[offset:stop])
    ]
    return [finding for finding in findings if finding.is_labelled or _says_more(text, finding, spans)]


def _surroundings(text: str, findings: list[Finding]) -> list[tuple[int, int]]:
    """Stretches of text around findings, ending at blanks; elsewhere nobody asks what is allowed."""
    stretches: list[tuple[int, int]] = []
    for finding in sorted(findings):
        start = text.rfind(" ", 0, max(0, finding.start - _AROUND_CHARS)) + 1
        end = text.find(" ", min(len(text), finding.end + _AROUND_CHARS))
        end = len(text) if end < 0 else end
        if stretches and start <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(end, stretches[-1][1]))
        else:
            stretches.append((start, end))
    return stretches


def _says_more(text: str, finding: Finding, spans: list[tuple[int, int]]) -> bool:
    last = bisect_left(spans, (finding.end, 0))
    first = bisect_left(spans, (finding.start - _LONGEST_SPAN, 0))
    near = [(start, end) for start, end in spans[first:last] if end > finding.start]
    if not near:
        return True
    words = re.finditer(r"\w+", text[finding.start : finding.end])
    outside = (
        word[0]
        for word in words
        if not any(s < finding.start + word.end() and e > finding.start + word.start() for s, e in near)
    )
    return any(len(word) > 1 and folded(word) not in ordinary_words() for word in outside)


def _eponym_spans(text: str) -> Iterator[tuple[int, int]]:
    """Eponyms with the noun they name; a word that many people bear counts only beside such a noun."""
    patterns = _patterns_by_first_word()
    for word in _FIRST_WORD.finditer(text):
        for pattern in patterns.get(folded(word[0]), ()):
            if match := pattern.match(text, word.start()):
                yield match.span()


@cache
def _patterns_by_first_word() -> Mapping[str, tuple[re.Pattern[str], ...]]:
    by_word: dict[str, list[re.Pattern[str]]] = {}
    for phrase in eponym_phrases():
        first, *more = re.split(r"[ -]", phrase)
        rest = "".join(rf"[ –-]{re.escape(word)}" for word in more)
        head = rf"\w+(?i:{_unaccented(rest)})"
        if not more and _is_borne(folded(phrase)):
            owned = rf"['’]s?(?=[ ][a-z])(?:[ ][a-z]+)?(?:[ ]{_NOUN}\b)?"
            pattern = rf"{head}(?:{owned}|(?:['’]s?)?(?:[ -][a-z]+)?[ -](?i:{_NOUN})\b)(?!\w)"
        else:
            pattern = rf"{head}(?:['’]s?)?(?!\w)(?:[ -](?i:{_NOUN})\b)?"
        by_word.setdefault(folded(first), []).append(re.compile(pattern))
    return {word: tuple(patterns) for word, patterns in by_word.items()}


def _unaccented(pattern: str) -> str:
    """A pattern that takes accented letters for the plain ones of the list."""
    for plain, accented in (("a", "aäáà"), ("e", "eéèë"), ("i", "iíï"), ("o", "oöóø"), ("u", "uüú")):
        pattern = pattern.replace(plain, f"[{accented}]")
    return pattern


def _is_borne(word: str) -> bool:
    return word in family_names() or word in given_names() or word in ordinary_words() or len(word) <= 3
