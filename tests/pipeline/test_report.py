import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assurance.bootstrap import Interval
from assurance.curves import cost_quality_curve
from assurance.money import CostAssumptions
from pipeline.evaluation import Evaluation
from pipeline.report import RunReport, advise, figures_of, render_html, thinned, three_sentences, write_report
from pipeline.report_parts import datasheets_of
from pipeline.report_slices import HeldOut
from tests.pipeline.reports import STRATA, certificate_of, held_out, report_of


@pytest.fixture(scope="module")
def report():
    return report_of(queries_per_day=20_000)


@pytest.fixture(scope="module")
def html(report):
    return render_html(report, figures_of(report))


@pytest.fixture(scope="module")
def certified():
    return report_of(certificate=certificate_of(), queries_per_day=20_000)


class Outline(HTMLParser):
    """Collects what a check asks of a page: tags, ids, addresses, visible text."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.addresses, self.text, self.hidden = [], [], [], [], False

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.hidden = tag == "style"
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [attributes[key] for key in ("src", "href", "xlink:href", "data") if key in attributes]

    def handle_data(self, data):
        self.text += [] if self.hidden else [data]


def outline(html):
    parsed = Outline()
    parsed.feed(html)
    return parsed


def page_of(report):
    return render_html(report, figures_of(report))


def words_of(html):
    return re.sub(r"\s+", " ", " ".join(outline(html).text))


def test_html_json_and_figures_are_written_and_the_html_is_returned(report, tmp_path):
    path = write_report(report, tmp_path / "run" / "evaluate")

    assert path.name == "report.html"
    assert {file.name for file in path.parent.iterdir()} == {
        "costs.svg", "curves.svg", "curves-1.svg", "curves-2.svg", "intervals.svg", "reliability.svg",
        "reliability-1.svg", "reliability-2.svg", "report.html", "report.json",
    }  # fmt: skip


def test_the_json_reads_back_as_the_same_report(certified, tmp_path):
    write_report(certified, tmp_path)

    text = (tmp_path / "report.json").read_text()
    assert RunReport.model_validate_json(text) == certified
    assert json.loads(text)["format"] == "preceptor/report/2"


def test_the_page_fetches_nothing_and_runs_nothing(html):
    page = outline(html)

    assert "script" not in page.tags
    assert page.tags.count("link") == 1  # the empty icon
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert "default-src 'none'" in html
    assert not re.findall(r"(?:@import|url\((?!#))", html)


def test_ids_are_unique_and_every_reference_finds_its_id(html):
    page = outline(html)

    assert len(page.ids) == len(set(page.ids))
    named = {name for names in re.findall(r'aria-labelledby="([^"]+)"', html) for name in names.split()}
    assert {address[1:] for address in page.addresses if address.startswith("#")} | named <= set(page.ids)


def test_every_figure_has_a_text_and_its_numbers_for_those_who_do_not_see_it(html):
    figures = html.count('<svg xmlns="http://www.w3.org/2000/svg"')

    assert figures == 8
    assert len(re.findall(r"<title id=[^>]+>[^<]{10,}</title><desc id=[^>]+>[^<]{40,}</desc>", html)) == figures
    assert html.count("The numbers of this figure") == 6  # the other two stand beside a table with their numbers


def test_the_same_report_gives_the_same_bytes(report, html):
    assert page_of(report) == html


def test_the_first_words_say_what_it_saves_that_nothing_is_promised_and_what_to_do(html):
    words = words_of(html)

    assert "Caution The adapted router works, and nothing is promised about harm." in words
    assert "the router left 71 % to small-coder and sent 29 % to large-coder" in words
    assert re.search(r"which saves about \$1\d\d\.\d\d a day, at 20,000 queries", words)
    assert "Nothing is certified: the share of queries that get a worse answer" in words
    assert "Next: use it for low stakes only, or set split.certify to get a promise." in words


def test_a_certificate_is_told_in_words_and_its_table_says_what_would_void_it(certified):
    saves, promises, following = three_sentences(certified)
    words = words_of(page_of(certified))

    assert saves.startswith("On 400 queries that it had not seen")
    assert promises.replace("\N{NO-BREAK SPACE}", " ") == (
        "Promised until 2 April 2026, with 95 % confidence: the share of queries harmed by the router is, in "
        "mental-health/high: at most 2 %. One other stratum is promised nothing and goes to large-coder always. "
        "Nothing is promised about mental-health/low, which keeps to a budget."
    )
    assert following == "Next: have a second person approve it, then promote it with the command that the run printed."
    assert "Go The adapted router is ready for promotion." in words
    assert "mental-health/high ≤ 2.0 % ✓ Certified 46 % 410 of 900 7 1.66" in words
    assert "takes 217 clean labels; there are 40. Collect 177 more." in words
    assert "What would void it Another model behind the name small-coder or large-coder." in words


def test_uncertified_strata_count_as_strong_in_shares_and_money(certified):
    by_name = {one.stratum: one for one in certified.strata}

    assert by_name[STRATA[2]].share_strong.estimate == 1.0
    assert by_name[STRATA[0]].threshold == 0.31
    nothing = report_of(certificate=certificate_of(is_certified=False))
    assert next(one for one in nothing.strata if one.stratum == STRATA[0]).share_strong.estimate == 1.0
    assert "so every query whose stratum was tried goes to large-coder" in three_sentences(nothing)[1]
    assert advise(nothing).light == "Caution"


def test_slices_too_small_are_named_and_get_no_curve(report, html):
    assert report.small_strata == {STRATA[2]: 10}
    assert "(fewer than 30): mental-health/rare (10)" in words_of(html)
    assert "Quality for each budget, mental-health/rare" not in html


def test_a_stratum_in_which_the_base_is_better_is_a_known_weak_spot():
    rows = held_out()
    is_low = np.array(rows.strata) == STRATA[1]
    scores = {"adapted": np.where(is_low, -rows.probabilities, rows.probabilities), "base": rows.probabilities}

    words = words_of(page_of(report_of(replace(rows, scores=scores))))

    assert "Measurably worse than the base router in mental-health/low. Nothing is known about" in words
    assert "No stratum is measurably worse than the base router." in words_of(page_of(report_of(rows)))


def test_the_slice_of_all_rows_agrees_with_the_evaluation(report):
    assert report.overall.routers["adapted"].cpt[0.5].estimate == report.evaluation.routers["adapted"].cpt50.estimate
    assert report.overall.routers["base"].apgr.estimate == pytest.approx(
        report.evaluation.routers["base"].apgr.estimate, abs=1e-12
    )


def test_assumptions_about_cost_are_stated_or_said_to_be_missing(html):
    told = words_of(page_of(report_of(assumptions=CostAssumptions(retried_share=0.04, escalated_share=0.1))))

    assert "Real savings will be lower." in words_of(html)
    assert "4.0 % of calls are paid twice, 10.0 % of weak answers fail" in told
    assert "Real savings will be lower." not in told


def test_unknown_costs_leave_the_saving_undefined_and_say_why():
    tested = held_out(n=60)
    words = words_of(page_of(report_of(replace(tested, weak_usd=np.full(60, np.nan)))))

    assert "The saving is not defined: 0 of 60 rows say what both answers cost" in words
    assert "what that saves cannot be said, since the rows do not tell what answers cost" in words


def test_every_router_stands_in_the_table_with_its_interval(report, html):
    for name in ("Adapted router", "Base router", "Random", "Prompt length", "Topic prior", "TF-IDF ridge"):
        assert f'<th scope="row">{name}</th>' in html
    interval = report.evaluation.routers["base"].apgr
    assert f"{interval.low:.3f} to {interval.high:.3f}" in html


def test_names_from_outside_are_shown_as_text():
    tested = replace(held_out(n=120), strata=["<b onclick=x>/high"] * 60 + ["</title><img src=y>"] * 60)
    hostile = page_of(report_of(tested, name="<img src=x onerror=alert(1)>"))

    assert "<img" not in hostile
    assert "<b onclick" not in hostile
    assert "&lt;img src=x" in hostile


def test_a_figure_stands_alone_outside_the_page(report):
    for svg in figures_of(report).values():
        assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert not re.search(r"\d{4}-\d\d-\d\dT", svg)


def test_a_curve_is_thinned_to_two_hundred_points_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    curve = cost_quality_curve(rng.random(5000), np.zeros(5000), rng.random(5000))

    points = thinned(curve)

    assert len(points.share_strong) == 200
    assert (points.share_strong[0], points.share_strong[-1]) == (0.0, 1.0)
    assert points.quality[-1] == pytest.approx(curve.strong_quality, abs=1e-6)


def test_a_datasheet_is_read_from_a_frozen_version_alone(tmp_path):
    frozen, loose = tmp_path / "claims-1", tmp_path / "loose"
    for folder in (frozen, loose):
        folder.mkdir()
        (folder / "datasheet.md").write_text("# claims")
    (frozen / "MANIFEST.json").write_text("{}")

    assert datasheets_of((frozen / "outcomes.jsonl", frozen / "audit.jsonl", loose / "outcomes.jsonl")) == {
        "claims-1": "# claims"
    }


def advice_on(better_than, apgr=(0.7, 0.65, 0.75), certificate=None):
    report = report_of(held_out(n=60), certificate=certificate)
    named = dict(zip(("estimate", "low", "high"), apgr, strict=True))
    first = report.evaluation.routers["adapted"].model_copy(update={"apgr": Interval(**named)})
    differences = {
        name: Interval(estimate=sum(limits) / 2, low=limits[0], high=limits[1]) for name, limits in better_than.items()
    }
    evaluation = Evaluation.model_validate(
        report.evaluation.model_dump()
        | {"routers": {**report.evaluation.routers, "adapted": first}, "better_than": differences}
    )
    return advise(report.model_copy(update={"evaluation": evaluation}))


def test_a_router_that_beats_all_others_goes_only_with_a_certificate():
    better = {"base": (0.01, 0.1), "random": (0.1, 0.2)}

    assert advice_on(better).light == "Caution"
    advice = advice_on(better, certificate=certificate_of())
    assert (advice.mood, advice.light) == ("good", "Go")
    assert "beat the base router and a coin" in advice.reason


def test_a_router_that_may_be_a_coin_is_not_to_be_promoted():
    advice = advice_on({"base": (0.01, 0.1)}, apgr=(0.55, 0.49, 0.61), certificate=certificate_of())

    assert (advice.mood, advice.light) == ("against", "Stop")
    assert "cannot be told from a coin" in advice.reason


def test_a_router_that_a_floor_beats_is_not_to_be_promoted_and_the_floor_is_named():
    advice = advice_on({"base": (0.01, 0.1), "tfidf_ridge": (-0.1, -0.01)})

    assert advice.mood == "against"
    assert advice.reason.startswith("A regression on its words did better")


def test_a_router_not_shown_to_beat_its_base_stays_open():
    advice = advice_on({"base": (-0.01, 0.1), "random": (0.1, 0.2)})

    assert advice.mood == "open"
    assert "could not be shown to beat the base router" in advice.reason


def test_without_a_gap_every_figure_of_a_router_is_not_defined_and_the_reason_is_given():
    tested = held_out(n=90)
    words = words_of(page_of(report_of(replace(tested, weak=tested.strong))))

    assert "Stop Do not promote this router." in words
    assert (
        "CPT and APGR are not defined: the strong model (mean quality 0.900) is not better than the weak one" in words
    )
    assert "No router can be compared" in words
    assert "86 of 90" not in words
    assert "0 of 90: one kind only, so calibration shows little" in words


@st.composite
def tables(draw):
    """Rows of any shape: ties, constants, one class, costs unknown, one row, one group."""
    n = draw(st.integers(1, 45))
    few = st.sampled_from([0.0, 0.5, 1.0])
    values = draw(st.sampled_from([few, st.just(0.3), st.floats(0, 1)]))
    column = lambda elements: draw(arrays(float, n, elements=elements))  # noqa: E731
    cost = st.sampled_from([0.0, 0.001, 0.5, float("nan")])
    return HeldOut(
        {"adapted": column(values), "base": column(few)},
        column(values),
        column(draw(st.sampled_from([few, st.floats(0, 1)]))),
        column(few),
        column(cost),
        column(cost),
        [draw(st.sampled_from(STRATA)) for _ in range(n)],
        draw(arrays(int, n, elements=st.integers(0, draw(st.integers(0, n))))),
    )


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking would render pages for minutes
    suppress_health_check=list(HealthCheck),
)
@given(tables())
def test_any_table_renders_and_shows_no_number_that_is_none(tested):
    report = report_of(tested)
    page = page_of(report)

    assert not re.search(
        r"\b(nan|NaN|inf|None|Infinity)\b", " ".join([words_of(page), *re.findall(r'="([^"]*)"', page)])
    )
    if report.overall.routers["adapted"].apgr is None:
        assert "not defined" in page
    assert "NaN" not in report.model_dump_json()
