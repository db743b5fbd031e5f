"""POST /v1/chat/completions: the request to the routing loop, its answer or its stream back. Keeps nothing."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from gateway.chat_request import read_chat_request
from gateway.http_call import HttpCall
from gateway.loop import RoutingLoop, StrongFailed
from gateway.model_list import domain_of
from gateway.refusals import upstream_failed
from gateway.replies import Answer, Events, decision_headers, event_stream, json_answer


class ChatEndpoint:
    """Answers chat completions; a client that leaves a stream closes it, one that leaves a whole answer does not."""

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
            call.admitted.require_domain(domain_of(body["model"], names=names))
        try:
            reply = await self._loop.answer(body, told)
        except StrongFailed as failed:
            headers = decision_headers(failed.decision, names=names, with_detail=with_detail)
            return upstream_failed(failed.failure, headers)
        headers = decision_headers(reply.decision, names=names, with_detail=with_detail)
        if body.get("stream"):
            return Events(_at_once(reply.body, include_usage=_wants_usage(body)), headers)
        return json_answer(200, reply.body, headers)


async def _at_once(completion: Mapping[str, Any], *, include_usage: bool) -> AsyncIterator[bytes]:
    for content in event_stream(completion, include_usage=include_usage):
        yield content


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True
