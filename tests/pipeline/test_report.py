import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from assurance.bootstrap import Interval
from assurance.calibration import check_calibration
from assurance.curves import cost_quality_curve, oracle_curve, random_curve
from assurance.thresholds import share_on_new_traffic
from pipeline.evaluation import Evaluation, evaluate_routers
from pipeline.report import Operating, RunReport, advise, figures_of, render_html, thinned, write_report

N = 400


def report_of(*, signal=1.0, floor_signal=0.0, name="mental-health", n=N):
    """A report on a simulated specialty; the signal is how well the adapted router sees the need."""
    rng = np.random.default_rng(3)
    probability = rng.beta(2, 3, n)
    needed = (rng.random(n) < probability).astype(float)
    scores = {
        "adapted": signal * probability + 0.1 * rng.normal(size=n),
        "base": 0.3 * signal * probability + 0.2 * rng.normal(size=n),
        "random": rng.random(n),
        "prompt_length": np.round(rng.random(n), 1),
        "topic_prior": rng.random(n),
        "tfidf_ridge": floor_signal * needed + rng.random(n),
    }
    weak, strong = 0.9 - 0.8 * needed, np.full(n, 0.9)
    evaluation = evaluate_routers(
        scores, (weak, strong), pair=("small-coder", "large-coder"), groups=np.arange(n), n_resamples=300
    )
    curves = {key: cost_quality_curve(scores[key], weak, strong) for key in ("adapted", "base")}
    curves |= {"random": random_curve(weak, strong), "oracle": oracle_curve(weak, strong)}
    return RunReport(
        name=name,
        created="2026-01-02 03:04 UTC",
        target="ICD-10-CM, chapter F",
        rows={"base": 2000, "train": 600, "calibrate": 300, "test": n},
        sources={"reference": 3300},
        evaluation=evaluation,
        calibration=check_calibration(probability, needed == 1, rng=rng, n_simulations=100),
        operating=Operating(
            threshold=0.4821,
            budget=0.3,
            share_strong=share_on_new_traffic(probability, float(np.quantile(probability, 0.71))),
            quality=curves["adapted"].quality_at(0.29),
            random_quality=curves["random"].quality_at(0.29),
            cost_usd_per_1000=1.52,
            weak_cost_usd_per_1000=0.4,
            strong_cost_usd_per_1000=4.0,
        ),
        curves={key: thinned(curve) for key, curve in curves.items()},
        lineage={"data_fingerprint": "9f" * 32, "encoder_sha256": "53" * 32, "preceptor": "0.1.0", "seed": "0"},
    )


@pytest.fixture(scope="module")
def report():
    return report_of()


@pytest.fixture(scope="module")
def html(report):
    return render_html(report, figures_of(report))


class Outline(HTMLParser):
    """Collects what a check asks of a page: tags, ids, addresses, visible text."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.addresses, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [attributes[key] for key in ("src", "href", "xlink:href", "data") if key in attributes]

    def handle_data(self, data):
        self.text.append(data)


def outline(html):
    parsed = Outline()
    parsed.feed(html)
    return parsed


def test_html_json_and_figures_are_written_and_the_html_is_returned(report, tmp_path):
    path = write_report(report, tmp_path / "run" / "evaluate")

    assert path.name == "report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "curves.svg", "intervals.svg", "reliability.svg", "report.html", "report.json",
    ]  # fmt: skip


def test_the_json_reads_back_as_the_same_report(report, tmp_path):
    write_report(report, tmp_path)

    text = (tmp_path / "report.json").read_text()
    assert RunReport.model_validate_json(text) == report
    assert json.loads(text)["format"] == "preceptor/report/1"


def test_the_page_fetches_nothing_and_runs_nothing(html):
    page = outline(html)

    assert "script" not in page.tags
    assert "link" not in page.tags or page.tags.count("link") == 1  # the empty icon
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert "default-src 'none'" in html
    assert not re.findall(r"(?:@import|url\((?!#))", html)


def test_ids_are_unique_and_every_reference_finds_its_id(html):
    page = outline(html)

    assert len(page.ids) == len(set(page.ids))
    references = {address[1:] for address in page.addresses if address.startswith("#")}
    assert references | set(re.findall(r"url\(#([^)]+)\)", html)) <= set(page.ids)


def test_every_figure_has_a_text_for_those_who_do_not_see_it(html):
    assert html.count("<svg") == 3
    assert len(re.findall(r'<figure role="(?:img|group)" aria-label="[^"]{40,}"', html)) == 3


def test_the_same_report_gives_the_same_bytes(report, html):
    assert render_html(report, figures_of(report)) == html


def test_the_first_paragraph_says_what_to_do_and_that_nothing_is_certified(html):
    start = html.index('<div class="advice')
    first = re.sub("[ \\n]+", " ", html[start : html.index("</div>", start)])

    assert "ready for promotion" in first
    assert "small-coder answers 71\N{NO-BREAK SPACE}% of the queries" in first
    assert "not a safety certificate" in first


def test_every_router_stands_in_the_table_with_its_interval(report, html):
    for name in ("Adapted router", "Base router", "Random", "Prompt length", "Topic prior", "TF-IDF ridge"):
        assert f'<th scope="row">{name}</th>' in html
    interval = report.evaluation.routers["base"].apgr
    assert f"{interval.low:.3f} to {interval.high:.3f}" in html


def test_names_from_outside_are_shown_as_text(html):
    report = report_of(name="<img src=x onerror=alert(1)>", n=60)
    hostile = render_html(report, figures_of(report))

    assert "<img" not in hostile
    assert "&lt;img src=x" in hostile


def test_a_figure_stands_alone_outside_the_page(report):
    for svg in figures_of(report).values():
        assert svg.startswith("<svg")
        assert 'xmlns="http://www.w3.org/2000/svg"' in svg
        assert not re.search(r"\d{4}-\d\d-\d\dT", svg)


def test_a_curve_is_thinned_to_two_hundred_points_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    curve = cost_quality_curve(rng.random(5000), np.zeros(5000), rng.random(5000))

    points = thinned(curve)

    assert len(points.share_strong) == 200
    assert (points.share_strong[0], points.share_strong[-1]) == (0.0, 1.0)
    assert points.quality[-1] == pytest.approx(curve.strong_quality, abs=1e-6)


def advice_on(better_than, apgr=(0.7, 0.65, 0.75)):
    report = report_of(n=60)
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


def test_a_router_that_beats_all_others_is_ready_for_promotion():
    advice = advice_on({"base": (0.01, 0.1), "random": (0.1, 0.2)})

    assert advice.mood == "good"
    assert "beat the base router and a coin" in advice.reason


def test_a_router_that_may_be_a_coin_is_not_to_be_promoted():
    advice = advice_on({"base": (0.01, 0.1)}, apgr=(0.55, 0.49, 0.61))

    assert advice.mood == "against"
    assert "cannot be told from a coin" in advice.reason


def test_a_router_that_a_floor_beats_is_not_to_be_promoted_and_the_floor_is_named():
    advice = advice_on({"base": (0.01, 0.1), "tfidf_ridge": (-0.1, -0.01)})

    assert advice.mood == "against"
    assert advice.reason.startswith("A regression on its words did better")


def test_a_router_not_shown_to_beat_its_base_stays_open():
    advice = advice_on({"base": (-0.01, 0.1), "random": (0.1, 0.2)})

    assert advice.mood == "open"
    assert "could not be shown to beat the base router" in advice.reason
