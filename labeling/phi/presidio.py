"""Presidio as one more detector, off the network. Used only where a site installs it and asks for it.

What Presidio gets wrong in coding text is left out: it takes I50 for a driving licence, 99214 and HbA1c 8.9 for dates.
Web addresses and e-mail are left to the patterns: Presidio's recognisers for them fetch a list of domains.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import MissingExtra, PreceptorError
from labeling.phi.dates import find_dates
from labeling.phi.findings import Finding

KIND_OF: Mapping[str, str] = {
    "PERSON": "name",
    "LOCATION": "city",
    "DATE_TIME": "date",
    "PHONE_NUMBER": "phone",
    "US_SSN": "ssn",
    "US_ITIN": "unique_code",
    "US_PASSPORT": "unique_code",
    "UK_NHS": "mrn",
    "CREDIT_CARD": "account",
    "IBAN_CODE": "account",
    "CRYPTO": "account",
    "IP_ADDRESS": "ip_address",
    "MAC_ADDRESS": "device",
    "MEDICAL_LICENSE": "licence",
}
"""Our kind for each of Presidio's; US_BANK_NUMBER, US_DRIVER_LICENSE, ORGANIZATION and the rest are dropped."""

_ONLINE = ("EmailRecognizer", "UrlRecognizer")


class PresidioDetector:
    """Presidio's recognisers for English, with a spaCy model from a folder, or without one.

    Args:
        model_path: folder of a spaCy pipeline (it holds `config.cfg`); without one, no names or places are found.
        least_score: Presidio's own findings below it are dropped.

    Raises:
        MissingExtra: presidio-analyzer is not installed.
        PreceptorError: there is no spaCy pipeline at `model_path`.
    """

    name = "presidio"

    def __init__(self, model_path: Path | None = None, *, least_score: float = 0.35) -> None:
        self.least_score = least_score
        self._analyzer = _analyzer(model_path)

    def find(self, text: str) -> list[Finding]:
        """Findings of the kinds in KIND_OF; a date must hold a digit beside more than a year or a duration."""
        results = self._analyzer.analyze(text, language="en", entities=list(KIND_OF), score_threshold=self.least_score)
        return [
            Finding.of(KIND_OF[r.entity_type], r.start, r.end, detector=self.name, score=round(float(r.score), 2))
            for r in results
            if r.entity_type != "DATE_TIME" or _is_date(text[r.start : r.end])
        ]


def _analyzer(model_path: Path | None) -> Any:  # noqa: ANN401 - Presidio's class, known only where it is installed
    try:
        import spacy  # type: ignore[import-not-found, unused-ignore]
        from presidio_analyzer import (  # type: ignore[import-not-found, unused-ignore]
            AnalyzerEngine,
            RecognizerRegistry,
        )
        from presidio_analyzer.nlp_engine import SpacyNlpEngine  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise MissingExtra("presidio-analyzer", "phi", "The Presidio detector") from error
    if model_path is not None and not (model_path / "config.cfg").is_file():
        raise PreceptorError(
            f"{model_path} holds no spaCy pipeline (config.cfg is missing). Name the folder that holds it, or none."
        )
    engine = SpacyNlpEngine()
    engine.nlp = {"en": spacy.blank("en") if model_path is None else spacy.load(model_path)}
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    for name in _ONLINE:
        registry.remove_recognizer(name)
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def _is_date(found: str) -> bool:
    """Whether it may be more than a year, an age or a duration: "March 3" and "3/14/24", not "2019" or "two weeks"."""
    return any(True for _ in find_dates(found, "presidio"))
