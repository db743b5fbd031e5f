"""An `Ask` over an endpoint that the settings name: the one file of the room that knows endpoints. Judges nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from core.endpoint import Endpoint
from core.model_call import ModelCall
from core.records import Message
from verifiers.doubt.asking import Given


@dataclass(frozen=True)
class EndpointAsk:
    """Asks one endpoint; whatever goes wrong there is raised, and becomes the check's error."""

    call: ModelCall

    @classmethod
    def of(cls, endpoint: Endpoint, *, max_tokens: int | None = None) -> Self:
        """An `Ask` of this endpoint, with a limit on the tokens of a reply."""
        return cls(ModelCall(endpoint, max_tokens))

    def __call__(self, messages: Sequence[Message], options: Mapping[str, object]) -> Given:
        """The endpoint's reply.

        Raises:
            NoAnswer: there is none, and why.
            SettingsError: a key is missing.
        """
        reply, cost_usd = self.call(messages, options)
        return Given(reply.text, cost_usd, is_cut=reply.is_cut)
