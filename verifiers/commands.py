"""The `verify` command: rechecks a file of answers, without router or gateway."""

from pathlib import Path

import click


@click.command()
@click.option("--pack", default="medical_coding", show_default=True, help="Domain pack: which checks run.")
@click.option(
    "--input", "input_path", type=click.Path(path_type=Path), required=True, help="Rows of id, answer and query."
)
@click.option(
    "--output", "output_path", type=click.Path(path_type=Path), required=True, help="Verdicts, one JSON object a line."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object on stdout.")
def verify(pack: str, input_path: Path, output_path: Path, as_json: bool) -> None:
    """Recheck answers: pass, fail, cannot_decide or error, with reasons and without the text.

    INPUT holds one row an answer: `id`, `answer`, and `query` (a text or messages) where the checks need it;
    JSONL, CSV or Parquet. Nothing is written when a row cannot be read.

    Example: preceptor verify --pack medical_coding --input answers.jsonl --output verdicts.jsonl
    """
    import json
    import sys
    from collections import Counter

    from core.reading import read_all
    from verifiers.answers import read_answers, verdict_row
    from verifiers.chain import CheckOutcome, run_chain
    from verifiers.packs import checks_of

    answers = read_answers(read_all([input_path]))
    checks = checks_of(pack)
    counts: Counter[str] = Counter()
    partial = output_path.with_name(f".{output_path.name}.partial")
    output_path.parent.mkdir(parents=True, exist_ok=True)
    with (
        partial.open("w", encoding="utf-8") as file,
        click.progressbar(answers, label="Rechecking", file=sys.stderr) as rows,
    ):
        for case in rows:
            verdict = run_chain(checks, case)
            counts[verdict.outcome] += 1
            file.write(json.dumps(verdict_row(case.query.id, verdict)) + "\n")
    partial.replace(output_path)
    summary = {outcome.value: counts[outcome] for outcome in CheckOutcome}
    if as_json:
        click.echo(json.dumps({"answers": len(answers), **summary}))
    shown = ", ".join(f"{outcome} {count}" for outcome, count in summary.items())
    click.echo(f"{len(answers)} answers rechecked with {pack}: {shown}. Verdicts: {output_path}", err=True)
