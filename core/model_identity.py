"""Answers that say who wrote them, which undoes the blinding. Knows the common phrases, not a model's style."""

import re

_FAMILIES = (
    r"(?:chat-?gpt|gpt-?\s?\d[\w.-]*|gpt|claude|gemini|bard|llama|mistral|mixtral|qwen|deepseek|grok|copilot|command r)"
)
_MAKERS = (
    r"(?:openai|anthropic|google(?: deepmind)?|deepmind|meta(?: ai)?|mistral ai|alibaba|deepseek|xai|cohere|microsoft)"
)

_NAMES = (
    *("gpt", "claude", "gemini", "bard", "llama", "mistral", "mixtral", "qwen", "deepseek", "grok", "copilot"),
    *("command r", "openai", "anthropic", "google", "deepmind", "meta", "alibaba", "xai", "cohere", "microsoft"),
)
"""One of these stands in all that `IDENTITY` matches; looking for them first is many times faster."""

IDENTITY = re.compile(
    rf"\b(?:as|i am|i['’]m|my name is|this is|you are chatting with)\s+(?:an?\s+)?{_FAMILIES}\b"
    rf"|\b(?:trained|made|created|developed|built)\s+by\s+{_MAKERS}\b",
    re.IGNORECASE,
)
"""A model that says who it is, which undoes the blinding."""


def names_a_model(text: str) -> bool:
    """Whether an answer tells who wrote it.

    >>> names_a_model("As GPT-4, I would code I10."), names_a_model("As with any claim, code I10.")
    (True, False)
    """
    folded = text.casefold()
    return any(name in folded for name in _NAMES) and IDENTITY.search(text) is not None


def masked_identity(text: str) -> str:
    """The text with what tells its author struck out, so that the judging stays blind.

    >>> masked_identity("As GPT-4, I would code I10.")
    '[model], I would code I10.'
    """
    return IDENTITY.sub("[model]", text)
