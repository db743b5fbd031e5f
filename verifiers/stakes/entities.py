"""What a rule may name as `entity`: things in a text that are found by their form. Finds them, never judges them.

| entity | what it finds |
|---|---|
| money | an amount of money; with `at_least`, one that large (no currency is converted) |
| drug_dose | a number with a unit in which drugs are measured |
| drug_name | a medicine by its name or the ending of its name, or words such as antibiotic and blood thinner |
| dose_by_weight | a dose by weight, surface or time: mg/kg, units/h |
| court_deadline | a time limit beside something that is filed, served or answered |
| icd10cm_code | a code of the form of ICD-10-CM, with its dot |
| date_of_birth | words for a date of birth, with or without the date |
| person_number | a social security, medical record or member number |
| bank_account | an IBAN, or words for account and routing numbers with digits |
| minor | a patient or party younger than 18 |
| other_language | a text that is mostly not English, which rules in English cannot read |
"""

import re
from collections.abc import Callable, Mapping

from verifiers.stakes.money import amounts_of
from verifiers.stakes.phrases import Words, parts_of

_UNIT = (
    r"(?:mg|mcg|ug|\u03bcg|g|ng|ml|cc|units?|iu|meq|mmol|tablets?|tabs?|capsules?|puffs?|drops?|gtts?|milligrams?"
    r"|micrograms?|millilit(?:er|re)s?)"
)
_DOSE = re.compile(rf"(?<![\w.])\d[\d.,]{{0,9}}[ -]?{_UNIT}\b(?!/dl|/l\b)", re.IGNORECASE)
_DRUG = re.compile(
    r"\b[a-z]{2,14}(?:cillin|mycin|micin|oxacin|azole|pril|sartan|olol|statin|dipine|zepam|zolam|triptyline|oxetine|traline"
    r"|zolid|[aiouy]vir|[a-z]mab|tinib|glutide|gliflozin|gliptin|parin|xaban|gatran|profen|caine|cycline|[ln]isone|olone"
    r"|azine|setron|tidine|prazole|dronate|fibrate|thiazide)s?\b"
    r"|\b(?:digoxin|insulin|heparin|warfarin|morphine|fentanyl|oxycodone|hydrocodone|tramadol|methadone|paracetamol|tylenol"
    r"|acetaminophen|aspirin|lithium|potassium|saline|methotrexate|metformin|furosemide|phenytoin|valproate|levothyroxine"
    r"|epinephrine|norepinephrine|dopamine|naloxone|ketamine|propofol|chemo(?:therapy)?|antibiotics?|blood thinners?"
    r"|painkillers?|steroids?|opioids?|sedatives?|vaccines?|alteplase|tpa)\b",
    re.IGNORECASE,
)
_BY_WEIGHT = re.compile(
    rf"\b{_UNIT} ?(?:/|per) ?(?:kg|kilo(?:gram)?s?|m2|m\^2|lb|pounds?|hr?|hours?|min|minutes?|day|dose)\b"
    r"|\b(?:mg|mcg|ug|\u03bcg|units?)kg\b",
    re.IGNORECASE,
)
_ICD = re.compile(r"(?<![\w.])[A-Z]\d[0-9AB]\.[0-9A-Z]{1,4}(?!\w)", re.IGNORECASE)
_BIRTH = re.compile(r"\b(?:dob|d\.o\.b\.?|date of birth|birth ?date|born (?:on|in)?)(?!\w)", re.IGNORECASE)
_PERSON = re.compile(
    r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"
    r"|\b(?:mrn|ssn|member id|medical record(?: number| no\.?)?)[ :#]{0,4}\w{0,3}\d{2,12}\b",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"
    r"|\b(?:account|acct|routing|aba|iban|sort code)\b[^.\n]{0,25}\d{4,17}\b",
    re.IGNORECASE,
)
_YOUNG = re.compile(
    r"\b(?:1[0-7]|\d)(?:[ -]?(?:years?|yrs?)[ -]?(?:old)?|[ -]?y/?o)\b"
    r"(?! (?:history|ago|of|loan|note|bond|term|treasury))"
    r"|\b\d{1,3}[ -]?(?:months?|weeks?|days?|mo|wk)[ -]?(?:old|o)\b"
    r"|\b(?:newborns?|neonat\w{1,5}|infants?|toddlers?|pa?ediatric\w{0,3}|preterm|minor child(?:ren)?)\b",
    re.IGNORECASE,
)
_LIMIT = (
    *(
        "deadline*",
        "due",
        "last day",
        "time limit*",
        "limitation* period",
        "limitations period",
        "time barred",
        "timely",
    ),
    *("untimely", "late", "toll*", "expire*", "how long", "how many days", "by when", "when must", "days to", "cutoff"),
    *("within", "days", "extension", "overdue", "run out", "runs out"),
)
_FILED = (
    *("answer", "appeal*", "motion*", "complaint", "petition*", "opposition", "reply brief", "brief", "response"),
    *("respond", "responsive pleading", "file", "filed", "filing", "serve*", "service of process", "removal", "remand"),
    *(
        "notice of appeal",
        "discovery",
        "interrogator*",
        "claim",
        "charge",
        "lawsuit",
        "sue",
        "suit",
        "writ",
        "objection*",
    ),
    *("certiorari", "cross appeal", "counterclaim", "subpoena", "summons", "pleading*", "demand", "tort claim"),
)
_ALWAYS_A_DEADLINE = (
    "statute of limitations",
    "statute of repose",
    "limitations period",
    "time barred",
    "filing deadline*",
)
_ENGLISH = frozenset(
    parts_of(
        "the of and to in is that for it as was with be by on not he his from are or an they which this have at we can "
        "you has will what does do how should my our your i if under after about when who please need"
    )
)
_OTHERS = frozenset(
    parts_of(
        "der das und nicht ist ein eine mit von zu auf f\u00fcr dem den wie ich wird sich im ob wir bei sind welche "
        "le la les des est un une et du que pour dans qui sur pas au avec nous ce je vous quel quelle ou dois "
        "el los las y en por con para una se su lo como m\u00e1s es qu\u00e9 del si debo "
        "il di che non per della sono gli nel alla da come anche cosa devo "
        "os um uma em n\u00e3o com dos na mais qual devo "
        "het een van niet dat op te zijn voor met aan als ik wat moet "
        "w jest si\u0119 nie z czy jak ve bir bu i\u00e7in ile ne mi jag och att det som \u00e4r hur"
    )
)


