"""Authenticator codes (TOTP, RFC 6238): six digits that change every thirty seconds. It keeps no secret itself."""

import io
from datetime import datetime

import pyotp
import segno

STEP_S = 30
WINDOW = 1
"""Codes of so many steps before and after now are taken, for clocks that differ and fingers that are slow."""


def new_secret() -> str:
    """A new secret of 160 bits, in base32."""
    return pyotp.random_base32(32)


def matching_step(secret: str, code: str, *, now: datetime) -> int | None:
    """The number of the time step whose code this is; None when it is none within the window.

    The caller takes a step only once, and none before it, so that a code that was seen is worth nothing.
    """
    code = "".join(code.split())
    totp, step_now = pyotp.TOTP(secret, interval=STEP_S), int(now.timestamp()) // STEP_S
    for step in range(step_now - WINDOW, step_now + WINDOW + 1):
        if pyotp.utils.strings_equal(code, totp.generate_otp(step)):
            return step
    return None


def enrolment_svg(secret: str, *, login: str) -> bytes:
    """The picture that an authenticator app reads, as SVG without styles or scripts."""
    address = pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=login, issuer_name="Preceptor")
    picture = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        picture, kind="svg", scale=6, border=4, dark="#000", light="#fff", svgclass=None, lineclass=None
    )
    return picture.getvalue()
