"""Every reason that the gateway writes has its words."""

import ast
import re
from pathlib import Path

from gateway.records.explaining import KINDS, WORDS

ROOT = Path(__file__).parents[2]
DECIDING = (
    *("routing", "certified", "weighing", "staking", "conversation", "context_window", "admission", "rechecks"),
    *("live_bundles", "deciding", "recording"),
)
NO_REASONS = {"tool_calls", "function_call", "image_url", "messages", "content", "response_format", "tool_choice"}


def slugs(name):
    """The texts of a module that look like reasons: at least two words, in code and not in a docstring."""
    (path,) = (ROOT / "gateway").rglob(f"{name}.py")
    tree = ast.parse(path.read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", text)}


def test_each_reason_of_the_modules_that_decide_is_explained():
    written = set().union(*(slugs(name) for name in DECIDING))
    reasons = {slug for slug in written if re.match(REASON, slug)} - NO_REASONS

    assert {"above_threshold", "router_error", "certificate_expired", "bundle_missing"} <= reasons | set(WORDS)
    assert sorted(reasons - set(WORDS)) == []


REASON = (
    r"(above|pinned|asked|weak_context|messages|content|no|not|tools|router|probability|threshold|certificate|bundle|"
    r"recheck|pointer|source|pins|decision)_(?!timeout_s|sha256|id$)"
)


def test_each_kind_of_failure_of_the_page_on_endpoints_is_explained():
    page = (ROOT / "docs/gateway/upstreams.md").read_text().partition("## What a failure is called")[2]
    kinds = {kind for row in re.findall(r"^\| (`[^|]+) \|", page, re.M) for kind in re.findall(r"`([a-z_]+)`", row)}

    assert len(kinds) >= 10
    assert sorted(kinds - set(KINDS)) == []
