"""Asks both models of the pair every query, grades the answers by the reference, and writes the outcomes.

    queries.jsonl -> POST to both endpoints -> answers.jsonl (grows; resumed after a kill) -> outcomes.jsonl

An answer is right (1.0) when it proposes the reference code, and wrong (0.0) otherwise. There is no credit for the
right category: a claim with a neighbouring code is denied or paid wrongly.

Run: python -m examples.medical_coding.answer configs/medical_coding.yaml --work demo-work
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from core import fingerprint
from core.errors import UpstreamError
from core.settings import ModelSettings, PairSettings, load_settings
from verifiers.coding.proposed_code import find_proposed_code

CONCURRENCY = 16
"""Calls in flight at one endpoint."""


class Ask(NamedTuple):
    """One call to make; `key` names it by model and prompt, so that a changed prompt is asked again."""

    key: str
    model: ModelSettings
    prompt: str


def grade(answer: str, reference: str) -> float:
    """1.0 when the answer proposes exactly the reference code.

    >>> grade("Code: F40.291. Fear of women, not F40.290.", "F40.291"), grade("F40.290 or F40.291", "F40.291")
    (1.0, 0.0)
    """
    return float(find_proposed_code(answer).code == reference)


def answer_all(rows: Sequence[Mapping[str, str]], pair: PairSettings, answers: Path) -> dict[str, dict[str, Any]]:
    """Every answer by its key; asks only for what the file `answers` does not hold yet.

    Raises:
        UpstreamError: an endpoint is out of reach or refuses.
    """
    known = _read_answers(answers)
    models = (pair.weak, pair.strong)
    asks = [Ask(key_of(model.name, row["query"]), model, row["query"]) for row in rows for model in models]
    missing = [ask for ask in asks if ask.key not in known]
    if missing:
        console = Console(stderr=True)
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with (
            answers.open("a", encoding="utf-8") as file,
            Progress(*columns, console=console, disable=not console.is_terminal) as bars,
        ):
            tasks = {
                model.name: bars.add_task(f"asking {model.name}", total=sum(ask.model is model for ask in missing))
                for model in models
            }

            def keep(ask: Ask, reply: dict[str, Any]) -> None:
                file.write(json.dumps({"key": ask.key, **reply}, ensure_ascii=False) + "\n")
                file.flush()
                known[ask.key] = reply
                bars.advance(tasks[ask.model.name])

            asyncio.run(_ask_all(missing, keep))
    return {ask.key: known[ask.key] for ask in asks}


def outcome_rows(
    rows: Iterable[Mapping[str, str]], pair: PairSettings, answers: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Each query with both graded answers: the outcome form that `preceptor run` reads."""
    graded = []
    for row in rows:
        results = {}
        for model in (pair.weak, pair.strong):
            reply = answers[key_of(model.name, row["query"])]
            cost_usd = cost_of(model, reply["prompt_tokens"], reply["completion_tokens"])
            quality = grade(reply["text"], row["reference"])
            results[model.name] = {"quality": quality, "text": reply["text"], "cost_usd": cost_usd}
        graded.append({**row, "source": "reference", "results": results})
    return graded


def cost_of(model: ModelSettings, prompt_tokens: int, completion_tokens: int) -> float:
    """What a call costs at the prices that the settings state, in US dollars."""
    return (prompt_tokens * model.usd_per_million_input + completion_tokens * model.usd_per_million_output) / 1e6


def key_of(model: str, prompt: str) -> str:
    """Names a call by its content."""
    return f"{model}:{fingerprint.of_text(prompt)}"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """One JSON object a line, in place only when complete."""
    partial = path.with_suffix(".partial")
    partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    partial.replace(path)


async def _ask_all(asks: Sequence[Ask], keep: Callable[[Ask, dict[str, Any]], None]) -> None:
    """Ask both endpoints side by side, each with a bounded number of calls in flight."""
    places = {ask.model.name: asyncio.Semaphore(CONCURRENCY) for ask in asks}
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=2 * CONCURRENCY)) as client:

        async def one(ask: Ask) -> None:
            async with places[ask.model.name]:
                keep(ask, await _ask(client, ask))

        async with asyncio.TaskGroup() as group:
            for ask in asks:
                group.create_task(one(ask))


async def _ask(client: httpx2.AsyncClient, ask: Ask) -> dict[str, Any]:
    body = {"model": ask.model.name, "messages": [{"role": "user", "content": ask.prompt}]}
    started = time.perf_counter()
    try:
        response = await client.post(f"{ask.model.base_url}/chat/completions", json=body, timeout=ask.model.timeout_s)
        response.raise_for_status()
    except httpx2.HTTPError as error:
        raise UpstreamError(
            f"{ask.model.name} at {ask.model.base_url} did not answer ({type(error).__name__}). "
            "Check that it runs, then run this again: the answers so far are kept."
        ) from error
    reply = response.json()
    return {
        "text": reply["choices"][0]["message"]["content"],
        "prompt_tokens": reply["usage"]["prompt_tokens"],
        "completion_tokens": reply["usage"]["completion_tokens"],
        "latency_ms": round((time.perf_counter() - started) * 1000, 1),
    }


def _read_answers(path: Path) -> dict[str, dict[str, Any]]:
    """Answers kept so far; a last line cut short by a kill is dropped, and asked for again."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return {row.pop("key"): row for row in map(json.loads, whole.splitlines())}


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--work", type=click.Path(path_type=Path), default=Path("demo-work"), show_default=True)
def main(config: Path, work: Path) -> None:
    """Ask the two endpoints of CONFIG, which must be running, and write WORK/outcomes.jsonl."""
    pair = load_settings(config).pair
    rows = read_rows(work / "queries.jsonl")
    write_rows(outcome_rows(rows, pair, answer_all(rows, pair, work / "answers.jsonl")), work / "outcomes.jsonl")


if __name__ == "__main__":
    main()
