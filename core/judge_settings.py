"""Settings of the judge: a model that compares the pair's answers where no expert does. Asks nobody."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from core.model_settings import ModelSettings


class JudgeSettings(ModelSettings):
    """The model that `preceptor calibrate` has compare answers: best of another maker than both models of the pair."""

    rubric: Path | None = None
    """Text file that says what makes an answer acceptable in your domain; unset: a general one."""
    votes: Literal[1, 3, 5] = 1
    """Verdicts asked for in each order, of which most must agree; more cost as many times more."""
    strips_style: bool = True
    """Whether headings, emphasis and other marks of Markdown are taken out, which judges take for quality."""
    max_answer_chars: int = Field(8000, ge=200)
    """Longest answer that the judge reads, in characters; what lies beyond is cut, and counted."""
    json_mode: bool = False
    """Whether the request asks for JSON (`response_format`); endpoints that do not know the field refuse it."""
