"""Addresses: streets, postal codes, and towns that stand before a state or after "lives in". Knows no list of towns."""

import re
from collections.abc import Iterator

from labeling.phi.findings import Finding
from labeling.phi.number_starts import matches_at, number_starts
from labeling.phi.word_lists import CAPITALISED_RUN, folded, ordinary_words, states
from labeling.phi.word_shapes import may_be_a_name

_UP = r"[^\W\d_a-zß-öø-ÿ]"
_WORD = rf"(?:{_UP}[\w'’.-]*|\d{{1,3}}(?:st|nd|rd|th)|(?:de|la|du|des|del|of|the|and|von|van|der)\b)"
_SUFFIX = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Terrace|Ter|Circle|Cir"
    r"|Highway|Hwy|Parkway|Pkwy|Square|Sq|Trail|Trl|Close|Crescent|Cres|Gardens|Gdns|Mews|Row|Hill|Loop|Alley"
    r"|Pike|Turnpike"
    r"|Grove|Walk|Marg|Nagar|Chowk|Ganj|Vihar|Colony|Layout|Expressway|Freeway|Plaza|Run|Path|Crossing|Point"
    r"|Ridge|Bend|Heights|Rise|View|Vista)"
)
_RARER_SUFFIX = (
    r"(?:Annex|Arcade|Bayou|Beach|Bluffs?|Bottom|Branch|Bridge|Brooks?|Burgs?|Bypass|Camp|Canyon|Cape"
    r"|Causeway|Centers?|Cliffs?|Club|Commons?"
    r"|Corners?|Course|Courts|Coves?|Creek|Crest|Crossroads?|Curve|Dale|Dam|Divide|Drives|Estates?"
    r"|Extensions?|Falls?|Ferry|Fields?|Flats?"
    r"|Fords?|Forest|Forges?|Forks?|Fort|Gardens?|Gateway|Glens?|Greens?|Groves|Harbors?|Haven|Hills|Hollow"
    r"|Inlet|Islands?|Isle|Junctions?|Keys?"
    r"|Knolls?|Lakes?|Land|Landing|Lights?|Loaf|Locks?|Lodge|Mall|Manors?|Meadows?|Mills?|Mission|Motorway"
    r"|Mount|Mountains?|Neck|Orchard|Oval"
    r"|Overpass|Park|Parks|Parkways|Pass|Passage|Pines?|Plains?|Ports?|Prairie|Ranch|Rapids?|Rest|Ridges"
    r"|River|Roads|Route|Shoals?|Shores?"
    r"|Skyway|Springs?|Spurs?|Squares|Station|Stravenue|Streams?|Streets|Summit|Throughway|Trace|Track"
    r"|Trafficway|Tunnel|Underpass|Unions?"
    r"|Valleys?|Via|Viaduct|Views|Villages?|Ville|Walks?|Wall|Ways|Wells?|Circles)"
)
_UNIT = r"(?:,?\s*(?:Apt|Apartment|Unit|Suite|Ste|Flat|Floor|Fl|Room|Rm|\#)\.?\s*\#?[A-Z]?-?\d*[A-Z]?\b)?"
_NUMBER = r"(?:\d{1,5}(?:[-/]\d{1,4})?[A-Za-z]?)"
_STREET = re.compile(
    rf"(?<![\w.]){_NUMBER},?\s+(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?\s+)?"
    rf"(?:{_WORD}\s+){{1,4}}?{_SUFFIX}\b\.?(?:\s+(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b)?{_UNIT}"
    rf"|(?<![\w.])\d{{1,6}}\s+{_UP}[\w'’-]*(?:\s+{_UP}[\w'’-]*){{0,2}},?\s+(?:Apt|Apartment|Suite|Ste"
    rf"|Unit)\.?\s*\#?[A-Z]?-?\d*[A-Z]?\b"
)
_STREET_ANNOUNCED = re.compile(
    rf"\b(?:Flat|Studio|Apartment|Apt\.?)\s+\w{{1,4}},\s+(?:\d{{1,4}}\s+)?{_UP}[\w'’-]*(?:\s+{_UP}[\w'’-]*){{1,3}}"
    rf"|\bH\.?\s?[Nn]o\.?\s*[\d/-]+,?\s+{_UP}[\w'’-]*(?:\s+{_UP}[\w'’-]*){{0,3}}"
)
_STREET_RARE = re.compile(
    rf"(?<![\w.])(?P<number>\d{{1,6}})\s+(?P<words>{_UP}[\w'’-]*(?:\s+{_UP}[\w'’-]*)?)\s+(?:{_RARER_SUFFIX}"
    rf"|{_SUFFIX}s)\b{_UNIT}"
)
_STREET_SHOUTED = re.compile(
    rf"(?<![\w.])\d{{1,5}}\s+(?:[A-Z0-9]+\s+){{1,3}}(?:STREET|ST|AVENUE|AVE|ROAD|RD|BOULEVARD|BLVD|LANE|LN"
    rf"|DRIVE|COURT|CT|WAY)\b{_UNIT}"
)
_STREET_LOWER = re.compile(
    r"(?<![\w.])\d{1,5}\s+(?:[a-z]+\s+){1,3}(?:street|avenue|ave|road|rd|boulevard|blvd|lane"
    r"|drive)\b(?!\s+(?:drugs?|test|map))"
)
_STREET_ABROAD = re.compile(
    rf"(?<![\w.]){_NUMBER}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|bd|allée|place|chemin|impasse|quai"
    rf"|cours|route)\s+"
    rf"(?:(?:de|la|le|les|du|des|d['’]|l['’])\s*)*{_UP}[\w'’-]*(?:[\s-]+(?:(?:de|la|du|des)\s+)?{_UP}[\w'’-]*){{0,3}}"
    rf"|\b(?:rue|boulevard|chemin|impasse|allée|quai)\s+(?:(?:de|la|le|les|du|des|d['’]"
    rf"|l['’])\s*)*{_UP}[\w'’-]*(?:[\s-]+{_UP}[\w'’-]*){{0,3}}"
    rf"|\b(?:[Cc]alle|[Aa]venida|[Aa]v\.|[Cc]alzada|[Pp]aseo|[Pp]rivada|[Cc]arrera|[Cc]amino|[Cc]allejón"
    rf"|[Cc]errada|[Cc]ircuito|[Rr]etorno"
    r"|[Aa]ndador|[Pp]rolongación|[Aa]mpliación|[Cc]ontinuación|[Pp]eriférico|[Cc]orredor|[Cc]ircunvalación"
    r"|[Dd]iagonal|[Vv]iaducto|[Pp]eatonal)\s+"
    rf"(?:(?:de|la|el|los|las|del|\d{{1,2}})\s+)*{_UP}[\w'’-]*(?:\s+(?:(?:de|la|del|los)\s+)*{_UP}[\w'’-]*){{0,3}}"
    rf"(?:,?\s+(?:No\.?|Núm\.?|n[°º]|\#)?\s?\d{{1,5}}[A-Za-z]?\b(?:\s+\d{{1,4}}\b)?(?:\s+(?:Interior|Int\."
    rf"|Edif\.|Depto\.)\s?\d+)?"
    rf"(?:\s?,\s+Depto\.?\s?\d+)?)?"
    rf"|(?<!\w){_UP}\w*(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|damm"
    rf"|ring)\s+\d{{1,4}}(?:[/-]\d{{1,3}})?\s?[a-z]?\b"
    rf"|\b(?:{_UP}\w+[- ]){{1,3}}(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Gasse|Ufer|Damm"
    rf"|Ring)\s+\d{{1,4}}(?:[/-]\d{{1,3}})?\s?[a-z]?\b"
    rf"|(?<![^\W\d_]{{2}}\s)\b(?:Blvd\.|Boulevard)\s+{_UP}[\w'’-]*(?:\s+{_UP}[\w'’-]*){{0,2}},?\s+\d{{1,5}}\b(?!\.)"
    rf"|\bP\.?\s?O\.?\s?[Bb]ox\s+\d{{1,6}}|\b(?:R\.?R\.?|H\.?C\.?|Rural\s+Route)\s*\d{{1,3}},?\s+[Bb]ox\s+\d{{1,5}}"
)
_ABROAD_HINTS = (
    "rue ,avenue ,boulevard ,bd ,allée ,place ,chemin ,impasse ,quai ,cours ,route ,straße,strasse,str.,weg ,platz "
    ",allee ,gasse ,ufer ,damm ,ring ,calle,avenida,av.,calzada,paseo,privada,carrera,camino,cerrada,circuito,retorno"
    ",andador,ación ,periférico,corredor,diagonal,viaducto,peatonal,blvd.,box "
)
_ABROAD_WORDS = tuple(_ABROAD_HINTS.split(","))
_AFTER_LABEL = re.compile(
    r"\b(?i:liv(?:es|ed|ing)\s+at|resid(?:es|ed|ing)\s+at|(?:home|mailing|street|billing"
    r"|current)\s+address(?:\s+is)?|address(?:\s+on\s+file)?(?:\s+is|\s*:))"
    r"\s*:?\s*(?P<street>(?=[^;\n]{0,40}\d)\w(?:[^.;\n]|\.(?!\s|$)|(?<=\b[NSEW])\.|(?<=\bApt)\.|(?<=\bSte)\."
    r"|(?<=\bSt)\.(?=\s\w+\s\w)|(?<=str)\.)*)"
)
_TOWN_FIRST = (
    "north|south|east|west|new|port|saint|st|san|santa|fort|lake|mount|el|la|los|las|upper|lower|great|old|grand|little|big"
    "|cape|glen|palm|red|rock|white|black|green|silver|spring|springs|cedar|oak|maple|pine|elk|deer|eagle|bay|river|long|high"
    "|fair|union|round|sand|salt"
)
_TOWN_FIRST_WORDS = frozenset(_TOWN_FIRST.split("|"))
"""Ordinary words with which names of towns begin."""

