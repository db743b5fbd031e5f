"""Versions as LMArena battles, with the style counts that its style control reads.

A token is a run of letters and digits or a single other mark: no model's tokeniser, but the same for both sides.
"""

import re

from core.records import Verdict
from labeling.frozen.dataset import Dataset
from labeling.frozen.export_rows import Export, ExportRow
from labeling.frozen.preference_forms import turns
from labeling.frozen.voices import voices_of

WINNERS = {
    Verdict.FIRST_BETTER: "model_a",
    Verdict.SECOND_BETTER: "model_b",
    Verdict.BOTH_ACCEPTABLE: "tie",
    Verdict.NEITHER_ACCEPTABLE: "tie (bothbad)",
}
"""LMArena's four verdicts; model_a is the pair's first answer."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)
_LIST = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def as_lmarena(dataset: Dataset, *, per_rater: bool) -> Export:
    """One battle per judgement or per pair, the judge by pseudonym.

    `question_id` names the judgement, or the pair where experts speak together.
    """
    voices = voices_of(dataset, per_rater=per_rater)
    rows: list[ExportRow] = []
    for voice in voices:
        if voice.verdict not in WINNERS:
            continue
        pair = voice.judged.pair
        asked = [{**turn, "num_tokens": n_tokens(turn["content"])} for turn in turns(pair)]
        first, second = style(pair.first.text), style(pair.second.text)
        rows.append(
            {
                "question_id": voice.id,
                "pair_id": pair.id,
                "model_a": pair.first.model,
                "model_b": pair.second.model,
                "winner": WINNERS[voice.verdict],
                "judge": voice.who,
                "conversation_a": [*asked, _turn(pair.first.text)],
                "conversation_b": [*asked, _turn(pair.second.text)],
                "turn": sum(message.role == "user" for message in pair.query.messages),
                "anony": True,
                "tstamp": voice.at,
                "conv_metadata": {
                    "sum_user_tokens": sum(n_tokens(turn["content"]) for turn in turns(pair)),
                    **{f"{name}_a": n for name, n in first.items() if name != "tokens"},
                    **{f"{name}_b": n for name, n in second.items() if name != "tokens"},
                    "sum_assistant_a_tokens": first["tokens"],
                    "sum_assistant_b_tokens": second["tokens"],
                },
            }
        )
    n = len(dataset.judgements) if per_rater else len(dataset.pairs)
    return Export(rows, n - len(rows))


def n_tokens(text: str) -> int:
    """Runs of letters and digits, and single other marks.

    >>> n_tokens("B42.81, see 2 notes.")
    8
    """
    return len(_TOKEN.findall(text))


def style(text: str) -> dict[str, int]:
    r"""Tokens, headers, list items and bold runs of an answer in Markdown; code blocks count as tokens alone.

    >>> style("# Answer\n- **B42.81**\n- see note")
    {'tokens': 13, 'header_count': 1, 'list_count': 2, 'bold_count': 1}
    """
    prose = _FENCED.sub("", text)
    return {
        "tokens": n_tokens(text),
        "header_count": len(_HEADER.findall(prose)),
        "list_count": len(_LIST.findall(prose)),
        "bold_count": len(_BOLD.findall(prose)),
    }


def _turn(text: str) -> dict[str, object]:
    return {"role": "assistant", "content": text, "num_tokens": n_tokens(text)}
