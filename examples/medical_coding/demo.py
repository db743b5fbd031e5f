"""The whole journey on real medical coding queries: `make demo` runs this.

    queries -> two coders answer -> graded outcomes -> preceptor run -> promote -> serve -> unseen queries, routed

Nothing is faked: the coders are programs behind real OpenAI-compatible endpoints, called stand-ins because they stand
where two URLs of yours will. What is finished is not done again, so a second run is quick.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from rich.console import Console
from rich.progress import Progress

from assurance.bounds import binomial_interval
from core.settings import RunSettings, load_settings
from examples.medical_coding.answer import answer_all, grade, outcome_rows, read_rows, write_rows
from examples.medical_coding.code_set import load_code_set
from examples.medical_coding.queries import build_queries, write_queries
from models.versions import aliases_of

CONFIG = Path("configs/medical_coding.yaml")
FOLDER = Path("demo-work")
N_ROUTED = 150
N_TO_LABEL = 30

CONSOLE = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Run the journey; exit 1 with a sentence where a step fails."""
    started = time.monotonic()
    settings = load_settings(CONFIG)
    FOLDER.mkdir(exist_ok=True)
    _say("1. Queries from the ICD-10-CM code set")
    queries = FOLDER / "queries.jsonl"
    if not queries.exists():
        write_queries(build_queries(load_code_set()), queries)
    n_queries = len(queries.read_text(encoding="utf-8").splitlines())
    CONSOLE.print(f"   {n_queries} diagnoses with their reference codes, each with six candidates")
    with ExitStack() as servers:
        _say("2. Two stand-in coders answer every query over HTTP")
        for coder, model in (("cheap", settings.pair.weak), ("careful", settings.pair.strong)):
            module = ["examples.medical_coding.server", "--coder", coder, "--port", _port(str(model.base_url))]
            servers.enter_context(_server(module, f"{model.base_url}/models"))
        rows = read_rows(queries)
        outcomes = FOLDER / "outcomes.jsonl"
        answers = answer_all(rows, settings.pair, FOLDER / "answers.jsonl")
        write_rows(outcome_rows(rows, settings.pair, answers), outcomes)
        _say("3. Adapt the router: a base on the other specialties, LoRA on mental health")
        _preceptor("run", CONFIG)
        registered = json.loads((_run_folder(settings) / "register" / "registered.json").read_text(encoding="utf-8"))
        CONSOLE.print("\n   The same labels, another family of routers: vectors, words and looks in one ridge")
        _preceptor("run", CONFIG, "--set", f"name={settings.name}-combined", "--set", "router.family=combined")
        _say("4. Promote it: gates, a second person, the ledger")
        version = registered["adapted"]
        if aliases_of(settings.name, tracking_uri=settings.mlflow.tracking_uri).get("champion") == version:
            CONSOLE.print(f"   version {version} is the champion since an earlier demo")
        else:
            _preceptor(
                "promote", settings.name, version, "--to", "champion", "--by", "ann", "--approved-by", "bob",
                "--reason", "demo", "--config", CONFIG,
            )  # fmt: skip
        _preceptor("ledger", "verify", "--config", CONFIG)
        _say(f"5. Serve it, and send {N_ROUTED} unseen queries through the gateway")
        base_url = f"http://{settings.gateway.host}:{settings.gateway.port}"
        command = ["core.cli", "serve", "--config", str(CONFIG)]
        servers.enter_context(_server(command, f"{base_url}/health/ready"))
        unseen = _unseen(settings, outcomes)
        routed = _through_gateway(f"{base_url}/v1", unseen)
        if all(row["answered_by"] == settings.pair.strong.name for row in routed):
            sys.exit("The gateway let no weak answer out. Its own words stand above.")
        _table(settings, unseen, routed)
    _say("6. Pairs for experts to judge")
    _pairs(settings, unseen)
    _preceptor(
        "label", "import", FOLDER / "pairs.jsonl", "--config", CONFIG,
        "--weak", settings.pair.weak.name, "--strong", settings.pair.strong.name,
    )  # fmt: skip
    _epilogue(settings, time.monotonic() - started)


