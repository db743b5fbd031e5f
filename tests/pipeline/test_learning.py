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


def test_one_number_of_labels_is_refused_before_anything_is_trained(world):
    with pytest.raises(NotEnoughLabels, match=r"there is 70 alone\. Give --size twice"):
        asked(world, "--size", "70")


def test_a_stack_is_measured_from_the_number_on_from_which_its_members_have_labels_enough(world):
    curve = json.loads(asked(world, "--set", "router.family=stacked", "--set", "router.members=[words, mf]").stdout)

    assert curve["sizes"][0] == 50
