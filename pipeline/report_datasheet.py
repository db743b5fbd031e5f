"""A datasheet's Markdown as HTML inside the report. Takes no HTML, link or image from it, so nothing is fetched."""

from markdown_it import MarkdownIt
from markupsafe import Markup

DEEPER = 2
"""How many levels its headings sink: the page has its own h1 and h2."""

_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink", "reference"])
)


def datasheet_html(text: str) -> Markup:
    r"""The Markdown as HTML with lower headings; what looks like HTML stands as text.

    >>> print(datasheet_html("# Claims\n\n<b>1</b> [here](http://a.b)").strip())
    <h3>Claims</h3>
    <p>&lt;b&gt;1&lt;/b&gt; [here](http://a.b)</p>
    """
    tokens = _MARKDOWN.parse(text)
    level = DEEPER
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            # Levels never skip one: a reader who goes by headings would look for what is missing.
            asked = min(int(token.tag[1:]) + DEEPER, 6)
            if token.type == "heading_open":
                level = min(asked, level + 1)
            token.tag = f"h{level}"
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))
