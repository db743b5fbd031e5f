"""What stays on record of one call of a model by the gateway: names, counts and times, never a text."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.check_record import Number


class CallRecord(BaseModel):
    """One call, with all its attempts. A count or cost of None is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(max_length=200)]
    outcome: Annotated[str, Field(max_length=64)] = "ok"
    """`ok`, or the kind of failure: `timeout`, `status_429`, `circuit_open`, `malformed_stream`, `client_left` ..."""
    n_attempts: int = 1
    n_input: int | None = None
    """Tokens of the prompt, as the endpoint counted them."""
    n_output: int | None = None
    """Tokens of the answer."""
    cost_usd: Number | None = None
    latency_ms: Number | None = None
    """From the first attempt's start to the last byte."""
    first_token_ms: Number | None = None
    """From the first attempt's start to the first event of a stream; None where nothing was streamed."""
