"""The learning curve through its command, on the small world."""

import json

import pytest
from click.testing import CliRunner

from core.errors import NotEnoughLabels
from pipeline.commands import learn_curve

pytestmark = pytest.mark.slow


def asked(world, *words):
    return CliRunner().invoke(learn_curve, [str(world / "run.yaml"), *words, "--json"], catch_exceptions=False)


def test_more_labels_of_the_specialty_make_the_router_better_and_test_rows_are_not_touched(world):
    curve = json.loads(asked(world, "--size", "25", "--size", "70", "--more", "50").stdout)

    assert curve["sizes"] == [25, 70]
    assert curve["apgr"][1]["estimate"] > 0.5
    assert (world / "runs" / "small-world" / "learn-curve" / "curve.svg").read_text().startswith("<svg")
    parts = json.loads((world / "runs" / "small-world" / "split" / "parts.json").read_text())
    assert max(curve["sizes"]) < parts.count("train") + parts.count("calibrate")  # a fifth is held out to score on


def test_more_labels_than_there_are_is_refused_with_the_number_that_is_left(world):
    with pytest.raises(NotEnoughLabels, match=r"900 labels were asked for; .* held out \d+ are left to train on"):
        asked(world, "--size", "25", "--size", "900")
