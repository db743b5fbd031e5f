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
