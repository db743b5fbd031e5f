"""The command `measure`: what the recheck is worth, beside experts."""

from pathlib import Path

import click

_file = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("verdicts", type=_file)
@click.option(
    "--experts", type=click.Path(path_type=Path), required=True, help="Outcomes, or a frozen version's folder."
)
@click.option("--weak", required=True, metavar="NAME", help="The model whose answers were rechecked.")
@click.option("--check", default="doubt.judge", show_default=True, help="The check whose judge is to be proven.")
@click.option("--proof", type=_file, help="Write what that judge has shown, for verifiers.judge_proof.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def measure(verdicts: Path, experts: Path, weak: str, check: str, proof: Path | None, as_json: bool) -> None:
    """Hold verdicts of `verify` against experts: bad answers caught, good ones stopped, check by check.

    With --proof the judge of one check is measured too. At high stakes its *fine* lets answers leave only where the
    proof names the same judge, task and stratum, with sensitivity of 0.80 and specificity of 0.85 at least.

    Example: preceptor measure verdicts.jsonl --experts graded.jsonl --weak lexical-coder
    """
    from pipeline.measuring import matched, proof_of, proof_text, worth_of, worth_text

    rows = matched(verdicts, experts, weak)
    worth = worth_of(rows)
    found = None if proof is None else proof_of(rows, check)
    if proof is not None and found is not None:
        partial = proof.with_name(proof.name + ".partial")
        partial.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
        partial.replace(proof)
    click.echo(worth.model_dump_json() if as_json else worth_text(worth))
    if found is not None:
        click.echo(proof_text(found), err=as_json)
        click.echo(f"Next: set verifiers.judge_proof to {proof}", err=True)