_AMBIGUOUS = "AL|CO|DE|HI|ID|IN|LA|MA|MD|ME|MS|OH|OK|OR|PA"
_AMBIGUOUS_CODES = frozenset(_AMBIGUOUS.split("|"))
"""States whose letters are also words or degrees; they need a ZIP code beside them."""

_STATE_CODES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA"
    "|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
)
_STATE_NAMES = "|".join(sorted(states(), key=len, reverse=True))
_STATE = rf"(?P<state>{_STATE_CODES})\b"
_ZIP = re.compile(
    rf"\b(?:{_STATE},?\s+|(?:{_STATE_NAMES}),?\s+|(?i:zip(?:\s?code)?|postal\s+code|postcode"
    r"|pin(?:\s?code)?|c\.?p\.?|plz|código\s+postal)(?:\s*(?:is|[:#=]))*\s*)(?P<code>\d{5}(?:-\d{4})?"
    r"|\d{3}\s?\d{3})(?![\w-]|\.\d)"
)
_POSTCODE_UK = re.compile(r"(?<![\w.-])(?:[A-PR-UWYZ][A-HK-Y]?\d[\dA-HJKPSTUW]?)\s\d[ABD-HJLNP-UW-Z]{2}(?![\w-])")
_CODE_AND_TOWN = re.compile(rf"(?<![\w.,])(?<!\d-)(?P<code>\d{{5}})\s+(?P<town>{CAPITALISED_RUN})")
_TOWN_STATE = re.compile(
    rf"(?<![\w'’-])(?P<town>{CAPITALISED_RUN})"
    rf"(?:,\s+{_STATE}(?P<zip>,?\s+\d{{5}}\b)?|\s+(?:{_STATE_CODES})\s+\d{{5}}\b)"
)
_TOWN_STATE_NAME = re.compile(rf"(?<![\w'’-])(?P<town>{CAPITALISED_RUN}),\s+(?:{_STATE_NAMES})\b")
_LIVES_IN = re.compile(
    r"\b(?i:liv(?:es|ed|ing)\s+(?:alone\s+)?(?:in|near|outside)|resid(?:es|ed|ing)\s+in|residents?\s+of"
    r"|resident\s+in|relocated\s+(?:to|from)"
    r"|moved\s+(?:to|from)|natives?\s+of|born\s+in|hometown(?:\s*(?:is|:|of))?|home\s+in|travel(?:s|l?ed"
    r"|l?ing)?\s+(?:to|from)|city\s*:|town\s*:"
    r"|transferred\s+from|drove\s+from|commutes?\s+from|address\s*:|town\s+of|city\s+of|suburbs?\s+of"
    r"|visiting\s+from|staying\s+in)\s*"
    rf"(?P<town>{CAPITALISED_RUN})"
)
_COUNTY = re.compile(
    rf"(?<!\w)(?P<town>{CAPITALISED_RUN})\s+(?:County|Parish|Township|Borough)\b(?!\s+(?:Hospital|Jail))"
)


