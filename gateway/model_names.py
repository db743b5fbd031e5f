"""What a client may write as `model`: a routing name, or one of the two models by its own name.

| name | meaning |
|---|---|
| router-mf-0.3 | router `mf`, strong iff probability >= 0.3 (RouteLLM's form) |
| router-mf-0.3:DOMAIN | the same, of a domain: what a certificate needs to know, and it may lower the threshold |
| auto | the first router with the threshold its bundle carries |
| auto:DOMAIN | the same, with the bundle's threshold for that domain |
| a model's own name | that model, without routing; a weak answer is rechecked all the same |

At critical stakes the strong model answers, whatever the name.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from core.errors import PreceptorError

_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]{1,3})?")


class UnknownModel(PreceptorError):
    """The name is none that this gateway knows; the message lists those that work."""


class BadThreshold(PreceptorError):
    """The name's threshold is not a number in [0, 1]."""


class Names(NamedTuple):
    """The names that one gateway knows."""

    weak: str
    strong: str
    routers: tuple[str, ...]
    domains: tuple[str, ...]


class Direct(NamedTuple):
    """A model asked for by its own name."""

    model: str


class Routed(NamedTuple):
    """A request to decide: by which router (None: the first), at which threshold (None: the bundle's)."""

    router: str | None
    threshold: float | None
    domain: str | None


def parse_model_name(name: str, *, names: Names) -> Direct | Routed:
    """What the client asks for.

    Raises:
        UnknownModel: no such name.
        BadThreshold: the threshold of a `router-...` name is not a number in [0, 1].

    >>> names = Names(weak="small", strong="large", routers=("mf",), domains=("law",))
    >>> parse_model_name("router-mf-0.3", names=names)
    Routed(router='mf', threshold=0.3, domain=None)
    >>> parse_model_name("auto:law", names=names).domain
    'law'
    >>> parse_model_name("small", names=names)
    Direct(model='small')
    """
    if name in (names.weak, names.strong):
        return Direct(name)
    if name == "auto":
        return Routed(None, None, None)
    if name.startswith("auto:") and name[5:] in names.domains:
        return Routed(None, None, name[5:])
    for router in names.routers:
        if name.startswith(f"router-{router}-"):
            threshold, has_domain, domain = name.removeprefix(f"router-{router}-").partition(":")
            if not has_domain or domain in names.domains:
                return Routed(router, _threshold(threshold), domain or None)
    raise UnknownModel(
        f"There is no model of that name here. The names that work: {', '.join(names_that_work(names))}; "
        "any threshold in [0, 1] may stand in a router name."
    )


def names_that_work(names: Names) -> tuple[str, ...]:
    """The names to list; of the many router names, the one at 0.5.

    >>> names_that_work(Names(weak="small", strong="large", routers=("mf",), domains=()))
    ('auto', 'router-mf-0.5', 'small', 'large')
    """
    domains = [f"auto:{domain}" for domain in names.domains]
    routers = [f"router-{router}-0.5" for router in names.routers]
    return ("auto", *domains, *routers, names.weak, names.strong)


def domains_of(strata: Sequence[str]) -> tuple[str, ...]:
    """The domains that a bundle's strata name (`law/high` belongs to `law`), without the default.

    >>> domains_of(["default", "law/high", "law/low", "tax"])
    ('law', 'tax')
    """
    return tuple(dict.fromkeys(stratum.partition("/")[0] for stratum in strata if stratum != "default"))


def _threshold(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not 0.0 <= float(text) <= 1.0:
        raise BadThreshold("The threshold in a router name is a number in [0, 1], as in router-mf-0.3. Correct it.")
    return float(text)
