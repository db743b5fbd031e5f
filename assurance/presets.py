"""Presets: starting points for a budget where nobody has measured yet. Rules of thumb, and each says what it is not."""

from collections.abc import Mapping

from core.records import Record, Share


class Preset(Record):
    """A budget to start from, for whom it is meant, and what it does not promise."""

    share_strong: Share
    meant_for: str
    does_not_promise: str


PRESETS: Mapping[str, Preset] = {
    "faq": Preset(
        share_strong=0.2,
        meant_for="Short questions that recur and whose answers stand in a text: opening hours, forms, definitions.",
        does_not_promise="That the questions stay short. One in five goes to the strong model, whether or not that one "
        "needed it; a wrong answer to the other four is not counted anywhere.",
    ),
    "code": Preset(
        share_strong=0.5,
        meant_for="Writing and mending programs, where tests or a compiler find a wrong answer soon.",
        does_not_promise="That the cheap half compiles or is right. Without tests behind it, use a certificate.",
    ),
    "creative": Preset(
        share_strong=0.3,
        meant_for="Drafts, names and summaries that a person reads and changes before they are used.",
        does_not_promise="Facts in the text, or one style: taste differs, and no label here measures it.",
    ),
}
"""By name. The shares are conventions, not measurements; `preceptor run` measures, and `share_strong` sets your own."""


def presets_text() -> str:
    """The presets as lines."""
    return "\n".join(
        f"{name}: at most {preset.share_strong:.0%} strong calls\n  for           {preset.meant_for}\n"
        f"  not promised  {preset.does_not_promise}"
        for name, preset in PRESETS.items()
    )