_NUMBERED = (_STREET, _STREET_SHOUTED, _STREET_LOWER)
_COUNTY_WORDS = ("County", "Parish", "Township", "Borough")


def find_places(text: str, detector: str) -> Iterator[Finding]:
    """Streets, postal codes, and towns that their surroundings give away; states and countries may stay.

    >>> text = "Lives in Marfa, at 12 Oak Street, Apt 4B, TX 79843; CPT 99213"
    >>> sorted((f.kind, text[f.start : f.end]) for f in find_places(text, "x"))
    [('city', 'Marfa'), ('postal_code', '79843'), ('street', '12 Oak Street, Apt 4B')]
    """
    starts = number_starts(text)
    streets = [match for pattern in _NUMBERED for match in matches_at(pattern, text, starts)]
    streets += _STREET_ANNOUNCED.finditer(text)
    streets += _STREET_ABROAD.finditer(text) if any(map(text.lower().__contains__, _ABROAD_WORDS)) else ()
    for match in streets:
        yield Finding.of("street", *match.span(), detector=detector, score=0.85)
    for match in matches_at(_STREET_RARE, text, starts):
        if len(match["number"]) > 2 or all(map(may_be_a_name, match["words"].split())):
            yield Finding.of("street", *match.span(), detector=detector, score=0.7)
    for match in _AFTER_LABEL.finditer(text):
        yield Finding.of("street", *match.span("street"), detector=detector, score=0.7)
    for match in _ZIP.finditer(text):
        yield Finding.of("postal_code", *match.span("code"), detector=detector, score=0.9, is_labelled=True)
    for match in _POSTCODE_UK.finditer(text):
        yield Finding.of("postal_code", *match.span(), detector=detector, score=0.6)
    patterns = [_TOWN_STATE, _LIVES_IN]
    patterns += [_TOWN_STATE_NAME] if any(name in text for name in states()) else []
    patterns += [_COUNTY] if any(word in text for word in _COUNTY_WORDS) else []
    for pattern in patterns:
        for match in pattern.finditer(text):
            if pattern is _TOWN_STATE and match["state"] in _AMBIGUOUS_CODES and not match["zip"]:
                continue
            if span := _town(text, *match.span("town")):
                yield Finding.of("city", *span, detector=detector, score=0.75)


def codes_before_towns(text: str) -> Iterator[tuple[int, int, int, int]]:
    """Where five digits stand before capitalised words, as in "10115 Berlin": both spans."""
    for match in matches_at(_CODE_AND_TOWN, text, number_starts(text)):
        yield (*match.span("code"), *match.span("town"))


def _town(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The part of the run after its last ordinary word ("The Patient Marfa" -> "Marfa"), unless it is a state."""
    words = list(re.finditer(r"\S+", text[start:end]))
    first = 0
    for i, word in enumerate(words[:-1]):
        if folded(word[0]) in ordinary_words() and folded(word[0]) not in _TOWN_FIRST_WORDS:
            first = i + 1
    start += words[first].start()
    name = text[start:end]
    if len(name) < 3 or name in states() or folded(name) in ordinary_words():
        return None
    return start, end
