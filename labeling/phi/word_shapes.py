"""Whether a capitalised word that no list knows looks like a term of medicine or grammar rather than a name."""

import re

from labeling.phi.word_lists import eponyms, folded, ordinary_words

_TECHNICAL = re.compile(
    r"(?:itis|osis|oses|oma|omas|emia|aemia|uria|ectomy|otomy|ostomy|ology|ologist|opathy|pathic|plasty|scopy|graphy|gram|metry|penia|cytosis"
    r"|megaly|plegia|paresis|algia|phasia|phagia|pnea|rrhea|rrhage|rrhagic|stenosis|trophy|trophic|tion|tions|sion|ment|ments|ness|ship|ity|ism"
    r"|ing|ings|ed|ly|ic|ics|ical|al|ial|ous|ive|ory|ary|ful|less|able|ible|oid|form|gen|genic|lytic|tic|cillin|mycin|micin|cycline|floxacin|azole"
    r"|pril|sartan|olol|statin|mab|nib|vir|zumab|parin|caine|pam|lam|ine|ide|ate|ase|one|ium|cocci|coccus|bacter|bacterium|ella|monas|virus|vaccine"
    r"|plasma|spora|myces|ys?is|axis|opsy|apy|therapy|scope|meter|ence|ance|ency|ancy|ture|ure|esthesia|ia|eal|ular|ar|ist|ism|ize|ized|ise|ised"
    r"|sis|xia|thermia|derma|cele|cyte|cytes|blast|lysis|ectasis|ases|ices|ems|ors|ers)$"
)
_SHORT_OF = 3


def may_be_a_name(word: str) -> bool:
    """Whether a word unknown to the lists can be somebody's or some town's name by its shape.

    >>> [may_be_a_name(word) for word in ("Okwuosa", "Pericarditis", "Patient", "Hodgkin", "Rh")]
    [True, False, False, False, False]
    """
    key = folded(word)
    if len(key) < _SHORT_OF or key in ordinary_words() or key in eponyms() or not word[0].isupper():
        return False
    if word.isupper():
        return len(word) > _SHORT_OF and (not _TECHNICAL.search(key) or not word.isascii())
    has_capital_inside = any(
        char.isupper() for char in re.sub(r"^(?:Mc|Mac|De|Di|La|Le|Van|O['’]|D['’])|[-'’]\w", "", word[1:])
    )
    if has_capital_inside and not re.match(r"(?:Mc|Mac|De|Di|La|Le|Van|Von|O['’]|D['’])", word):
        return False
    return not _TECHNICAL.search(key) or not word.isascii()
