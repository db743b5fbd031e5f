import time

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assurance.agreement import agreement
from assurance.agreement_figures import ALPHAS, Measure, kinds_of_items
from assurance.agreement_report import Figure, ReleaseScope, agreement_report, release_rule

CANONICAL = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, -1, -1, -1],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, -1, 3],
        [-1, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, -1],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, -1],
    ]
).T
LABELS = arrays(int, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.integers(-1, 3))


def report_of(labels, *, measures=tuple(Measure), n_resamples=200, **kwargs):
    return agreement_report(labels, rng=np.random.default_rng(0), measures=measures, n_resamples=n_resamples, **kwargs)


def experts(rng, n, *, accuracy, shares, n_experts=3):
    """Labels of experts who see the true label with the given probability and else draw one from the same shares."""
    truth = rng.choice(len(shares), p=shares, size=n)
    sees = rng.random((n, n_experts)) < accuracy
    return np.where(sees, truth[:, None], rng.choice(len(shares), p=shares, size=(n, n_experts)))


@pytest.mark.parametrize(
    ("measure", "published"),
    [(Measure.ALPHA_NOMINAL, 0.743), (Measure.ALPHA_ORDINAL, 0.815), (Measure.ALPHA_INTERVAL, 0.849)],
)
def test_krippendorffs_published_example_by_metric(measure, published):
    assert round(report_of(CANONICAL).figures[measure].estimate, 3) == published


@given(LABELS)
def test_alpha_is_that_of_the_krippendorff_package_on_any_table(labels):
    found = report_of(labels, measures=ALPHAS, n_resamples=2).figures
    assume(found[Measure.ALPHA_NOMINAL].estimate is not None)
    table = np.where(labels < 0, np.nan, labels).T

    for measure in ALPHAS:
        oracle = krippendorff.alpha(reliability_data=table, level_of_measurement=measure.removeprefix("alpha_"))
        assert found[measure].estimate == pytest.approx(oracle, abs=1e-9)


@given(LABELS)
def test_the_report_says_what_the_glance_says(labels):
    glance, report = agreement(labels), report_of(labels, n_resamples=2)

    assert (report.n_items, report.n_labels, report.caution) == (glance.n_items, glance.n_labels, glance.caution)
    assert report.figures[Measure.RAW].estimate == glance.raw
    assert report.figures[Measure.ALPHA_NOMINAL].estimate == glance.alpha
    assert report.figures[Measure.AC1].estimate == glance.ac1


@given(LABELS)
def test_limits_enclose_the_estimate_wherever_they_exist(labels):
    for figure in report_of(labels).figures.values():
        if figure.low is None:
            assert figure.reason
        else:
            assert figure.low <= figure.estimate <= figure.high


def test_cohens_kappa_of_a_table_that_can_be_worked_by_hand():
    labels = np.array([[0, 0]] * 20 + [[0, 1]] * 5 + [[1, 0]] * 10 + [[1, 1]] * 15)

    # agreement 35/50; by chance 25/50 * 30/50 + 25/50 * 20/50 = 1/2
    assert report_of(labels).figures[Measure.COHEN].estimate == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_fleiss_kappa_of_a_table_that_can_be_worked_by_hand():
    labels = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 1], [1, 1, 0]])

    # pairs agree in 1, 1/3, 1, 1/3 of cases; each label has half of the labels, so chance gives 1/2
    assert report_of(labels).figures[Measure.FLEISS].estimate == pytest.approx((2 / 3 - 1 / 2) / (1 - 1 / 2))


def test_ac1_of_a_table_that_can_be_worked_by_hand():
    labels = np.array([[0, 0]] * 18 + [[0, 1]] * 2)

    # agreement 18/20; shares 38/40 and 2/40: chance by Gwet is 2 * 0.95 * 0.05 = 0.095
    assert report_of(labels).figures[Measure.AC1].estimate == pytest.approx((0.9 - 0.095) / (1 - 0.095))


def test_ac1_knows_of_labels_that_nobody_chose_when_they_are_declared():
    labels = np.array([[0, 0]] * 18 + [[0, 1]] * 2)

    assert report_of(labels, n_categories=4).figures[Measure.AC1].estimate == pytest.approx(
        (0.9 - 0.095 / 3) / (1 - 0.095 / 3)
    )
    assert report_of(np.zeros((5, 2), dtype=int), n_categories=4).figures[Measure.AC1].estimate == 1.0


def test_missing_labels_leave_a_figure_what_it_is_without_the_items_judged_once():
    labels = np.array([[0, 0, -1], [0, 1, 1], [1, 1, 1], [-1, -1, 2], [0, -1, -1]])

    assert report_of(labels).figures == report_of(labels[:3]).figures


def test_cohens_kappa_is_undefined_for_three_experts_and_says_so():
    figure = report_of(CANONICAL).figures[Measure.COHEN]

    assert figure.estimate is None
    assert figure.reason == "Cohen's kappa is for two experts, and 4 judged. Read Fleiss's kappa or alpha."


def test_one_label_everywhere_has_no_alpha_never_zero_or_one():
    figures = report_of(np.zeros((30, 2), dtype=int)).figures

    assert figures[Measure.RAW].estimate == 1.0
    for measure in (*ALPHAS, Measure.COHEN, Measure.FLEISS):
        assert figures[measure].estimate is None
        assert "Every label is the same" in figures[measure].reason
    assert "one occurs" in figures[Measure.AC1].reason


