"""Settings of a model: where it answers, what it costs, what it may be shown."""

from pydantic import Field

from core.settings_section import Settings


class ModelSettings(Settings):
    """A model behind an OpenAI-compatible endpoint."""

    name: str = Field(min_length=1)
    """The model's name, as the data files and the upstream endpoint know it."""
    base_url: str | None = None
    """OpenAI-compatible endpoint, up to and with `/v1`. Needed to serve and to ask for answers, not to train."""
    api_key_env: str | None = None
    """Environment variable that holds the endpoint's key; unset means no key is sent."""
    usd_per_million_input: float = Field(0.0, ge=0)
    """Price of a million input tokens, in US dollars."""
    usd_per_million_output: float = Field(0.0, ge=0)
    """Price of a million output tokens, in US dollars."""
    timeout_s: float = Field(60.0, gt=0)
    """Seconds to wait for an answer before the call counts as failed."""
    may_see_identified: bool = False
    """Whether texts of patients may be sent to this endpoint, as under a business associate agreement.
    Unset, `label import --ask` and `calibrate` send texts of the classes `limited` and `identified`, and texts in
    which an identifier was found, only to an endpoint on this machine."""


class PairModelSettings(ModelSettings):
    """One of the two models between which the router decides; the last settings are the gateway's."""

    context_window: int | None = Field(None, ge=1)
    """Tokens that a prompt and its answer may take together; a request that may exceed the weak model's goes to the
    strong one. Unset: not looked at."""
    connect_timeout_s: float = Field(5.0, gt=0)
    """Seconds to wait for a connection."""
    first_token_timeout_s: float | None = Field(None, gt=0)
    """Seconds to wait for the first event of a stream; unset: `timeout_s`."""
    max_retries: int = Field(2, ge=0, le=10)
    """Further attempts after a failure that may pass (no connection, 408, 409, 429, 5xx), after a wait with jitter."""
    break_after: int = Field(5, ge=1)
    """Failures in a row after which the endpoint is left alone for a while (a circuit breaker)."""
    break_s: float = Field(10.0, gt=0)
    """Seconds for which it is left alone; then one request tries it."""
    max_connections: int = Field(1000, ge=1)
    """Connections to the endpoint at the same time."""
