"""GET /v1/decisions/{id}: what is on record of one decision: hashes, numbers and names, never a text."""

import logging
from functools import partial

from gateway.api.doors import Decisions
from gateway.api.http_call import HttpCall
from gateway.api.refusals import Refusal
from gateway.api.replies import Answer, json_answer
from gateway.contained import in_thread

LOG = logging.getLogger("preceptor.gateway")

TIMEOUT_S = 5.0
"""How long the store may take."""

_LONGEST = 200


class DecisionsEndpoint:
    """Shows a decision to the key that asked for it, and to nobody else; without keys, to everybody who gets here."""

    def __init__(self, decisions: Decisions | None, *, is_shared: bool) -> None:
        self._decisions, self._is_shared = decisions, is_shared

    async def __call__(self, call: HttpCall) -> Answer:
        """The record as JSON.

        Raises:
            Refusal: 404 no such decision for this key, 503 the store does not answer.
        """
        identifier = call.scope["path_params"]["id"]
        if self._decisions is None:
            raise Refusal(404, "This gateway keeps no record of decisions. Set store_url.", code="decision_not_found")
        try:
            is_id = len(identifier) <= _LONGEST and identifier.isascii() and identifier.isprintable()
            find = partial(self._decisions.find, identifier)
            found = await in_thread(find, timeout_s=TIMEOUT_S) if is_id else None
        except Exception as error:  # noqa: BLE001 - the store's own words may hold values
            LOG.error("The record of decisions was not read (%s).", type(error).__name__)
            raise Refusal(503, "The store does not answer. Ask again later.", code="store_unavailable") from None
        if found is None or not (self._is_shared or found.key_id == call.admitted.key_id):
            raise Refusal(
                404,
                "This key has no decision of that id on record. An answer's header x-preceptor-decision-id names one.",
                code="decision_not_found",
            )
        return json_answer(200, {"object": "decision", **found.model_dump(mode="json")})
