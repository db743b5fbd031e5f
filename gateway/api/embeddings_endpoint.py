"""POST /v1/embeddings: the request to one endpoint and its answer back, both as they are. Nothing is decided."""

from core.call_record import CallRecord
from gateway.api.chat_request import read_object
from gateway.api.doors import Embedding
from gateway.api.http_call import HttpCall
from gateway.api.refusals import Refusal, upstream_failed
from gateway.api.replies import JSON, Answer
from gateway.asking.upstream import UpstreamFailure
from gateway.keys.door import Door


class EmbeddingsEndpoint:
    """Passes requests on; `model` is the endpoint's own name for what embeds. What it costs is counted to the key."""

    def __init__(self, embedding: Embedding | None, keys: Door | None = None) -> None:
        self._embedding, self._keys = embedding, keys

    async def __call__(self, call: HttpCall) -> Answer:
        """The endpoint's answer.

        Raises:
            RequestFault, Refusal: the request is at fault, or nothing embeds here.
        """
        if self._embedding is None:
            raise Refusal(
                404,
                "No endpoint embeds here. Have whoever runs this gateway set gateway.embeddings to weak or strong.",
                code="embeddings_off",
            )
        call.says()
        body = read_object(await call.json_bytes(), wants="`model` and `input`")
        try:
            found = await self._embedding.embeddings(body)
        except UpstreamFailure as failure:
            self._charge(call, failure.call)
            return upstream_failed(failure)
        self._charge(call, found.call)
        return Answer(200, found.body, [JSON])

    def _charge(self, call: HttpCall, made: CallRecord) -> None:
        if self._keys is not None:
            self._keys.charge_call(call.admitted.key_id, made)
