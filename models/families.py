"""The families of routers as files: what of a router goes into a bundle, and how it is read again. Never runs code.

| family | files |
|---|---|
| mf | weights.safetensors, models.json, and adapter/ with the LoRA update in PEFT's files |
| similarity | examples.safetensors, kernel.json |
| mf_similarity | pair.safetensors, fallback.json, and the neighbours' files in neighbours/ |
| mf_encoder | encoder.json, head.safetensors, and update/ with the encoder's LoRA update in PEFT's files |
| words | words.json, words.safetensors |
| combined | combined.json, combined.safetensors |
| pair | pair.json, pair.safetensors |
| bert, causal_lm | network.json, and update/ with the LoRA update or checkpoint/ with merged weights |
| stacked | stack.json, and the members' files in members/0/FAMILY/ and so on |
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from core.errors import BundleError
from models.adaptation import adapter_files, adapter_from_files
from models.combined import CombinedRouter
from models.file_tree import below, within
from models.matrix_factorization import MatrixFactorization, PairScorer
from models.mf_router import MfRouter
from models.pair_router import PairRouter
from models.router import Router
from models.similarity import SimilarityRouter
from models.similarity_fallback import FallbackRouter
from models.similarity_kernel import Kernel
from models.stacked_router import StackedRouter
from models.stacking import Stack
from models.words import WordsRouter

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Reading:
    """What a family needs to know beside its files: the pair that the bundle decides between, and threads."""

    weak: str
    strong: str
    n_threads: int = 1


def files_of(router: Router) -> dict[str, bytes]:
    """A router as files, each of safetensors or JSON.

    Raises:
        BundleError: the router is of no family that a bundle can hold.
    """
    return dict(_family(router.family).write(router))


def router_from(family: str, files: Files, reading: Reading) -> Router:
    """The router that `files_of` took apart.

    Raises:
        BundleError: the family is unknown, or the files are not those of a router of that family and pair.
    """
    try:
        return _family(family).read(files, reading)
    except (KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise BundleError(
            f"The router's files do not read as family '{family}' ({error!r}). "
            "They were written by other means than `preceptor run`; run that again."
        ) from error


def as_json(value: object) -> bytes:
    """A JSON value as the bytes of a file: sorted, readable, no NaN."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


@dataclass(frozen=True)
class _Family:
    write: Callable[[Any], Files]
    read: Callable[[Files, Reading], Router]


def _write_mf(router: MfRouter) -> Files:
    arrays = {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in router.base.to_arrays().items()}
    files = {"weights.safetensors": safetensors.save(arrays), "models.json": as_json(list(router.base.model_names))}
    if router.adapter is not None:
        files |= below(adapter_files(router.adapter), "adapter")
    return files


def _read_mf(files: Files, reading: Reading) -> MfRouter:
    base = MatrixFactorization.from_arrays(
        tuple(json.loads(files["models.json"])), safetensors.load(files["weights.safetensors"])
    )
    update = within(files, "adapter")
    router = MfRouter(base, reading.weak, reading.strong, adapter_from_files(update) if update else None)
    router.pair  # noqa: B018 - a pair or an adapter that does not fit is refused here, not at the first query
    return router


def _write_similarity(router: SimilarityRouter) -> Files:
    return {
        "examples.safetensors": safetensors.save(router.to_arrays()),
        "kernel.json": as_json(router.kernel.model_dump(mode="json")),
    }


def _read_similarity(files: Files, reading: Reading) -> SimilarityRouter:
    kernel = Kernel.model_validate_json(files["kernel.json"])
    return SimilarityRouter.from_arrays(kernel, safetensors.load(files["examples.safetensors"]))


def _write_fallback(router: FallbackRouter) -> Files:
    pair = {"vector": router.primary.vector, "intercept": np.array([router.primary.intercept])}
    return {
        "pair.safetensors": safetensors.save(pair),
        "fallback.json": as_json({"n_trained": router.n_trained}),
        **below(_write_similarity(router.similarity), "neighbours"),
    }


def _read_fallback(files: Files, reading: Reading) -> FallbackRouter:
    pair = safetensors.load(files["pair.safetensors"])
    primary = PairScorer(pair["vector"], float(pair["intercept"][0]))
    n_trained = int(json.loads(files["fallback.json"])["n_trained"])
    return FallbackRouter(primary, _read_similarity(within(files, "neighbours"), reading), n_trained)


def _write_own(router: Any) -> Files:  # noqa: ANN401 - a router of text, which may need torch
    files: Files = router.to_files()
    return files


def _write_stacked(router: StackedRouter) -> Files:
    files = {"stack.json": router.stack.to_json()}
    for j, member in enumerate(router.members):
        files |= below(files_of(member), f"members/{j}/{member.family}")
    return files


def _read_stacked(files: Files, reading: Reading) -> StackedRouter:
    stack = Stack.from_json(files["stack.json"])
    members = (
        router_from(family, within(files, f"members/{j}/{family}"), reading)
        for j, family in enumerate(stack.member_names)
    )
    return StackedRouter(tuple(members), stack)


def _read_text(files: Files, reading: Reading) -> Router:
    from models.minilm_classifier import MinilmClassifier, reads
    from models.text_router import TextRouter, spec_in

    spec = spec_in(files)
    if reads(spec, files):
        return MinilmClassifier(spec, files, n_threads=reading.n_threads)
    return TextRouter.from_files(files, n_threads=reading.n_threads, merge=True)


def _read_encoder(files: Files, reading: Reading) -> Router:
    from models.encoder_router import EncoderRouter

    return EncoderRouter.from_files(files, n_threads=reading.n_threads)


_FAMILIES = {
    "mf": _Family(_write_mf, _read_mf),
    "similarity": _Family(_write_similarity, _read_similarity),
    "mf_similarity": _Family(_write_fallback, _read_fallback),
    "mf_encoder": _Family(_write_own, _read_encoder),
    "words": _Family(WordsRouter.to_files, lambda files, reading: WordsRouter.from_files(files)),
    "combined": _Family(CombinedRouter.to_files, lambda files, reading: CombinedRouter.from_files(files)),
    "pair": _Family(PairRouter.to_files, lambda files, reading: PairRouter.from_files(files)),
    "bert": _Family(_write_own, _read_text),
    "causal_lm": _Family(_write_own, _read_text),
    "stacked": _Family(_write_stacked, _read_stacked),
}


def _family(name: str) -> _Family:
    if name not in _FAMILIES:
        raise BundleError(
            f"There is no family of routers named '{name}' in this release; it knows {', '.join(sorted(_FAMILIES))}. "
            "Install the release that made the bundle."
        )
    return _FAMILIES[name]
