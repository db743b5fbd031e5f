"""Check digits of the numbers that have one: cards, vehicles, providers, bank accounts. Pure functions of strings."""

_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others. Source: ISO/IEC 7812-1, annex B.

    >>> passes_luhn("4111111111111111"), passes_luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def is_npi(digits: str) -> bool:
    """Whether ten digits are a US National Provider Identifier: Luhn with the prefix 80840. Source: 45 CFR 162.406.

    >>> is_npi("1234567893"), is_npi("1234567890")
    (True, False)
    """
    return len(digits) == 10 and digits[0] in "12" and passes_luhn("80840" + digits)


def is_vin(text: str) -> bool:
    """Whether 17 characters are a vehicle number with the North American check digit. Source: 49 CFR 565.15(c).

    >>> is_vin("1M8GDM9AXKP042788"), is_vin("1M8GDM9A1KP042788")
    (True, False)
    """
    text = text.upper()
    if len(text) != 17 or any(char not in _VIN_VALUES and not char.isdigit() for char in text):
        return False
    values = [int(char) if char.isdigit() else _VIN_VALUES[char] for char in text]
    remainder = sum(value * weight for value, weight in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return text[8] == "0123456789X"[remainder]


def is_iban(text: str) -> bool:
    """Whether the text is an international bank account number: remainder 1 modulo 97. Source: ISO 13616-1.

    >>> is_iban("GB82 WEST 1234 5698 7654 32"), is_iban("GB82 WEST 1234 5698 7654 33")
    (True, False)
    """
    compact = text.replace(" ", "").upper()
    if not 15 <= len(compact) <= 34 or not compact.isalnum() or not compact.isascii():
        return False
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