def _is_other_language(text: str) -> bool:
    letters = [letter for letter in text[:5000] if letter.isalpha()]
    if len(letters) < 8:
        return False
    if sum(letter > "\u024f" for letter in letters) > 0.3 * len(letters):
        return True
    words = Words(text[:20_000])
    others = words.count(_OTHERS)
    return others >= 3 and others > 1.5 * words.count(_ENGLISH)


def _is_court_deadline(text: str) -> bool:
    words = Words(text)
    return words.has_any(_ALWAYS_A_DEADLINE) or words.has_near(_LIMIT, _FILED, within=9)


def _has_money(text: str) -> bool:
    return any(True for _ in amounts_of(text))


ENTITIES: Mapping[str, Callable[[str], bool]] = {
    "money": _has_money,
    "drug_dose": lambda text: _DOSE.search(text) is not None,
    "drug_name": lambda text: _DRUG.search(text) is not None,
    "dose_by_weight": lambda text: _BY_WEIGHT.search(text) is not None,
    "court_deadline": _is_court_deadline,
    "icd10cm_code": lambda text: _ICD.search(text) is not None,
    "date_of_birth": lambda text: _BIRTH.search(text) is not None,
    "person_number": lambda text: _PERSON.search(text) is not None,
    "bank_account": lambda text: _ACCOUNT.search(text) is not None,
    "minor": lambda text: _YOUNG.search(text) is not None,
    "other_language": _is_other_language,
}
"""Each entity's detector, by the name that rules use."""
