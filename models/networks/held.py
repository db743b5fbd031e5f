"""One base network in memory with several updates on it by name. Switching an update loads nothing.

All routers of one process that share a base share it here, whichever bundles they came from: a new version of a router
takes its place beside the old one for the memory of its update alone. A base that no router uses is let go.
"""

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from models.networks.after_prompt import AfterPrompt
from models.networks.building import TextNetwork
from models.networks.spec import NetworkSpec
from models.networks.updates import load_update, update_files


class HeldNetwork:
    """A network and its updates. One thread at a time computes with it: an update is chosen for the whole network."""

    def __init__(self, network: TextNetwork) -> None:
        self._network = network
        self._lock = threading.Lock()
        self._n_added = 0
        self._active: str | None = None
        self._unused: deque[str] = deque()
        self._prompts: dict[tuple[str | None, tuple[int, ...]], Any] = {}

    def add(self, files: Mapping[str, bytes]) -> "Update":
        """Put one more update on the network.

        Raises:
            BundleError: the files are no update of this network.
        """
        with self._lock:
            self._take_off_unused()
            name = f"update{self._n_added:09d}"  # PEFT finds tensors by substring: no name may hold another
            self._n_added += 1
            self._active = None  # whatever PEFT makes active, also where the update is refused
            module = self._network.module
            device = next(module.parameters()).device
            module.core = load_update(module.core, files, name)
            module.to(device)
            module.eval()
        return Update(self, name)

    @contextmanager
    def using(self, update: "Update | None", spec: NetworkSpec) -> Iterator[TextNetwork]:
        """The network with one update, or without any, read as `spec` says, for this thread alone."""
        with self._lock:
            self._take_off_unused()
            if update is not None and update.name != self._active:
                self._network.module.core.set_adapter(update.name, inference_mode=True)
                self._active = update.name
            yield replace(self._network, spec=spec)

    def after_prompt(self, update: "Update | None", network: TextNetwork) -> AfterPrompt | None:
        """The network for rows without the prompt's head, which is computed once an update. To be called in `using`.

        None where there is no such head, or the network cannot go on from it.
        """
        if network.spec.family != "causal_lm":
            return None
        frame = network.spec.frame
        key = (None if update is None else update.name, frame.prefix_ids)
        if key not in self._prompts:
            module: Any = network.module
            self._prompts[key] = module.prompt_state(frame.prefix_ids, frame.suffix_ids)
        state = self._prompts[key]
        return None if state is None else AfterPrompt(network, state)

    def forget(self, name: str) -> None:
        """Note that nobody uses an update any more; it is taken off when the network is next asked for.

        Takes no lock: the garbage collector calls it, at times from a thread that computes with this very network.
        """
        self._unused.append(name)

    def _take_off_unused(self) -> None:
        core = self._network.module.core
        while self._unused:
            name = self._unused[0]
            for key in [key for key in self._prompts if key[0] == name]:
                del self._prompts[key]
            others = [other for other in core.peft_config if other != name]
            if not others:  # the last one stays until there is another, or the network goes
                return
            self._unused.popleft()
            core.set_adapter(others[0], inference_mode=True)
            core.delete_adapter(name)
            self._active = others[0]


class Update:
    """One update on a held network; it is taken off when nobody holds this any more."""

    def __init__(self, held: HeldNetwork, name: str) -> None:
        self._held, self.name = held, name
        weakref.finalize(self, held.forget, name)

    def files(self, spec: NetworkSpec) -> dict[str, bytes]:
        """The update as PEFT's two files."""
        with self._held.using(self, spec) as network:
            return update_files(network.module.core, self.name, base=spec.base)


_HELD: "weakref.WeakValueDictionary[tuple[str, str], HeldNetwork]" = weakref.WeakValueDictionary()
_HELD_LOCK = threading.Lock()


def held_network(sha256: str, device: str, build: Callable[[], TextNetwork]) -> HeldNetwork:
    """The base with this hash on this device: the one that is held, or a new one."""
    with _HELD_LOCK:
        found = _HELD.get((sha256, device))
        if found is None:
            network = build()
            network.module.to(device)
            network.module.eval()
            _HELD[(sha256, device)] = found = HeldNetwork(network)
        return found
