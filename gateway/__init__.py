"""OpenAI-compatible server and in-process Controller: route, answer, verify, escalate.

`from gateway import Controller` is what programs import; nothing else is loaded before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.program.asked import RoutingError as RoutingError
    from gateway.program.controller import Controller as Controller

_MODULES = {"Controller": "gateway.program.controller", "RoutingError": "gateway.program.asked"}

__all__ = ["Controller", "RoutingError"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class of one of the modules
    """The class of that name, loaded now."""
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module 'gateway' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)
