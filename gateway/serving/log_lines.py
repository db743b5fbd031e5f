"""Where the server's own words go: to stderr, one a line, with their time. They never hold a text or a key."""

import logging
import sys


def log_to_stderr(who: str = "") -> None:
    """Write warnings and errors, each with `who` says it."""
    logging.basicConfig(format=f"%(asctime)s %(levelname)s {who}%(message)s", level=logging.WARNING, stream=sys.stderr)
