"""What the reasons on record mean, in words. It explains slugs; it decides nothing and reads no text.

| form | where from |
|---|---|
| a slug alone | the route: why the strong model was asked, or what was changed |
| `weak_KIND`, `strong_KIND` | a call of that model that failed, by the kind of failure |
| `CHECK:SLUG` | a check of the recheck and what it said (docs/verifiers.md) |
"""

from typing import Final

WORDS: Final = {
    "above_threshold": "the router's probability that the strong model is needed reaches the threshold",
    "pinned_to_strong": "the conversation went to the strong model before and stays with it for a while",
    "asked_by_name": "the client named the model itself",
    "critical": "at critical stakes the strong model answers",
    "stopped": "the stop switch keeps weak answers back",
    "call_cap": "the calls that one request may make were used up, but for the strong model's",
    "weak_context_window": "the conversation may not fit the weak model's context window",
    "weak_context_unknown": "whether the conversation fits the weak model's context window cannot be told",
    "messages_not_understood": "the messages have a form that the router cannot read",
    "content_not_text": "the conversation holds more than text, which the router cannot read",
    "tools_required": "the request insists on a tool call, which no check reads",
    "router_error": "the router broke on this request",
    "router_timeout": "the router took too long",
    "probability_not_in_0_1": "the router's number is no probability",
    "no_threshold": "the bundle has no threshold for this request",
    "not_certified": "the certificate does not cover this domain at these stakes",
    "threshold_lowered_to_certified": "the client's threshold was lowered to the certified one",
    "certificate_expired": "the bundle's certificate has ended",
    "certificate_mismatch": "the bundle's certificate is not about its thresholds",
    "certificate_of_another_recheck": "the certificate counts on another recheck than this gateway's",
    "bundle_missing": "no bundle is loaded",
    "bundle_loading": "the bundle is still being loaded",
    "bundle_not_loaded": "the bundle could not be loaded",
    "bundle_altered": "the bundle's files are not those that its hash names",
    "bundle_unknown": "the registry knows no bundle of that name",
    "bundle_for_another_pair": "the bundle decides between other models",
    "recheck_loading": "the recheck is still being loaded",
    "recheck_not_loaded": "the recheck could not be loaded",
    "pointer_unreadable": "which bundle is in force cannot be read",
    "source_error": "what decides could not be asked",
    "pins_error": "whether the conversation is pinned could not be read",
    "decision_not_recorded": "the store did not take the decision",
    "client_left": "the client went away before the answer was whole",
}
"""Slugs of the route."""

KINDS: Final = {
    "timeout": "did not answer in time",
    "unreachable": "could not be reached",
    "disconnected": "broke the connection off before its answer",
    "connect_timeout": "could not be reached in time",
    "circuit_open": "was left alone because it had failed several times in a row",
    "malformed_reply": "answered with something that is no completion",
    "body_not_json": "was not asked: the request cannot be written as JSON",
    "malformed_stream": "sent a stream that cannot be read",
    "stream_broken": "broke its stream off",
    "stream_error": "sent an error within its stream",
    "error_in_reply": "answered with an error in place of a completion",
    "event_too_large": "sent an event that is too large",
    "reply_too_large": "sent an answer that is too large",
    "error": "was not heard: the gateway itself broke while it asked",
    "tls_failed": "could not be trusted: its TLS certificate does not hold",
    "client_left": "was still answering when the client went away",
}
"""Kinds of failures of a call."""

CHAIN: Final = {
    "no_checks": "no check applies, and these stakes want one",
    "timeout": "the recheck took too long",
    "error": "the recheck broke",
    "max_calls": "the calls that the recheck may make were used up",
    "max_cost_usd": "the money that the recheck may spend was used up",
}
"""What the chain of checks itself says."""


def in_words(reason: str) -> str:
    """The reason as a sentence's part; one that is not known here is given as it stands.

    >>> in_words("above_threshold")
    "the router's probability that the strong model is needed reaches the threshold"
    >>> in_words("weak_status_429"), in_words("strong_timeout")
    ('the weak model answered with HTTP status 429', 'the strong model did not answer in time')
    >>> in_words("finance.total:off_by_more")
    'the check finance.total said: off by more'
    """
    if reason in WORDS:
        return WORDS[reason]
    role, _, kind = reason.partition("_")
    if role in ("weak", "strong") and kind:
        return f"the {role} model {_failure(kind)}"
    check, has_slug, slug = reason.partition(":")
    if has_slug:
        if check == "chain":
            return CHAIN.get(slug, f"the recheck said: {_spaced(slug)}")
        return f"the check {check} said: {_spaced(slug)}"
    return _spaced(reason)


def _failure(kind: str) -> str:
    if kind in KINDS:
        return KINDS[kind]
    if kind.startswith("status_"):
        return f"answered with HTTP status {kind.removeprefix('status_')}"
    return f"failed: {_spaced(kind)}"


def _spaced(slug: str) -> str:
    return slug.replace("_", " ")
