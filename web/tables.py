"""Tables of who is signed in, and how they show that it is them.

Tokens and passwords stand here as hashes and secrets sealed, never as they are.

| table | one row is |
|---|---|
| web_session | a session of a person, with the moments that end it |
| web_credential | a person's password and authenticator, and the wrong tries against them |
| web_oidc_attempt | a sign-in at the site's own provider that has begun |
"""

import sqlalchemy as sa

from core.store import METADATA

SESSIONS = sa.Table(
    "web_session",
    METADATA,
    sa.Column("token_sha256", sa.String(64), primary_key=True),
    sa.Column("person", sa.ForeignKey("person.name"), nullable=False, index=True),
    sa.Column("method", sa.String(40), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("opened_at", sa.String(40), nullable=False),
    sa.Column("seen_at", sa.String(40), nullable=False),
    sa.Column("expires_at", sa.String(40), nullable=False),
    # When the site's own sign-in last made sure that it is them, for signing.
    sa.Column("proved_at", sa.String(40)),
)

CREDENTIALS = sa.Table(
    "web_credential",
    METADATA,
    sa.Column("person", sa.ForeignKey("person.name"), primary_key=True),
    sa.Column("password_hash", sa.String(200)),
    sa.Column("password_set_at", sa.String(40)),
    sa.Column("totp_sealed", sa.String(400)),
    sa.Column("totp_since", sa.String(40)),
    sa.Column("totp_last_step", sa.BigInteger),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("locked_until", sa.String(40)),
)

OIDC_ATTEMPTS = sa.Table(
    "web_oidc_attempt",
    METADATA,
    sa.Column("state_sha256", sa.String(64), primary_key=True),
    sa.Column("browser_sha256", sa.String(64), nullable=False),
    sa.Column("nonce", sa.String(80), nullable=False),
    sa.Column("verifier", sa.String(80), nullable=False),
    sa.Column("redirect_url", sa.String(400), nullable=False),
    sa.Column("proves", sa.Boolean, nullable=False),
    sa.Column("begun_at", sa.String(40), nullable=False),
)
