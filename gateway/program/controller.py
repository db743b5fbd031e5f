"""The gateway inside a program, with RouteLLM's names: only the import changes.

    from gateway import Controller

    controller = Controller(routers=["mf"], strong_model="openai/gpt-4o", weak_model="ollama/llama3")
    answer = controller.chat.completions.create(model="router-mf-0.3", messages=[{"role": "user", "content": "Hi"}])

It asks, routes, rechecks and fails as the server does, since both are one `gateway.loop.RoutingLoop`. See
docs/gateway/controller.md for what differs from RouteLLM. Opens no port, and asks no model before it is asked itself.
"""

import asyncio
import logging
import threading
import weakref
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from core.records import Stakes
from gateway.answered import Reply, Streamed
from gateway.model_names import BadThreshold, UnknownModel
from gateway.program.answer_objects import Answer
from gateway.program.answer_streams import AnswerStream, AsyncAnswerStream
from gateway.program.asked import AskedOf, RoutingError, asked_of, model_name
from gateway.program.bridge import Bridge
from gateway.program.parts_in_process import Parts, parts_from_settings, parts_of
from gateway.program.providers import Access
from gateway.routing import LOWERED

if TYPE_CHECKING:
    from core.records import Decision

LOG = logging.getLogger("preceptor.gateway")

CLOSE_S = 10.0
"""Seconds that closing may take: what is under way is recorded first."""

_BATCH = 1024


