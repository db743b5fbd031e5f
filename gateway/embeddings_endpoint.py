"""POST /v1/embeddings: the request to one endpoint and its answer back, both as they are. Nothing is decided."""

from gateway.chat_request import read_object
from gateway.doors import Embedding
from gateway.http_call import HttpCall
from gateway.refusals import Refusal, upstream_failed
from gateway.replies import JSON, Answer
from gateway.upstream import UpstreamFailure


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
