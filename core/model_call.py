"""One question to one endpoint, waited for: what checks that ask a model are handed. Never retries, keeps no text.

Each call has an event loop of its own, so it may be made from any thread that runs none.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.endpoint import Client, Endpoint, Reply
from core.records import Message


@dataclass(frozen=True)
class ModelCall:
    """Asks the endpoint; the reply's cost is None where the endpoint did not count its tokens."""

    endpoint: Endpoint
    max_tokens: int | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __call__(self, messages: Sequence[Message], options: Mapping[str, object]) -> tuple[Reply, float | None]:
        """The reply and what it cost in US dollars.

        Raises:
            NoAnswer: there is none, and why.
            SettingsError: a key is missing.
        """
        reply = asyncio.run(self._ask(messages, options))
        if reply.n_input is None or reply.n_output is None:
            return reply, None
        return reply, self.endpoint.cost_usd(reply.n_input, reply.n_output)

    async def _ask(self, messages: Sequence[Message], options: Mapping[str, object]) -> Reply:
        async with Client(self.endpoint) as client:
            return await client.ask(messages, max_tokens=self.max_tokens, now=self.clock(), options=options)
