"""The `policy` commands: run a policy's vectors, and fit its classifier."""

from pathlib import Path

import click


@click.group()
def policy() -> None:
    """What raises the stakes of a request: test its rules, fit its classifier.

    Example: preceptor policy test --pack medical_coding
    """


@policy.command("test")
@click.option("--pack", "packs", multiple=True, help="Domain pack, or the path of its YAML; may be given again.")
@click.option("--policy", "path", type=click.Path(path_type=Path), help="YAML of rules, beside the packs' own.")
@click.option("--delta", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Every figure as one JSON object on stdout.")
def test_policy(packs: tuple[str, ...], path: Path | None, delta: float, as_json: bool) -> None:
    """Run the labelled requests that packs and policy name, and say what became of them.

    The recall is that of high and critical stakes, with its exact lower limit at DELTA. Exit 1 when a request got less
    than it should, or one of low stakes was raised.

    Example: preceptor policy test --pack medical_coding
    """
    import json
    import sys

    from core.errors import PreceptorError
    from core.records import Stakes
    from verifiers.stakes.policy import merged
    from verifiers.stakes.sources import sources_of
    from verifiers.stakes.vectors import read_vectors, recall_of, tell

    if not packs and path is None:
        raise click.UsageError("Name a --pack or a --policy.")
    found, missed = [], 0
    for pack in packs or ("none",):
        sources = sources_of(pack, path)
        tested = merged(sources, default=Stakes.LOW)
        for rule in (rule.id for rule in tested.rules if rule.when.can_be_disarmed):
            click.echo(f"Rule {rule} holds while something is not so; a client can write what disarms it.", err=True)
        for file in [folder / file for rules, folder in sources for file in rules.vectors]:
            told = tell(tested, read_vectors(file))
            recall = recall_of(told, delta=delta)
            faults = [one for one in told if one.is_missed or one.is_in_vain]
            missed += len(faults)
            found.append(
                {
                    "pack": pack,
                    "vectors": file.name,
                    "n": len(told),
                    "n_high": recall.n_high,
                    "n_seen": recall.n_seen,
                    "recall": recall.share,
                    "recall_lower": round(recall.lower, 4),
                    "n_missed": sum(one.is_missed for one in faults),
                    "n_raised_in_vain": sum(one.is_in_vain for one in faults),
                    "faults": [
                        {
                            "place": one.labelled.place,
                            "text": one.labelled.vector.text,
                            "should_be": one.labelled.tier.value,
                            "is": one.stakes.value,
                            "rules": list(one.rules),
                        }
                        for one in faults
                    ],
                    "policy_sha256": tested.sha256,
                }
            )
    if not found:
        raise PreceptorError("No vectors are named. List files under `vectors` in the policy, or in the pack's stakes.")
    if as_json:
        click.echo(json.dumps({"delta": delta, "files": found}))
    else:
        for line in _lines(found):
            click.echo(line)
    if missed:
        requests = "1 request" if missed == 1 else f"{missed} requests"
        click.echo(f"preceptor: {requests} did not get their tier. Mend a rule, or the label.", err=True)
        sys.exit(1)


@policy.command("fit")
@click.option("--input", "input_path", type=click.Path(path_type=Path), required=True, help="Rows of query and stakes.")
@click.option(
    "--output", "output_path", type=click.Path(path_type=Path), required=True, help="The classifier, as JSON."
)
@click.option("--recall", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True)
@click.option("--delta", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Which rows are left out.")
def fit_policy(input_path: Path, output_path: Path, recall: float, delta: float, seed: int) -> None:
    """Fit the classifier of stakes on labelled requests, with a threshold that keeps the recall on rows left out.

    INPUT holds a request a row: `query` (a text) and `stakes`; JSONL, CSV or Parquet. Name OUTPUT in the policy:
    `classifier: {file: stakes.json, high_if_p_at_least: ...}`.

    Example: preceptor policy fit --input demo-work/stakes.jsonl --output demo-work/stakes.json
    """
    import numpy as np

    from core.reading import read_all
    from verifiers.stakes.fitting import fit_stakes, read_labelled

    rows = read_labelled(read_all([input_path]))
    fitted = fit_stakes(rows, recall=recall, delta=delta, rng=np.random.default_rng(seed))
    output_path.parent.mkdir(parents=True, exist_ok=True)
    partial = output_path.with_name(f".{output_path.name}.partial")
    partial.write_text(fitted.classifier.model_dump_json() + "\n", encoding="utf-8")
    partial.replace(output_path)
    known = fitted.classifier
    click.echo(
        f"Fitted on {fitted.n_fit} rows. Of {fitted.n_high} left out with high stakes it finds {fitted.n_seen} at "
        f"P >= {known.high_if_p_at_least}: recall at least {known.recall_lower:.3f}. It raises "
        f"{fitted.share_raised:.1%} of the others.\nNext: name it in the policy: classifier: "
        f"{{file: {output_path.name}, high_if_p_at_least: {known.high_if_p_at_least}}}",
        err=True,
    )


def _lines(found: list[dict[str, object]]) -> list[str]:
    width = max(len(str(one["vectors"])) for one in found)
    lines = [f"{'vectors':<{width}}  requests  high  seen  recall  at least  missed  in vain"]
    for one in found:
        share = "-" if one["recall"] is None else f"{one['recall']:.3f}"
        lines.append(
            f"{one['vectors']:<{width}}  {one['n']:>8}  {one['n_high']:>4}  {one['n_seen']:>4}  {share:>6}  "
            f"{one['recall_lower']:>8.3f}  {one['n_missed']:>6}  {one['n_raised_in_vain']:>7}"
        )
    for one in found:
        for fault in one["faults"]:  # type: ignore[attr-defined]
            why = ", ".join(fault["rules"])
            lines.append(f"  {fault['place']}: {fault['is']}, should be {fault['should_be']} ({why})")
    return lines
