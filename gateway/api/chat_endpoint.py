"""POST /v1/chat/completions: the request to the routing loop, its answer or its stream back. Keeps nothing."""

from gateway.answered import Streamed, StrongFailed
from gateway.api.chat_request import read_chat_request
from gateway.api.http_call import HttpCall
from gateway.api.model_list import domain_for
from gateway.api.refusals import upstream_failed
from gateway.api.replies import Answer, Events, decision_headers, json_answer
from gateway.loop import RoutingLoop


class ChatEndpoint:
    """Answers chat completions; a client that leaves ends a stream, and not the making of a whole answer."""

    def __init__(self, loop: RoutingLoop) -> None:
        self._loop = loop

    async def __call__(self, call: HttpCall) -> Answer | Events:
        """The loop's answer, in OpenAI's form.

        Raises:
            RequestFault, UnknownModel, BadThreshold, NotAdmitted, Refusal: the request is at fault.
        """
        told, with_detail = call.says()
        body = read_chat_request(await call.json_bytes())
        names = self._loop.names
        if call.admitted.domains is not None:
            call.admitted.require_domain(domain_for(call.admitted, body["model"], names=names))
        try:
            reply = await self._loop.answer(body, told)
        except StrongFailed as failed:
            headers = decision_headers(failed.decision, names=names, with_detail=with_detail)
            return upstream_failed(failed.failure, headers)
        headers = decision_headers(reply.decision, names=names, with_detail=with_detail)
        if isinstance(reply, Streamed):
            return Events(reply.events, headers)
        return json_answer(200, reply.body, headers)
