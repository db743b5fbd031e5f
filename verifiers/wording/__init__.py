"""Checks of an answer's wording: citations, sections, quotations, form, refusals, language and length."""

from collections.abc import Mapping

CHECKS: Mapping[str, str] = {
    "wording.citation": "verifiers.wording.citation:CitationCheck",
    "wording.section": "verifiers.wording.section:SectionCheck",
    "wording.quote": "verifiers.wording.quote:QuoteCheck",
    "wording.schema": "verifiers.wording.schema:SchemaCheck",
    "wording.allowed": "verifiers.wording.allowed:AllowedCheck",
    "wording.refusal": "verifiers.wording.refusal:RefusalCheck",
    "wording.language": "verifiers.wording.language:LanguageCheck",
    "wording.length": "verifiers.wording.length:LengthCheck",
}
"""Each check's id, and where its class is; nothing is imported until a pack asks for it."""
