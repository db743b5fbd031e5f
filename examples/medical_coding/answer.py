"""Asks both models every query and grades the answers against the reference codes: outcomes.jsonl.

An answer is right (quality 1) when the one code that it proposes is the reference code, else wrong (quality 0): a claim
with a neighbouring code is denied all the same, so a right category earns nothing. `source` is `reference`: no expert
has judged these.

Answers are appended as they come, so a run that was stopped goes on where it was.
Run: python -m examples.medical_coding.answer configs/medical_coding.yaml demo-work
"""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2

from core.settings import ModelSettings, load_settings
from verifiers.proposed_code import find_proposed_code

AT_ONCE = 8


def answer_all(
    queries: Sequence[dict[str, Any]],
    models: Sequence[ModelSettings],
    path: Path,
    *,
    on_answer: Callable[[int, int], None],
) -> dict[tuple[str, str], dict[str, Any]]:
    """The answer of every model to every query, by (query id, model); only what `path` lacks is asked.

    Raises:
        httpx2.HTTPError: an endpoint does not answer; what was answered is kept.
    """
    known = {(row["id"], row["model"]): row for row in _read(path)}
    todo = [(query, model) for query in queries for model in models if (query["id"], model.name) not in known]
    total = len(queries) * len(models)

    async def ask_all() -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        async with httpx2.AsyncClient(timeout=60) as client, asyncio.TaskGroup() as tasks:
            for query, model in todo:
                await gate.acquire()
                task = tasks.create_task(ask(client, query, model))
                task.add_done_callback(lambda _: gate.release())

    with path.open("a", encoding="utf-8") as file:
        file.write("\n" if path.stat().st_size else "")  # an earlier run may have stopped inside a line

        async def ask(client: httpx2.AsyncClient, query: dict[str, Any], model: ModelSettings) -> None:
            row = {"id": query["id"], "model": model.name, **await _ask(client, query["query"], model)}
            known[query["id"], model.name] = row
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            on_answer(len(known), total)

        asyncio.run(ask_all())
    return known


def outcome_row(query: dict[str, Any], answers: dict[tuple[str, str], dict[str, Any]], names: Sequence[str]) -> dict:
    """The query with each model's graded answer, as an outcome row."""
    results = {}
    for name in names:
        answer = answers[query["id"], name]
        results[name] = {
            "quality": grade(answer["text"], query["reference"]),
            "text": answer["text"],
            "cost_usd": answer["cost_usd"],
        }
    return {**query, "source": "reference", "results": results}


def grade(answer: str, reference: str) -> float:
    """1.0 when the answer proposes the reference code and no other, else 0.0.

    >>> grade("Code: F40.291. Its description fits.", "F40.291"), grade("It is F40.290.", "F40.291")
    (1.0, 0.0)
    """
    return 1.0 if find_proposed_code(answer).code == reference else 0.0


async def _ask(client: httpx2.AsyncClient, prompt: str, model: ModelSettings) -> dict[str, Any]:
    body = {"model": model.name, "messages": [{"role": "user", "content": prompt}]}
    response = await client.post(f"{model.base_url}/chat/completions", json=body)
    response.raise_for_status()
    completion = response.json()
    usage = completion["usage"]
    cost = (
        usage["prompt_tokens"] * model.usd_per_million_input + usage["completion_tokens"] * model.usd_per_million_output
    )
    return {"text": completion["choices"][0]["message"]["content"], "cost_usd": round(cost / 1e6, 9)}


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # the line at which an earlier run was stopped
    return rows


def write_outcomes(config: Path, folder: Path, *, on_answer: Callable[[int, int], None]) -> Path:
    """Ask, grade, and write folder/outcomes.jsonl whole; its path.

    Raises:
        httpx2.HTTPError: an endpoint does not answer.
    """
    pair = load_settings(config).pair
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    answers = answer_all(queries, (pair.weak, pair.strong), folder / "answers.jsonl", on_answer=on_answer)
    names = (pair.weak.name, pair.strong.name)
    lines = [json.dumps(outcome_row(query, answers, names), ensure_ascii=False) + "\n" for query in queries]
    path = folder / "outcomes.jsonl"
    partial = path.with_suffix(".partial")
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(path)
    return path


if __name__ == "__main__":
    print(write_outcomes(Path(sys.argv[1]), Path(sys.argv[2]), on_answer=lambda done, total: None))
