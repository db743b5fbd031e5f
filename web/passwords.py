"""Passwords: which are refused, and how they are kept (argon2id). It keeps and logs no password."""

import re
import threading

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from core.access import login_key

MIN_CHARS = 12
MAX_CHARS = 200
MIN_DIFFERENT_CHARS = 6
MIN_LOGIN_CHARS = 3
"""A shorter login may stand in a password by chance."""

_HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1, hash_len=32, type=Type.ID)

_AT_ONCE = threading.BoundedSemaphore(4)
"""Each check takes 32 MiB for some hundredths of a second; more at once wait."""

_DUMMY = _HASHER.hash("nobody has this password")
"""Checked where there is no password, so that an unknown name takes as long as a known one."""

_WORD_LIST = """
abc abcd password passwort passwd motdepasse contrasena contrasenya senha parola passphrase secret secreto geheim
letmein welcome willkommen bienvenue admin administrator root user guest test testing login default changeme change
monkey dragon master shadow sunshine princess football baseball basketball soccer hockey iloveyou love lovely angel
michael jennifer jordan superman batman starwars pokemon trustno access hello freedom whatever computer internet google
facebook microsoft apple samsung summer winter spring autumn monday friday january december hospital doctor nurse
patient medical health coding coder clinic pharmacy insurance preceptor router label labeling expert quality company
office work temp temporary qwerty qwertz azerty asdfgh zxcvbn
"""
_WORDS = frozenset(_WORD_LIST.split())
"""Words that passwords are made of most often; ours, by what such lists agree on."""

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "01234567890" * 2,
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "q1w2e3r4t5y6u7i8o9p0",
)
"""Keys and signs in their order; a password that only follows one of these is guessed first."""

_LOOKALIKES = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})


def password_fault(password: str, *, login: str) -> str | None:
    """Why this password is refused for this login, in sentences; None when it will do.

    >>> password_fault("Password1234", login="ann")
    'This password is one of the commonest. Choose one that is no word with numbers, such as four unrelated words.'
    >>> password_fault("gravel otter nineteen lamp", login="ann") is None
    True
    """
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        return f"The password has {len(password)} characters. Choose one of {MIN_CHARS} to {MAX_CHARS}."
    plain, name = login_key(password), login_key(login)
    if len(name) >= MIN_LOGIN_CHARS and (name in plain or name.replace(" ", "") in plain.replace(" ", "")):
        return "The password contains your login. Choose one that does not."
    if len(set(plain)) < MIN_DIFFERENT_CHARS:
        return f"The password repeats a few characters. Choose one with at least {MIN_DIFFERENT_CHARS} different ones."
    if _is_common(plain):
        return (
            "This password is one of the commonest. "
            "Choose one that is no word with numbers, such as four unrelated words."
        )
    return None


def hash_of(password: str) -> str:
    """The argon2id hash of a password, with its salt and costs."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def is_password(password: str, kept: str | None) -> bool:
    """Whether this is the password whose hash was kept; takes as long when none was kept."""
    with _AT_ONCE:
        try:
            return _HASHER.verify(kept or _DUMMY, password[: MAX_CHARS + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def _is_common(plain: str) -> bool:
    forms = (plain, plain.translate(_LOOKALIKES), plain.rstrip("0123456789!?.#$*-_ ").translate(_LOOKALIKES))
    letters = {re.sub(r"[^a-z]", "", form) for form in forms}
    return _is_run(re.sub(r"[^a-z0-9]", "", plain)) or any(_is_words(text) or _is_run(text) for text in letters)


def _is_words(text: str) -> bool:
    """Whether a text is made of nothing but the commonest words."""
    return text in _WORDS or any(text[:cut] in _WORDS and _is_words(text[cut:]) for cut in range(3, len(text)))


def _is_run(text: str) -> bool:
    """Whether a text is one or two pieces that each follow a row of keys or signs, forward or backward."""
    rows = [row[::step] for row in _ROWS for step in (1, -1)]
    whole = [cut for cut in range(len(text)) if any(text[:cut] in row for row in rows)]
    return any(text[cut:] in row for cut in whole for row in rows)
