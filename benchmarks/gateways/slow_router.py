"""`preceptor`, but every call of a router sleeps first: what a slow embedding does to a gateway.

python -m benchmarks.gateways.slow_router serve --config FILE      # $ROUTER_SLEEP_MS, 200 by default
"""

import os
import time
from collections.abc import Sequence
from typing import Any


def sleep_before_scoring(sleep_s: float) -> None:
    """Let every bundle of this process sleep before it scores a batch."""
    from models.bundle import Bundle

    scores = Bundle.probabilities

    def slow(self: Bundle, texts: Sequence[str], strata: Sequence[str | None] = ()) -> Any:  # noqa: ANN401 - as there
        time.sleep(sleep_s)
        return scores(self, texts, strata)

    Bundle.probabilities = slow  # type: ignore[method-assign]


if __name__ == "__main__":
    from core.cli import main

    sleep_before_scoring(float(os.environ.get("ROUTER_SLEEP_MS", "200")) / 1000)
    main()
