"""GET /v1/models: the names that work for whoever asks, and whether one does."""

from gateway.api.http_call import HttpCall
from gateway.api.replies import Answer, json_answer
from gateway.keys.door import Admitted
from gateway.loop import RoutingLoop
from gateway.model_names import Names, Routed, UnknownModel, names_that_work, parse_model_name


class ModelList:
    """Lists the names; those of other domains than a key's are not there for it."""

    def __init__(self, loop: RoutingLoop) -> None:
        self._loop = loop

    async def listed(self, call: HttpCall) -> Answer:
        """All names; of the many router names, those at 0.5."""
        names = names_for(call.admitted, names=self._loop.names)
        return json_answer(200, {"object": "list", "data": [_model(name) for name in names]})

    async def one(self, call: HttpCall) -> Answer:
        """One name, any threshold.

        Raises:
            UnknownModel, BadThreshold: it does not work for this key.
        """
        name, names = call.scope["path_params"]["model"], self._loop.names
        domain = domain_for(call.admitted, name, names=names)
        if call.admitted.domains is not None and domain not in call.admitted.domains:
            raise _unknown_to(call.admitted, names=names)
        return json_answer(200, _model(name))


def names_for(admitted: Admitted, *, names: Names) -> tuple[str, ...]:
    """The names that work for a key: all, or those that name one of its domains.

    >>> names = Names("small", "large", routers=("mf",), domains=("law", "tax"))
    >>> names_for(Admitted("k", domains=frozenset({"tax"})), names=names)
    ('auto:tax', 'router-mf-0.5:tax')
    """
    if admitted.domains is None:
        return names_that_work(names)
    domains = [domain for domain in names.domains if domain in admitted.domains]
    routers = [f"router-{router}-0.5:{domain}" for router in names.routers for domain in domains]
    return (*(f"auto:{domain}" for domain in domains), *routers)


def domain_for(admitted: Admitted, name: str, *, names: Names) -> str | None:
    """The domain that a model name names; a key for some domains is told of no others.

    Raises:
        UnknownModel, BadThreshold: no such name.
    """
    try:
        return domain_of(name, names=names)
    except UnknownModel:
        if admitted.domains is None:
            raise
        raise _unknown_to(admitted, names=names) from None


def domain_of(name: str, *, names: Names) -> str | None:
    """The domain that a model name names; None where it names none.

    Raises:
        UnknownModel, BadThreshold: no such name.

    >>> domain_of("auto:law", names=Names("small", "large", routers=(), domains=("law",)))
    'law'
    """
    asked = parse_model_name(name, names=names)
    return asked.domain if isinstance(asked, Routed) else None


def _unknown_to(admitted: Admitted, *, names: Names) -> UnknownModel:
    known = ", ".join(names_for(admitted, names=names)) or "none"
    return UnknownModel(f"This key has no model of that name. The names that work for it: {known}.")


def _model(name: str) -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "preceptor"}