def _unseen(settings: RunSettings, outcomes: Path) -> list[dict[str, Any]]:
    """Test rows of the specialty, which no stage has trained or calibrated on, in a fixed order."""
    folder = _run_folder(settings)
    parts = json.loads((folder / "split" / "parts.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in outcomes.read_text(encoding="utf-8").splitlines()]
    test = [row for row, part in zip(rows, parts, strict=True) if part == "test"]
    order = np.random.default_rng(0).permutation(len(test))[:N_ROUTED]
    return [test[i] for i in order]


def _through_gateway(base_url: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each row the gateway's answer: who answered, whether it is right, what it cost, why."""
    routed = []
    with httpx2.Client(timeout=60) as client, Progress(console=CONSOLE, transient=True) as bars:
        for row in bars.track(rows, description="   requests"):
            body = {"model": "auto", "messages": [{"role": "user", "content": row["query"]}]}
            response = client.post(f"{base_url}/chat/completions", json=body, headers={"x-preceptor-debug": "1"})
            response.raise_for_status()
            completion = response.json()
            routed.append(
                {
                    "answered_by": completion["model"],
                    "quality": grade(completion["choices"][0]["message"]["content"], row["reference"]),
                    "reason": response.headers.get("x-preceptor-reason", ""),
                    "verdict": response.headers.get("x-preceptor-verdict", ""),
                }
            )
    return routed


def _table(settings: RunSettings, rows: Sequence[Mapping[str, Any]], routed: Sequence[Mapping[str, Any]]) -> None:
    weak, strong = settings.pair.weak.name, settings.pair.strong.name
    always = {name: [row["results"][name] for row in rows] for name in (weak, strong)}
    lines = [(f"always {name}", [r["quality"] for r in always[name]], [r["cost_usd"] for r in always[name]])
             for name in (weak, strong)]  # fmt: skip
    costs = []
    for row, answer in zip(rows, routed, strict=True):
        asked_weak = answer["answered_by"] == weak or bool(answer["verdict"])  # an escalated answer cost both calls
        asked_strong = answer["answered_by"] == strong
        costs.append(asked_weak * row["results"][weak]["cost_usd"] + asked_strong * row["results"][strong]["cost_usd"])
    lines.insert(1, ("gateway, auto", [answer["quality"] for answer in routed], costs))
    CONSOLE.print(f"   {'':<22} {'accuracy [95 % interval]':<28} USD per 1,000 queries")
    for name, quality, cost in lines:
        share = binomial_interval(int(sum(quality)), len(quality))
        CONSOLE.print(f"   {name:<22} {share!s:<28} {1000 * float(np.mean(cost)):.3f}")
    to_strong = sum(answer["answered_by"] == strong for answer in routed)
    CONSOLE.print(f"   share answered by {strong}: {binomial_interval(to_strong, len(routed))}")
    verdicts = {v: sum(answer["verdict"] == v for answer in routed) for v in {a["verdict"] for a in routed} if v}
    CONSOLE.print(f"   recheck of weak answers: {', '.join(f'{v} {n}' for v, n in sorted(verdicts.items()))}")


def _pairs(settings: RunSettings, rows: Sequence[Mapping[str, Any]]) -> None:
    names = (settings.pair.weak.name, settings.pair.strong.name)
    keys = ("id", "query", "domain", "stakes", "group")
    lines = []
    for row in rows[:N_TO_LABEL]:
        answers = {name: {"text": row["results"][name]["text"]} for name in names}
        lines.append(json.dumps({key: row[key] for key in keys} | {"answers": answers}, ensure_ascii=False) + "\n")
    (FOLDER / "pairs.jsonl").write_text("".join(lines), encoding="utf-8")


def _epilogue(settings: RunSettings, seconds: float) -> None:
    report = _run_folder(settings) / "evaluate" / "report.html"
    CONSOLE.print(
        f"""
Done in {seconds / 60:.1f} minutes. cheap-coder and careful-coder are stand-ins: replace them by two URLs in {CONFIG}.

Look at   {report}   the report: figures with intervals, in a browser
          mlflow ui --backend-store-uri {settings.mlflow.tracking_uri}   runs and versions
Type      preceptor label serve --config {CONFIG} --expert YOU   judge pairs in the browser
          preceptor ledger list --config {CONFIG}   who did what
          preceptor rollback {settings.name} --by YOU --config {CONFIG}   go back, once a second version was promoted
(`source .venv/bin/activate` first.)"""
    )


@contextmanager
def _server(module: Sequence[str], ready_url: str) -> Iterator[None]:
    """A server in a process of its own, ready when its URL answers, stopped at the end."""
    try:
        httpx2.get(ready_url, timeout=1)
    except httpx2.HTTPError:
        pass
    else:
        sys.exit(f"Something else already answers at {ready_url}. Stop it, then run `make demo` again.")
    process = subprocess.Popen([sys.executable, "-m", *module], env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        deadline = time.monotonic() + 120
        while not _is_ready(ready_url):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"The server for {ready_url} did not start. What it said stands above.")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _is_ready(ready_url: str) -> bool:
    """Whether a server takes requests; a gateway does so before it has read its code sets, and warns until then."""
    try:
        response = httpx2.get(ready_url, timeout=1)
        response.raise_for_status()
    except httpx2.HTTPError:
        return False
    said = response.json() if "json" in response.headers.get("content-type", "") else {}
    return not (isinstance(said, dict) and (said.get("warnings") or said.get("reasons")))


def _preceptor(*words: object) -> None:
    """Run one command of Preceptor as a user would, showing it first; stop the demo where it fails."""
    shown = " ".join(map(str, words))
    CONSOLE.print(f"   $ preceptor {shown}")
    if subprocess.run([sys.executable, "-m", "core.cli", *map(str, words)], check=False).returncode:
        sys.exit("The demo stops here; the sentence above says why.")


def _run_folder(settings: RunSettings) -> Path:
    return settings.folder / settings.name


def _port(base_url: str) -> str:
    return base_url.split(":")[2].split("/")[0]


def _say(text: str) -> None:
    CONSOLE.print(f"\n[bold]{text}[/bold]")


if __name__ == "__main__":
    main()
