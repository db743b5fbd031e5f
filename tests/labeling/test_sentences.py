import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.judging.rendering import render_answer, render_markdown
from labeling.judging.sentences import split_sentences

PARTS = [
    "Code B42.81.",
    " ",
    "\n",
    "Dr. Lee",
    "e.g. ",
    "**bold. more** ",
    "(see. that) ",
    "3.5 mg. ",
    "! ",
    "?",
    "`a. b`",
    "§é。",
]


@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join) | st.text(max_size=80))
def test_the_pieces_joined_are_the_paragraph_and_none_is_blank(paragraph):
    pieces = split_sentences(paragraph)

    assert "".join(pieces) == paragraph
    assert len(pieces) == 1 or all(piece.strip() for piece in pieces)


@pytest.mark.parametrize(
    "whole",
    [
        "Assign B42.81 to it.",
        "Dr. Lee and Prof. A. Smith agree, e.g. on 3.5 mg of No. 7 vs. I10.",
        "It (see the index. It is short) fits.",
        "**Never. Ever.**",
        "The pH is 7.4 and the U.S. rule holds.",
        "Run `a. B` first.",
        "wrapped lines go on\nin lower case.",
    ],
)
def test_no_sentence_ends_inside(whole):
    assert split_sentences(whole) == (whole,)


@pytest.mark.parametrize(
    ("paragraph", "pieces"),
    [
        ("One. Two! Three? Four", ("One. ", "Two! ", "Three? ", "Four")),
        ("Code: I10.\nReason: it fits.", ("Code: I10.\n", "Reason: it fits.")),
        ("Findings\nNone", ("Findings\n", "None")),
        ("He said “No.” Then left.", ("He said “No.” ", "Then left.")),
        ("一です。二です。", ("一です。", "二です。")),
    ],
)
def test_sentences_end_at_full_stops_and_at_the_ends_of_lines(paragraph, pieces):
    assert split_sentences(paragraph) == pieces


ANSWER = """# Result
Use **B42.81**. It is final.

1. Look it up. Then check.

| Code | Note |
|---|---|
| A. One | B. Two |

```
x = 1. Y = 2.
```
"""


def test_tables_and_code_are_one_unit_each_and_lists_are_cut_into_sentences():
    assert render_answer(ANSWER).sentences == (
        "Result",
        "Use **B42.81**.",
        "It is final.",
        "Look it up.",
        "Then check.",
        "| Code | Note |\n|---|---|\n| A. One | B. Two |",
        "```\nx = 1. Y = 2.\n```",
    )


@given(
    st.lists(st.sampled_from([*PARTS, "- ", "1. ", "# ", "> ", "```\n", "| a |\n|---|\n", "<b>", "\n\n"]), max_size=30)
)
def test_every_unit_stands_once_on_the_page_in_order(parts):
    shown = render_answer("".join(parts))
    numbers = [int(number) for number in re.findall(r'data-sentence="(\d+)"', shown.html)]

    assert numbers == list(range(len(shown.sentences)))


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))",
    "[x](data:text/html,<script>1</script>)",
    '<a href="http://evil.example" onclick="x()">y</a>',
    "<style>*{display:none}</style>",
    '<span class="sentence" data-sentence="0">fake</span>',
    "`<svg onload=alert(1)>`",
    "```html\n<iframe src=//evil.example></iframe>\n```",
    "| <b onmouseover=x> |\n|---|\n| <form action=//evil.example> |",
    "[x]: javascript:alert(1)\n\n[x]",
    "**<details open ontoggle=alert(1)>**",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("render", [lambda text: render_answer(text).html, render_markdown])
def test_nothing_of_a_hostile_text_becomes_a_tag_of_its_own(text, render):
    html = render(text)
    tags = re.findall(r"<(\w+)([^>]*)>", html)

    assert {name for name, _ in tags} <= {
        "p",
        "span",
        "div",
        "pre",
        "code",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert all(not re.search(r"\b(?:src|href|on\w+|style|action)\s*=", attributes) for _, attributes in tags)


def test_a_numbered_span_cannot_be_faked_by_the_answer():
    html = render_answer('One <span class="sentence" data-sentence="7">two</span>').html

    assert re.findall(r'<span[^>]*data-sentence="(\d+)"', html) == ["0"]


def test_links_and_images_are_shown_as_text():
    shown = render_answer("See [the index](https://example.org/a) and <https://example.org/b>. ![scan](x.png)").html

    assert "the index (https://example.org/a) and https://example.org/b." in shown
    assert "[image: scan]" in shown


def test_headings_of_a_guideline_never_skip_a_level():
    html = render_markdown("# A\n\n#### B\n\n## C\n")

    assert re.findall(r"<(h\d)>", html) == ["h2", "h3", "h3"]


def test_an_empty_header_cell_of_a_table_is_no_header():
    html = render_answer("| | b |\n|---|---|\n| 1 | 2 |").html

    assert html.count('<th scope="col">') == 1
    assert "<th></th>" not in html


def test_an_answer_of_four_thousand_sentences_in_one_paragraph_is_shown_without_waiting():
    begun = time.perf_counter()
    shown = render_answer("It fits here. It is closed. " * 2000)

    assert len(shown.sentences) == 4000
    assert time.perf_counter() - begun < 4  # a second at most; twelve while each full stop read all before it
