"""Texts of models and of guidelines as HTML that is safe to show: Markdown in, a short list of tags out.

No HTML of the text survives, no image is loaded and no link can be followed: an address is shown as text. Answers are
cut into numbered units to be marked: sentences, and tables and code blocks as a whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from core.errors import PreceptorError
from labeling.judging.ballots import SideMark
from labeling.judging.sentences import split_sentences

TAGS = {
    *("p", "div", "span", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li"),
    *("h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    "p": {"class"},
    "span": {"class", "data-sentence"},
    "div": {"class", "data-sentence"},
    "ol": {"start"},
    "th": {"scope"},
}
"""What may stand in a rendered text; all else is taken out after rendering."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
_WHOLE = ("fence", "code_block")


@dataclass(frozen=True)
class RenderedAnswer:
    """An answer as HTML, each of whose units carries its number, and the units' texts in that order."""

    html: Markup
    sentences: tuple[str, ...]


@lru_cache(maxsize=256)
def render_answer(text: str) -> RenderedAnswer:
    """The answer with its units numbered from 0 in `data-sentence`; headings become plain lines.

    >>> shown = render_answer("Code **B42.81**. Not I10.")
    >>> shown.sentences
    ('Code **B42.81**.', 'Not I10.')
    >>> print(str(shown.html).strip()[:66])
    <p><span class="sentence" data-sentence="0">Code <strong>B42.81</s
    """
    env: dict[str, object] = {}
    tokens = _MARKDOWN.parse(text, env)
    lines = text.splitlines(keepends=True)
    units: list[str] = []
    shown: list[Token] = []
    in_table = False
    for token in _tidied(tokens):
        if token.type == "table_open" or token.type in _WHOLE:
            shown.append(_open("div", len(units), "sentence whole"))
            first, last = token.map or (0, 0)
            units.append("".join(lines[first:last]).strip() or token.content)
            in_table = token.type == "table_open"
        if token.type == "inline" and not in_table:
            token.children = _numbered(token.content, units, env)
        shown.append(_as_line(token))
        if token.type == "table_close" or token.type in _WHOLE:
            shown.append(Token("unit_close", "div", -1, block=True))
            in_table = False
    return RenderedAnswer(_clean(shown, env), tuple(units))


def check_places(marks: Iterable[SideMark], *, left: str, right: str) -> None:
    """Refuse marks on sentences that the answers do not have.

    Raises:
        PreceptorError: an answer has fewer sentences than a mark says.
    """
    counts = {side: len(render_answer(text).sentences) for side, text in (("left", left), ("right", right))}
    for mark in marks:
        if mark.sentence >= counts[mark.side]:
            raise PreceptorError(
                f"The {mark.side} answer has {counts[mark.side]} sentences, and a mark names sentence "
                f"{mark.sentence + 1}. Correct the number."
            )


def render_markdown(text: str, *, top_heading: int = 2) -> Markup:
    """A text such as a guideline; its headings start at `top_heading` and never skip a level.

    >>> print(render_markdown("# Aim"))
    <h2>Aim</h2>
    <BLANKLINE>
    """
    env: dict[str, object] = {}
    tokens = list(_tidied(_MARKDOWN.parse(text, env)))
    levels: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            given = int(token.tag[1])
            while levels and levels[-1] >= given:
                levels.pop()
            levels.append(given)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(top_heading + len(levels) - 1, 4)}"
    return _clean(tokens, env)


def _tidied(tokens: Sequence[Token]) -> Iterable[Token]:
    """Links and images as text, header cells with their scope."""
    header: Token | None = None
    for token in tokens:
        if token.type == "th_open":
            header = token
            token.attrs = {"scope": "col"}
        if token.type == "inline" and header is not None and not token.content.strip():
            header.tag = "td"  # an empty header cell heads nothing
            header.attrs = {}
        if token.type == "th_close" and header is not None:
            token.tag, header = header.tag, None
        if token.children:
            token.children = _without_links(token.children)
        yield token


def _without_links(children: Sequence[Token]) -> list[Token]:
    plain: list[Token] = []
    opened: list[tuple[str, int]] = []
    for child in children:
        if child.type == "image":
            plain.append(Token("text", "", 0, content=f"[image: {child.content or 'no description'}]"))
        elif child.type == "link_open":
            opened.append((str(child.attrGet("href") or ""), len(plain)))
        elif child.type == "link_close":
            address, start = opened.pop()
            said = "".join(token.content for token in plain[start:])
            if address and address.removeprefix("mailto:") != said:
                plain.append(Token("text", "", 0, content=f" ({address})"))
        else:
            plain.append(child)
    return plain


def _numbered(content: str, units: list[str], env: dict[str, object]) -> list[Token]:
    """The inline tokens of a paragraph, each sentence in a numbered span."""
    children: list[Token] = []
    for piece in split_sentences(content):
        if not piece.strip():
            continue
        children.append(_open("span", len(units), "sentence"))
        units.append(piece.strip())
        (inline,) = _MARKDOWN.parseInline(piece.rstrip(), env)
        children += [*_without_links(inline.children or []), Token("sentence_close", "span", -1)]
        space = piece[len(piece.rstrip()) :]
        children.append(Token("hardbreak", "br", 0) if "\n" in space else Token("text", "", 0, content=space))
    return children


def _open(tag: str, number: int, name: str) -> Token:
    attributes: dict[str, str | int | float] = {"class": name, "data-sentence": str(number)}
    return Token("sentence_open", tag, 1, attrs=attributes, block=tag == "div")


def _as_line(token: Token) -> Token:
    if token.type in ("heading_open", "heading_close"):
        token.tag = "p"
        if token.nesting == 1:
            token.attrs = {"class": "heading"}
    return token


def _clean(tokens: Sequence[Token], env: dict[str, object]) -> Markup:
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, env)
    return Markup(nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=set(), link_rel=None))
