"""One base matrix factorization, many domains: a LoRA adapter each, switched by name. Loads and trains nothing.

The base is held once and an adapter is a few kilobytes. A domain's adapter is merged and collapsed the first time its
pair is asked for; from then on switching is a look-up. Needs numpy alone.
"""

import threading
from collections.abc import Iterator, Mapping

from core.errors import BundleError
from models.adaptation import LoraAdapter, merge
from models.matrix_factorization import MatrixFactorization, PairScorer


class AdapterSet(Mapping[str, LoraAdapter]):
    """The adapters of one base by domain; threads may share it, and add to it while others score.

    Raises:
        BundleError: an adapter belongs to another base.
    """

    def __init__(self, base: MatrixFactorization, adapters: Mapping[str, LoraAdapter] | None = None) -> None:
        self.base = base
        self._base_sha256 = base.sha256
        self._adapters: dict[str, LoraAdapter] = {}
        self._scorers: dict[tuple[str, str, str], PairScorer] = {}
        self._lock = threading.Lock()
        for domain, adapter in (adapters or {}).items():
            self.add(domain, adapter)

    def __getitem__(self, domain: str) -> LoraAdapter:
        if domain not in self._adapters:
            known = ", ".join(sorted(self._adapters)) or "none yet"
            raise BundleError(
                f"There is no adapter for the domain '{domain}'; there is one for: {known}. "
                "Name one of these, or adapt the base to that domain and `add` the adapter."
            )
        return self._adapters[domain]

    def __contains__(self, domain: object) -> bool:
        return domain in self._adapters

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._adapters))

    def __len__(self) -> int:
        return len(self._adapters)

    def add(self, domain: str, adapter: LoraAdapter) -> None:
        """Serve a domain from now on; a domain that is there already gets the new adapter.

        Raises:
            BundleError: the adapter belongs to another base, or lacks a tensor.
        """
        if adapter.base_sha256 != self._base_sha256:
            raise BundleError(
                f"The adapter for '{domain}' belongs to base {adapter.base_sha256[:12]}, not to "
                f"{self._base_sha256[:12]}. Train it on this base, or make a set of its own base."
            )
        merge(self.base, adapter)  # what does not fit is refused here, not at the first query
        with self._lock:
            self._adapters[domain] = adapter
            self._scorers = {key: scorer for key, scorer in self._scorers.items() if key[0] != domain}

    def router(self, domain: str) -> MatrixFactorization:
        """The base with the domain's adapter merged in; made anew at each call.

        Raises:
            BundleError: there is no adapter for the domain; the message lists those there are.
        """
        return merge(self.base, self[domain])

    def scorer(self, domain: str, weak: str, strong: str) -> PairScorer:
        """The domain's router collapsed onto a pair; the same object until the domain gets another adapter.

        Raises:
            BundleError: the domain has no adapter, or the base does not know a model; the message lists the names.
        """
        key = (domain, weak, strong)
        found = self._scorers.get(key)
        if found is not None:
            return found
        adapter = self[domain]
        made = merge(self.base, adapter).collapse(weak, strong)
        with self._lock:
            if self._adapters.get(domain) is adapter:  # else another adapter came meanwhile, and this is the last use
                return self._scorers.setdefault(key, made)
        return made
