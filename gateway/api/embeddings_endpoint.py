"""POST /v1/embeddings: the request to one endpoint and its answer back, both as they are. Nothing is decided."""

from gateway.api.chat_request import read_object
from gateway.api.doors import Embedding
from gateway.api.http_call import HttpCall
from gateway.api.refusals import Refusal, upstream_failed
from gateway.api.replies import JSON, Answer
from gateway.asking.upstream import UpstreamFailure


class EmbeddingsEndpoint:
    """Passes requests on; `model` is the endpoint's own name for what embeds."""

    def __init__(self, embedding: Embedding | None) -> None:
        self._embedding = embedding

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
            return upstream_failed(failure)
        return Answer(200, found.body, [JSON])
