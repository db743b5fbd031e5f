"""The command `measure`: what the recheck is worth, beside experts."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from core.records import Record

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("verdicts", type=_file)
@click.option(
    "--experts", type=click.Path(path_type=Path), required=True, help="Outcomes, or a frozen version's folder."
)
@click.option("--weak", required=True, metavar="NAME", help="The model whose answers were rechecked.")
@click.option("--check", default="doubt.judge", show_default=True, help="The check whose judge is to be proven.")
@click.option("--proof", type=_file, help="Write what that judge has shown, for verifiers.judge_proof.")
@click.option("--stack", type=_file, help="Write what weighs all doubts into one suspicion, for verifiers.stack.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def measure(  # noqa: PLR0913 - one a option
    verdicts: Path, experts: Path, weak: str, check: str, proof: Path | None, stack: Path | None, as_json: bool
) -> None:
    """Hold verdicts of `verify` against experts: bad answers caught, good ones stopped, check by check.

    With --proof the judge of one check is measured too. At high stakes its *fine* lets answers leave only where the
    proof names the same judge, task and stratum, with sensitivity of 0.80 and specificity of 0.85 at least.

    With --stack the doubts that the checks recorded are weighed by what experts found, from 50 answers on.

    Example: preceptor measure verdicts.jsonl --experts graded.jsonl --weak lexical-coder
    """
    from pipeline.measuring import matched, proof_of, proof_text, worth_of, worth_text
    from pipeline.signal_fitting import stack_of, stack_text

    rows = matched(verdicts, experts, weak)
    worth = worth_of(rows)
    found = None if proof is None else proof_of(rows, check)
    fitted = None if stack is None else stack_of(rows)
    if proof is not None and found is not None:
        _write(proof, found)
    if stack is not None and fitted is not None:
        _write(stack, fitted.stack)
    click.echo(worth.model_dump_json() if as_json else worth_text(worth))
    if found is not None:
        click.echo(proof_text(found), err=as_json)
        click.echo(f"Next: set verifiers.judge_proof to {proof}", err=True)
    if fitted is not None:
        click.echo(stack_text(fitted), err=as_json)
        click.echo(f"Next: set verifiers.stack to {stack}", err=True)


def _write(path: Path, record: "Record") -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
