"""A bundle's encoder: loaded when it is first asked for, and refused where it is not the one that was trained with."""

import threading
from dataclasses import dataclass

from core.errors import BundleError
from models.encoders import Encoder, EncoderSpec, load_encoder


@dataclass(frozen=True)
class Wanted:
    """Which encoder the bundle `name` was trained with; `dimension`, where it is known, is its vectors' length."""

    name: str
    spec: EncoderSpec | None
    sha256: str | None
    dimension: int | None


class EncoderOnFirstUse:
    """The encoder, loaded once by whichever thread asks first."""

    def __init__(self, wanted: Wanted, *, n_threads: int, encoder: Encoder | None = None) -> None:
        """Know what is wanted; one that is loaded already is checked at once.

        Raises:
            BundleError: `encoder` is another than the one wanted.
        """
        self._wanted, self._n_threads = wanted, n_threads
        self._lock = threading.Lock()
        self._encoder = None if encoder is None or wanted.dimension is None else self._checked(encoder)

    def get(self) -> Encoder:
        """The encoder.

        Raises:
            BundleError: there is none, its weights are missing, or they are not those that were trained with.
        """
        with self._lock:
            if self._encoder is None:
                if self._wanted.spec is None:
                    raise BundleError(
                        f"The bundle '{self._wanted.name}' reads the text itself and has no encoder. "
                        "Ask for its scores."
                    )
                self._encoder = self._checked(load_encoder(self._wanted.spec, n_threads=self._n_threads))
            return self._encoder

    def _checked(self, encoder: Encoder) -> Encoder:
        wanted, sha256 = self._wanted.spec, self._wanted.sha256
        assert wanted is not None and sha256 is not None, "a router that reads vectors has an encoder"
        if encoder.sha256 != sha256:
            raise BundleError(
                f"The bundle '{self._wanted.name}' was trained with encoder {sha256[:12]}; "
                f"'{encoder.spec.name}' here is {encoder.sha256[:12]}. Install that encoder, or train with this one."
            )
        needs = (wanted.max_tokens, self._wanted.dimension or encoder.dimension)
        if (encoder.spec.max_tokens, encoder.dimension) != needs:
            raise BundleError(
                f"The bundle '{self._wanted.name}' needs an encoder of (max_tokens, dimension) {needs}; this one has "
                f"{(encoder.spec.max_tokens, encoder.dimension)}. Load the encoder by the bundle's own spec."
            )
        return encoder
