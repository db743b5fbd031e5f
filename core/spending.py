"""What asking costs: an estimate before anything is sent, and a cap that holds over all runs with the same answers."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, inf

from core.answer_file import GivenAnswer
from core.endpoint import Endpoint
from core.records import Message

CHARS_A_TOKEN = 4
"""Characters of English text in a token, roughly; other languages have fewer."""

ASSUMED_OUTPUT_TOKENS = 400
"""Length of an answer, as long as too few were given to tell."""

_ENOUGH_ANSWERS = 5


@dataclass(frozen=True)
class Estimate:
    """What the questions that are left would cost one endpoint."""

    model: str
    n_calls: int
    n_input: int
    n_output: int
    cost_usd: float


def tokens_of(messages: Iterable[Message]) -> int:
    """Tokens of a conversation, estimated from its length.

    >>> tokens_of([Message(role="user", content="x" * 40)])
    14
    """
    return sum(len(message.content) // CHARS_A_TOKEN + 4 for message in messages)


class OutputLengths:
    """How long the answers of each model are, as far as some were given."""

    def __init__(self, answers: Iterable[GivenAnswer], *, max_tokens: int | None = None) -> None:
        self._max_tokens = max_tokens
        self._n: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        for answer in answers:
            self.add(answer)

    def add(self, answer: GivenAnswer) -> None:
        """Take an answer into account."""
        self._n[answer.model] += 1
        self._tokens[answer.model] += _output_of(answer)

    def expected(self, model: str) -> int:
        """Tokens that the next answer will have: the mean so far, or an assumption; never above the limit."""
        n = self._n[model]
        expected = self._tokens[model] // n if n >= _ENOUGH_ANSWERS else ASSUMED_OUTPUT_TOKENS
        return min(expected, self._max_tokens or expected)


def estimate(endpoint: Endpoint, questions: Sequence[Sequence[Message]], *, n_output: int) -> Estimate:
    """What these conversations would cost, with so many tokens an answer.

    >>> asked = [[Message(role="user", content="x" * 40)]] * 100
    >>> estimate(Endpoint("m", "", usd_per_million_input=10, usd_per_million_output=20), asked, n_output=50).cost_usd
    0.114
    """
    n_input = sum(map(tokens_of, questions))
    n_all = n_output * len(questions)
    return Estimate(endpoint.model, len(questions), n_input, n_all, endpoint.cost_usd(n_input, n_all))


def cost_of(answer: GivenAnswer, endpoint: Endpoint) -> float:
    """What an answer cost; where the endpoint did not count its tokens, what its length suggests."""
    if answer.cost_usd is not None:
        return answer.cost_usd
    return endpoint.cost_usd(answer.n_input or 0, _output_of(answer))


def most_tokens_of(messages: Iterable[Message]) -> int:
    """Tokens of a conversation, on the safe side: no common tokeniser takes more than one for two bytes of prose.

    >>> most_tokens_of([Message(role="user", content="x" * 40)])
    28
    """
    return sum(len(message.content.encode()) // 2 + 8 for message in messages)


class Budget:
    """A cap on what is spent. What is under way is set aside before, so that many at once do not overrun it."""

    def __init__(self, spent_usd: float, max_usd: float | None) -> None:
        self.spent_usd = spent_usd
        self._max_usd = inf if max_usd is None else max_usd
        self._reserved_usd: list[float] = []
        self._settled = asyncio.Condition()

    async def reserve(self, cost_usd: float) -> bool:
        """Set an amount aside, waiting for what is under way; False where the cap leaves no room for it."""
        async with self._settled:
            while self.spent_usd + fsum(self._reserved_usd) + cost_usd > self._max_usd:
                if not self._reserved_usd:
                    return False
                await self._settled.wait()
            self._reserved_usd.append(cost_usd)
            return True

    async def settle(self, reserved_usd: float, spent_usd: float) -> None:
        """Turn what was set aside into what was spent; 0 where no answer came."""
        async with self._settled:
            self._reserved_usd.remove(reserved_usd)
            self.spent_usd += spent_usd
            self._settled.notify_all()


def _output_of(answer: GivenAnswer) -> int:
    return answer.n_output if answer.n_output is not None else len(answer.text) // CHARS_A_TOKEN