def test_nobody_judging_twice_leaves_every_figure_undefined_and_says_why():
    report = report_of(np.array([[0, -1], [-1, 1]]))

    assert {figure.estimate for figure in report.figures.values()} == {None}
    assert "No item was judged by two experts" in report.figures[Measure.RAW].reason


def test_five_items_without_a_disagreement_are_no_proof_of_agreement():
    figure = report_of(np.array([[0, 0], [1, 1], [0, 0], [1, 1], [1, 1]])).figures[Measure.RAW]

    # no disagreement in 5 items is compatible, at 97.5 %, with a share d of items for which (1 - d)^5 = 0.025
    assert (figure.estimate, figure.high) == (1.0, 1.0)
    assert figure.low == pytest.approx(0.025 ** (1 / 5))


def test_a_rare_other_label_leaves_alpha_without_an_interval_and_says_why():
    labels = np.array([[0, 0]] * 30 + [[1, 1]])
    figure = report_of(labels).figures[Measure.ALPHA_NOMINAL]

    assert (figure.estimate, figure.low) == (1.0, None)
    assert "too few have another label" in figure.reason


def test_skewed_labels_are_cautioned_about_and_even_ones_are_not():
    skewed = np.array([[0, 0]] * 94 + [[0, 1]] * 5 + [[1, 1]])
    even = np.array([[0, 0]] * 47 + [[0, 1]] * 6 + [[1, 1]] * 47)

    assert "Read AC1 beside it" in report_of(skewed).caution
    assert report_of(even).caution == ""


def test_codes_below_minus_one_are_refused_because_minus_one_is_no_label():
    with pytest.raises(ValueError, match="has the code -3"):
        kinds_of_items(np.array([[-3, 2]]))


def test_fewer_categories_than_occur_are_refused():
    with pytest.raises(ValueError, match="3 different labels occur, and n_categories says 2"):
        agreement(np.array([[0, 1, 2]]), n_categories=2)


@pytest.mark.parametrize(
    ("low", "scope"),
    [(0.5, "nothing"), (0.666, "nothing"), (0.667, "low_stakes"), (0.799, "low_stakes"), (0.8, "all"), (0.95, "all")],
)
def test_the_lower_limit_decides_what_is_released(low, scope):
    assert release_rule(Figure(estimate=0.96, low=low, high=0.99)).scope == scope


def test_an_alpha_without_a_value_releases_nothing_and_gives_its_reason():
    release = release_rule(Figure(estimate=None, low=None, high=None, reason="Every label is the same."))

    assert release.scope is ReleaseScope.NOTHING
    assert release.sentence == "Nothing is released. Every label is the same."


def test_the_sentence_says_whether_labels_or_agreement_are_missing():
    wide, poor = (release_rule(Figure(estimate=e, low=0.4, high=0.9)).sentence for e in (0.75, 0.5))

    assert "Have more items judged twice" in wide
    assert "Adjudicate the disagreements" in poor


def test_two_thousand_items_by_five_experts_take_less_than_a_second_for_all_figures():
    labels = experts(np.random.default_rng(5), 2000, accuracy=0.7, shares=[0.4, 0.3, 0.2, 0.1], n_experts=5)
    report_of(labels[:50])

    seconds = []
    for _ in range(3):
        start = time.process_time()
        report_of(labels, n_resamples=1000)
        seconds.append(time.process_time() - start)

    assert min(seconds) < 1.0


@pytest.mark.validity
@pytest.mark.parametrize(
    ("n", "accuracy", "shares"),
    [(60, 0.8, [0.4, 0.3, 0.3]), (300, 0.8, [0.4, 0.3, 0.3]), (100, 0.98, [0.5, 0.5]), (200, 0.7, [0.9, 0.1])],
)
def test_intervals_cover_the_agreement_of_the_population_at_about_their_level(n, accuracy, shares):
    rng = np.random.default_rng(71)
    measures = (Measure.RAW, Measure.ALPHA_NOMINAL, Measure.ALPHA_ORDINAL, Measure.AC1, Measure.FLEISS)
    world = {"accuracy": accuracy, "shares": shares}
    truth = report_of(experts(rng, 400_000, **world), measures=measures, n_resamples=2).figures
    repetitions = 400

    covered = dict.fromkeys(measures, 0)
    for _ in range(repetitions):
        found = agreement_report(experts(rng, n, **world), rng=rng, measures=measures, n_resamples=300).figures
        for measure in measures:
            covered[measure] += found[measure].low <= truth[measure].estimate <= found[measure].high

    slack = 3 * np.sqrt(0.95 * 0.05 / repetitions)
    assert {m: c / repetitions for m, c in covered.items() if c / repetitions < 0.95 - 0.02 - slack} == {}


@pytest.mark.validity
def test_labels_of_too_low_an_alpha_are_released_in_at_most_one_of_forty_studies():
    rng = np.random.default_rng(72)
    world = {"accuracy": 0.8, "shares": [0.4, 0.3, 0.3]}  # alpha of the population: 0.8^2 = 0.64, below 0.667
    repetitions = 400

    released = 0
    for _ in range(repetitions):
        report = agreement_report(
            experts(rng, 100, **world), rng=rng, measures=(Measure.ALPHA_NOMINAL,), n_resamples=300
        )
        released += release_rule(report.figures[Measure.ALPHA_NOMINAL]).scope is not ReleaseScope.NOTHING

    assert released / repetitions <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / repetitions)
