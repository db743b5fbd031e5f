"""Settings of sign-in. Secrets are named by environment variable, never written."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from core.settings_section import Settings


class OidcSettings(Settings):
    """The site's own sign-in, by OpenID Connect."""

    issuer: str
    """The provider's issuer URL, as its tokens name it. HTTPS, or a host of this machine."""
    client_id: str = Field(min_length=1)
    """The name under which the provider knows Preceptor."""
    client_secret_env: str | None = None
    """Environment variable that holds the client's secret; unset for a public client."""
    login_claim: str = "preferred_username"
    """Claim of the ID token that is the login here. An `email` counts only where the provider says it is verified."""
    redirect_url: str | None = None
    """Where the provider sends people back to, ending in `/sign-in/oidc/back`; unset means the address they came by."""
    add_people: bool = False
    """Whether someone whom the provider knows and the store does not is added, without a role."""

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError(f"issuer '{issuer}' is not an https URL")
        return issuer


class AccessSettings(Settings):
    """How people sign in and for how long."""

    idle_minutes: int = Field(15, ge=3, le=120)
    """Minutes without a request after which a session ends; the page warns two minutes before."""
    session_hours: int = Field(12, ge=1, le=24)
    """Hours after which a session ends whatever happens."""
    require_totp: bool = False
    """Whether everyone who signs in by password must have enrolled an authenticator (TOTP) before doing anything."""
    oidc: OidcSettings | None = None
    """Sign-in by the site's provider, beside local accounts; unset means local accounts alone."""
