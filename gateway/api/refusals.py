"""What a request is refused with: every fault as OpenAI's error object. Nothing of a request is told back but names."""

import logging
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.errors import PreceptorError
from gateway.api.chat_request import RequestFault
from gateway.api.replies import Answer, Header, error_envelope, json_answer
from gateway.keys.door import NotAdmitted
from gateway.model_names import BadThreshold, UnknownModel

if TYPE_CHECKING:
    from gateway.asking.upstream import UpstreamFailure

LOG = logging.getLogger("preceptor.gateway")


class Refusal(PreceptorError):
    """A request that HTTP itself, or who may ask what, forbids."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        self.status, self.code, self.param, self.headers = status, code, param, tuple(headers)
        super().__init__(message)


class TooLarge(Refusal):
    """The body is larger than the gateway takes; the rest of it is not read."""

    def __init__(self, max_bytes: int) -> None:
        message = (
            f"The body is larger than {max_bytes:,} bytes. "
            "Send less, or have whoever runs this gateway raise gateway.limits.max_request_bytes."
        )
        super().__init__(413, message, code="request_too_large", headers=[(b"connection", b"close")])


def answer_to(error: Exception) -> Answer:
    """The fault in OpenAI's envelope. What is not one of ours is a 500 that tells its kind to the log alone."""
    if isinstance(error, Refusal):
        return refused(error.status, str(error), code=error.code, param=error.param, headers=error.headers)
    if isinstance(error, NotAdmitted):
        envelope = error_envelope(error.message, kind=error.kind, code=error.code)
        headers = [(name.encode(), value.encode()) for name, value in error.headers().items()]
        return json_answer(error.status, envelope, headers)
    if isinstance(error, RequestFault):
        return refused(400, str(error), param=error.param)
    if isinstance(error, BadThreshold):
        return refused(400, str(error), param="model", code="invalid_threshold")
    if isinstance(error, UnknownModel):
        return refused(404, str(error), param="model", code="model_not_found")
    LOG.error("A request broke the gateway (%s).", type(error).__name__)  # its message may hold the text
    return json_answer(500, error_envelope("The gateway broke on this request.", kind="api_error"))


def refused(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: Sequence[Header] = (),
) -> Answer:
    """One refusal.

    >>> refused(404, "No such model.", code="model_not_found").status
    404
    """
    kind = "api_error" if status >= 500 else "invalid_request_error"
    return json_answer(status, error_envelope(message, kind=kind, param=param, code=code), headers)


def upstream_failed(failure: "UpstreamFailure", headers: Sequence[Header] = ()) -> Answer:
    """502, or the upstream's own words where the client can act on them (a bad parameter, a rate limit)."""
    retry_after_s = getattr(failure, "retry_after_s", None)
    if retry_after_s is not None:
        headers = [*headers, (b"retry-after", str(max(1, math.ceil(retry_after_s))).encode())]
    if failure.envelope is not None and failure.status is not None:
        envelope: dict[str, Any] = dict(failure.envelope)
        return json_answer(failure.status, envelope, headers)
    return json_answer(502, error_envelope(str(failure), kind="api_error", code="upstream_failed"), headers)
