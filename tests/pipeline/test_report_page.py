"""The report in a real browser, opened as a file: no barrier, no sideways scroll, nothing asked of anybody."""

from importlib.resources import files

import pytest

from pipeline.report import write_report
from tests.labeling.browsing import CHROMIUM_FLAGS, audit
from tests.pipeline.reports import certificate_of, recheck_of, report_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    certified = report_of(certificate=certificate_of(), queries_per_day=20_000)
    reports = {"plain": report_of(), "certified": certified.model_copy(update={"recheck": recheck_of()})}
    return {name: write_report(report, folder / name).as_uri() for name, report in reports.items()}


@pytest.fixture
def opened(browser, addresses):
    contexts = []

    def open_report(name, *, width, scheme):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page, asked, errors = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(addresses[name])
        return page, asked, errors

    yield open_report
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["plain", "certified"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_a_report_has_no_barrier_and_asks_nothing_of_anybody(opened, addresses, name, width, scheme):
    page, asked, errors = opened(name, width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    assert len(page.screenshot(full_page=True)) > 50_000
    assert audit(page) == []
    assert {one for one in asked if not one.startswith("data:")} == {addresses[name]}
    assert errors == []


def test_every_text_of_a_figure_lies_inside_it_and_no_two_overlap(opened):
    page, _, _ = opened("certified", width=1280, scheme="light")

    overlaps = page.evaluate("""() => {
        const faults = [];
        for (const svg of document.querySelectorAll('figure svg')) {
            const frame = svg.getBoundingClientRect();
            const texts = [...svg.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()])
                .filter(([text]) => text);
            texts.forEach(([text, a], i) => {
                if (a.left < frame.left - 1 || a.right > frame.right + 1) faults.push(text);
                texts.slice(i + 1).forEach(([other, b]) => {
                    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                    const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                    if (x > 1 && y > 3) faults.push(text + ' / ' + other);
                });
            });
        }
        return faults;
    }""")

    assert overlaps == []


def test_on_paper_it_is_a4_pages_with_the_colours_of_paper(opened, tmp_path):
    page, _, _ = opened("certified", width=1280, scheme="dark")

    pdf = page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True, print_background=True)

    n_pages = pdf.count(b"/Type /Page\n") or pdf.count(b"/Type /Page ")
    assert 3 <= n_pages <= 9
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert files("pipeline").joinpath("templates/report/report.css").is_file()
