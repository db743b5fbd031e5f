import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model_names import BadThreshold, Direct, Names, Routed, UnknownModel, names_that_work, parse_model_name

NAMES = Names(weak="small", strong="router-x", routers=("mf", "mf-2"), domains=("law",))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("router-mf-0.3", Routed("mf", 0.3, None)),
        ("router-mf-0", Routed("mf", 0.0, None)),
        ("router-mf-1", Routed("mf", 1.0, None)),
        ("router-mf-.11593", Routed("mf", 0.11593, None)),
        ("router-mf-1e-3", Routed("mf", 0.001, None)),
        ("auto", Routed(None, None, None)),
        ("auto:law", Routed(None, None, "law")),
        ("small", Direct("small")),
        ("router-x", Direct("router-x")),
    ],
)
def test_each_form_of_name_is_understood(name, asked):
    assert parse_model_name(name, names=NAMES) == asked


@pytest.mark.parametrize("name", ["gpt-4", "", "auto:tax", "auto:", "router-bert-0.3", "router-mf", "AUTO", "Small"])
def test_an_unknown_name_lists_the_names_that_work(name):
    with pytest.raises(UnknownModel) as refused:
        parse_model_name(name, names=NAMES)

    assert "auto, auto:law, router-mf-0.5, router-mf-2-0.5, small, router-x" in str(refused.value)


@pytest.mark.parametrize("threshold", ["1.5", "-0.1", "nan", "inf", "0.3x", "", "0_1", " 0.3", "1e999", "0x1"])
def test_a_threshold_outside_0_to_1_is_refused(threshold):
    with pytest.raises(BadThreshold):
        parse_model_name(f"router-mf-{threshold}", names=NAMES)


@given(st.floats(0, 1))
def test_every_threshold_that_python_prints_is_read_back(threshold):
    asked = parse_model_name(f"router-mf-{threshold}", names=NAMES)

    assert asked == Routed("mf", threshold, None)


def test_every_listed_name_works():
    names = NAMES._replace(routers=("mf",))

    for name in names_that_work(names):
        parse_model_name(name, names=names)
