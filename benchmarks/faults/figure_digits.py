"""Invented identifiers with right check digits, digits altered or exchanged, and how texts write money and days."""

from datetime import date
from itertools import pairwise

import numpy as np
from stdnum import luhn
from stdnum.cusip import calc_check_digit as cusip_digit
from stdnum.isin import calc_check_digit as isin_digit
from stdnum.iso7064 import mod_97_10

_CAPITALS = "ABCDEFGHJKLMNPRSTUVW"


def npi_of(rng: np.random.Generator) -> str:
    """A National Provider Identifier."""
    digits = f"1{rng.integers(0, 10**8):08}"
    return digits + luhn.calc_check_digit(f"80840{digits}")


def iban_of(rng: np.random.Generator) -> str:
    """A German IBAN, in groups of four half of the time."""
    account = f"{rng.integers(0, 10**18):018}"
    check = f"{98 - int(account + '131400') % 97:02}"
    value = f"DE{check}{account}"
    return " ".join(value[i : i + 4] for i in range(0, len(value), 4)) if rng.random() < 0.5 else value


def lei_of(rng: np.random.Generator) -> str:
    """A Legal Entity Identifier."""
    body = f"{rng.integers(1000, 9999)}00{''.join(rng.choice(list(_CAPITALS + '0123456789'), size=12))}"
    return body + mod_97_10.calc_check_digits(body)


def cusip_of(rng: np.random.Generator) -> str:
    """A CUSIP."""
    body = f"{rng.integers(10**5, 10**6 - 1)}{rng.choice(list(_CAPITALS))}{rng.integers(0, 10)}"
    return body + cusip_digit(body)


def isin_of(rng: np.random.Generator) -> str:
    """A United States ISIN over a CUSIP."""
    body = f"US{cusip_of(rng)}"
    return body + isin_digit(body)


def with_other_digit(text: str, rng: np.random.Generator) -> str:
    """The text with one of its digits, not the first, altered."""
    places = [index for index, character in enumerate(text) if character.isdigit()][1:]
    place = int(rng.choice(places))
    other = str((int(text[place]) + int(rng.integers(1, 10))) % 10)
    return text[:place] + other + text[place + 1 :]


def with_swapped_digits(text: str, rng: np.random.Generator) -> str:
    """The text with two neighbouring digits exchanged; where none differ, one altered.

    >>> with_swapped_digits("21", np.random.default_rng(0))
    '12'
    """
    digits = [index for index, character in enumerate(text) if character.isdigit()]
    pairs = [
        (one, other)
        for one, other in pairwise(digits)
        if text[one] != text[other] and not (one == digits[0] and text[other] == "0")
    ]
    if not pairs:
        return with_other_digit(text, rng)
    one, other = pairs[int(rng.integers(len(pairs)))]
    characters = list(text)
    characters[one], characters[other] = characters[other], characters[one]
    return "".join(characters)


def usd(cents: int) -> str:
    """Cents as dollars, `$1,234.05`."""
    return f"${cents // 100:,}.{cents % 100:02}"


def long(day: date) -> str:
    """A day as `2 March 2026`."""
    return f"{day.day} {day:%B} {day.year}"


def us(day: date) -> str:
    """A day as `March 2, 2026`."""
    return f"{day:%B} {day.day}, {day.year}"