class Controller:
    """Answers chat completions with the cheaper model where it may; RouteLLM's `Controller`, kept up.

    Args:
        routers: names that stand in `router-NAME-0.3`; the first one decides `auto`.
        strong_model: the expensive model, such as `openai/gpt-4o` (`gateway.program.providers` has the prefixes).
        weak_model: the cheap one.
        config: which bundle each router is (`gateway.program.router_config`).
        api_base: where both models answer; unset: their providers' own addresses.
        api_key: both models' key; unset: the variable of their provider.
        progress_bar: show one while many prompts are scored.
        weak_base_url: where the weak model answers, in place of `api_base`.
        strong_base_url: where the strong one does.
        weak_api_key_env: environment variable of the weak model's key.
        strong_api_key_env: that of the strong one's.
        stakes: of requests that name none. The default is RouteLLM's: a weak answer leaves unchecked.

    Raises:
        SettingsError: a bundle or an endpoint is not named, or they do not belong together.
        BundleError, RegistryError: a bundle cannot be fetched or read.
    """

    def __init__(  # noqa: PLR0913 - the first seven are RouteLLM's
        self,
        routers: Sequence[str],
        strong_model: str,
        weak_model: str,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        api_base: str | None = None,
        api_key: str | None = None,
        progress_bar: bool = False,
        *,
        weak_base_url: str | None = None,
        strong_base_url: str | None = None,
        weak_api_key_env: str | None = None,
        strong_api_key_env: str | None = None,
        stakes: str = Stakes.LOW,
    ) -> None:
        weak = _access(weak_base_url or api_base, api_key, weak_api_key_env)
        strong = _access(strong_base_url or api_base, api_key, strong_api_key_env)
        self._take(
            parts_of(routers, config, weak=(weak_model, weak), strong=(strong_model, strong), stakes=stakes),
            progress_bar=progress_bar,
        )

    @classmethod
    def from_settings(cls, path: str | Path, *, bundle: str | None = None, progress_bar: bool = False) -> Self:
        """The controller of a YAML: its stakes, checks, store and bundles, as `preceptor serve` has them.

        An alias of the registry is followed to where it points now, not further; the stop switch is.

        Args:
            path: the YAML.
            bundle: what decides, in place of what the settings name.
            progress_bar: show one while many prompts are scored.

        Raises:
            SettingsError: the settings describe no gateway.
            PreceptorError: the store does not answer.
        """
        controller = cls.__new__(cls)
        bridge = Bridge()
        try:
            parts = bridge.call(lambda: parts_from_settings(Path(path), bundle))
        except BaseException:
            bridge.close(lambda: asyncio.sleep(0), timeout_s=CLOSE_S)
            raise
        controller._take(parts, progress_bar=progress_bar, bridge=bridge)
        return controller

    def _take(self, parts: Parts, *, progress_bar: bool, bridge: Bridge | None = None) -> None:
        self._parts, self._progress_bar = parts, progress_bar
        self._bridge = bridge or Bridge()
        self._lock = threading.Lock()
        self.model_counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """How often each model answered, by the router that decided it."""
        completions = SimpleNamespace(create=self.completion, acreate=self.acompletion)
        self.chat = SimpleNamespace(completions=completions)
        self._ending = weakref.finalize(self, _end, self._bridge, parts)

    @property
    def routers(self) -> tuple[str, ...]:
        """The names that work in `router-NAME-0.3`."""
        return self._parts.loop.names.routers

    def completion(self, **given: Any) -> Any:  # noqa: ANN401 - an answer, or with `stream` a stream
        """Answer one request with OpenAI's parameters; from any thread.

        Args:
            given: OpenAI's own, passed on untouched; and `router`, `threshold`, `stakes` (raises the tier, never
                lowers it), `session`, `task`, `timeout` (seconds).

        Returns:
            An `Answer`; with `stream=True` an `AnswerStream` of chunks.

        Raises:
            RoutingError: the router, threshold, model or messages are none.
            StrongFailed: the strong model was asked and did not answer.
            TimeoutError: `timeout` is over.
        """
        asked = asked_of(given, routers=self.routers)
        found = self._bridge.call(lambda: self._answer(asked))
        return AnswerStream(found, self._bridge) if isinstance(found, Streamed) else self._as_answer(found)

    async def acompletion(self, **given: Any) -> Any:  # noqa: ANN401 - an answer, or with `stream` a stream
        """The same, from any event loop; with `stream=True` an `AsyncAnswerStream`."""
        asked = asked_of(given, routers=self.routers)
        found = await self._bridge.wait(lambda: self._answer(asked))
        return AsyncAnswerStream(found, self._bridge) if isinstance(found, Streamed) else self._as_answer(found)

    def route(self, prompt: str, router: str, threshold: float) -> str:
        """The model that would be asked first, by the name that the program gave it. Asks none.

        Raises:
            RoutingError: there is no such router, or the threshold is not a number in [0, 1].
        """
        name = model_name(router, threshold, routers=self.routers)
        body = {"model": name, "messages": [{"role": "user", "content": prompt}]}
        decision: Decision = self._bridge.call(lambda: self._parts.loop.decide(body))
        is_weak = set(decision.reasons) <= {LOWERED}
        names = self._parts.loop.names
        return self._given(names.weak if is_weak else names.strong)

    def batch_calculate_win_rate(self, prompts: Any, router: str) -> Any:  # noqa: ANN401 - a list, or pandas' Series
        """The calibrated probability of each prompt that the strong model is needed; a Series keeps its index.

        Args:
            prompts: a list of texts, or a Series.
            router: its name.

        Raises:
            RoutingError: there is no such router, or it has no bundle now.
        """
        model_name(router, 0.5, routers=self.routers)
        bundle = self._parts.source.deciding(router, None, lot=1.0).bundle
        if bundle is None:
            raise RoutingError(f"Router '{router}' has no bundle now, so it says nothing. Mend its bundle.")
        texts = [str(prompt) for prompt in prompts]
        found: list[float] = []
        for start in self._shown(range(0, len(texts), _BATCH)):
            found.extend(float(one) for one in bundle.probabilities(texts[start : start + _BATCH]))
        if hasattr(prompts, "index") and hasattr(prompts, "to_numpy"):
            return type(prompts)(found, index=prompts.index, dtype=float)
        return found

    def close(self) -> None:
        """Record what is under way, and let go of connections and threads; a program that ends need not."""
        if self._ending.detach() is not None:
            self._bridge.close(self._parts.aclose, timeout_s=CLOSE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _answer(self, asked: AskedOf) -> Reply | Streamed:
        try:
            async with asyncio.timeout(asked.timeout_s):
                found = await self._parts.loop.answer(asked.body, asked.told)
        except (UnknownModel, BadThreshold) as error:
            raise RoutingError(str(error)) from error
        if asked.router is not None and found.decision.answered_by is not None:
            with self._lock:
                self.model_counts[asked.router][self._given(found.decision.answered_by)] += 1
        return found

    def _as_answer(self, reply: Reply) -> Answer:
        return Answer(reply.body, reply.decision)

    def _given(self, name: str) -> str:
        return self._parts.given_names.get(name, name)

    def _shown(self, batches: Sequence[int]) -> Any:  # noqa: ANN401 - the same numbers, perhaps behind a bar
        if not self._progress_bar:
            return batches
        from rich.progress import track

        return track(batches, description="Scoring prompts")


def _access(base_url: str | None, api_key: str | None, api_key_env: str | None) -> Access:
    # A variable that is named for one model goes before the key of both.
    return Access(base_url, None if api_key_env is not None else api_key, api_key_env)


def _end(bridge: Bridge, parts: Parts) -> None:
    """Close what nobody closed, as far as a program that is ending can: it starts no threads any more."""
    try:
        bridge.close(parts.aclose, timeout_s=CLOSE_S)
    except (RuntimeError, TimeoutError) as error:
        LOG.debug("A controller was not closed in order (%s).", type(error).__name__)
