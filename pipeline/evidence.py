"""The evidence that a run hands to the gates: what it measured on unseen rows, per stratum too, under fixed limits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from assurance.bootstrap import paired_apgr_difference
from core.errors import NotEnoughLabels
from core.gate_settings import GateSettings
from core.settings import RunSettings
from models.floors import FLOORS
from pipeline.engine import Work
from pipeline.gates import FIXED_GATES, CalibrationEvidence, Evidence, SliceEvidence
from pipeline.report import RunReport
from pipeline.results import Rows, read_json
from pipeline.suspecting import detection_on_test

DATASET_MANIFEST = "MANIFEST.json"
"""What a frozen dataset's folder holds beside its outcomes."""


@dataclass(frozen=True)
class Measured:
    """The rows of a run, the test rows among them, and every router's scores on those."""

    rows: Rows
    test: Int[np.ndarray, " k"]
    scores: Mapping[str, Float[np.ndarray, " k"]]


def evidence_of(settings: RunSettings, work: Work, report: RunReport, measured: Measured) -> Evidence:
    """What the promotion gates read, the limits that were fixed before training among it."""
    evaluation = report.evaluation
    assert evaluation is not None, "evidence is written of measured routers alone"
    first = next(iter(evaluation.routers))
    fixed = read_json(work.inputs["train"] / FIXED_GATES)
    return Evidence(
        n_test_rows=evaluation.n,
        apgr=evaluation.routers[first].apgr,
        better_than_base=evaluation.better_than["base"],
        better_than_floors={name: gain for name, gain in evaluation.better_than.items() if name in FLOORS},
        groups_in_more_than_one_part=read_json(work.inputs["split"] / "summary.json")["groups_in_more_than_one_part"],
        calibration=CalibrationEvidence(
            ece=report.calibration.ece,
            null_high=report.calibration.ece_null_high,
            p_value=report.calibration.ece_p_value,
        ),
        slices=slices_of(settings, measured),
        agreement=agreement_behind(settings.data.all_files),
        suspicion=detection_on_test(settings, work, measured.rows),
        gates=GateSettings.model_validate(fixed["settings"]),
        gates_sha256=fixed["sha256"],
    )


def agreement_behind(files: tuple[Path, ...]) -> tuple[str, ...]:
    """What the frozen datasets behind these files say of the experts' agreement, a line each; empty: nothing is known.

    A line begins with the alpha over all of a version's strata, as `0.71 [0.64, 0.78]`.
    """
    lines: list[str] = []
    for folder in dict.fromkeys(path.parent for path in files):
        try:
            manifest: Any = json.loads((folder / DATASET_MANIFEST).read_text(encoding="utf-8"))
            facts = (manifest.get("about") or {}).get("agreement") or []
            lines += [
                f"{one['alpha']} alpha, {one['n_items']} pairs of {folder.name}"
                for one in facts
                if one.get("stratum") is None
            ]
        except (OSError, ValueError, AttributeError, KeyError):
            continue
    return tuple(lines)


def slices_of(settings: RunSettings, measured: Measured) -> tuple[SliceEvidence, ...]:
    """Each stratum of the test rows, with the adapted router's paired gain over the base where it can be measured."""
    test, rows = measured.test, measured.rows
    strata = np.array(rows.table.strata)[test]
    gap = rows.gap(settings.pair.weak.name, settings.pair.strong.name)[test]
    found = []
    for name in sorted(set(strata)):
        inside = np.flatnonzero(strata == name)
        gain = None
        if len(inside) >= settings.gates.min_slice_rows:
            try:
                gain = paired_apgr_difference(
                    measured.scores["adapted"][inside],
                    measured.scores["base"][inside],
                    gap[inside],
                    rng=np.random.default_rng(0),
                    n_resamples=settings.evaluation.n_resamples,
                    groups=rows.component[test][inside],
                )
            except NotEnoughLabels:
                gain = None
        found.append(SliceEvidence(stratum=name, n=len(inside), better_than_base=gain))
    return tuple(found)
