"""Every check by its id, and checks of a site's own by `module:Class`. A module is imported when a check of it is made.

A class is made with the options that the pack gives it. What it names in `needs` comes from the program instead: models
to ask, a gauge of suspicion, a judge's proof (`verifiers.doubt`).
"""

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import fingerprint
from core.errors import PreceptorError, SettingsError
from verifiers.chain import Check
from verifiers.coding import CHECKS as CODING
from verifiers.doubt import CHECKS as DOUBT
from verifiers.figures import CHECKS as FIGURES
from verifiers.wording import CHECKS as WORDING

CHECKS: Mapping[str, str] = {**CODING, **FIGURES, **WORDING, **DOUBT}
"""`module:Class` of each check by its id."""


def make_check(
    name: str, options: Mapping[str, Any], *, beside: Path | None, resources: Mapping[str, object] | None = None
) -> Check:
    """The check of that id, or of that `module:Class`, with these options.

    Args:
        name: an id of the catalogue, or `module:Class` of a site's own.
        options: keyword arguments of the class.
        beside: folder in which a site's own module is looked for first, as `module.py`.
        resources: what the program hands to the checks that need it.

    Raises:
        SettingsError: no check has this name, or the options are not its own.
        MissingExtra: it needs a library that is not installed.

    >>> make_check("icd10cm.exist", {}, beside=None)
    Traceback (most recent call last):
        ...
    core.errors.SettingsError: There is no check 'icd10cm.exist'. Near it: icd10cm.exists. All are in docs/verifiers.md.
    """
    kind = _class_of(name, beside)
    needs = frozenset(getattr(kind, "needs", ()))
    _refuse_foreign_options(name, kind, options, needs=needs)
    handed = {need: value for need, value in (resources or {}).items() if need in needs and value is not None}
    try:
        check: Check = kind(**options, **handed)
    except PreceptorError:
        raise
    except Exception as error:
        raise SettingsError(
            f"The check '{name}' does not take its options ({type(error).__name__}: {error}). Change the options."
        ) from error
    if name in CHECKS and check.id != name:
        raise SettingsError(f"The check '{name}' calls itself '{check.id}'. Mend its `id`, or the catalogue.")
    return check


def own_file(name: str, beside: Path | None) -> Path | None:
    """The file of a site's own check that stands beside its pack; None for all others.

    >>> own_file("icd10cm.exists", Path(".")) is None
    True
    """
    module, is_own, _ = name.partition(":")
    path = None if beside is None or not is_own else beside / f"{module}.py"
    return path if path is not None and path.is_file() else None


def _class_of(name: str, beside: Path | None) -> Any:  # noqa: ANN401 - a class of any constructor
    if ":" not in name and name not in CHECKS:
        near = difflib.get_close_matches(name, CHECKS, n=3, cutoff=0.8) or sorted(CHECKS)[:5]
        raise SettingsError(f"There is no check '{name}'. Near it: {', '.join(near)}. All are in docs/verifiers.md.")
    module, _, kind = CHECKS.get(name, name).partition(":")
    file = own_file(name, beside)
    try:
        loaded = importlib.import_module(module) if file is None else _from_file(file)
        return getattr(loaded, kind)
    except PreceptorError:
        raise
    except Exception as error:
        where = "it is importable" if file is None else f"{file} can be run"
        raise SettingsError(
            f"The check '{name}' cannot be loaded ({type(error).__name__}: {error}). See that {where}."
        ) from error


def _from_file(path: Path) -> object:
    """The module in that file, loaded once for each content of it."""
    name = f"preceptor_own_check_{path.stem}_{fingerprint.of_text(path.read_text(encoding='utf-8'))[:16]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None, "a .py file has a loader"
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def _refuse_foreign_options(
    name: str,
    kind: Any,  # noqa: ANN401 - as above
    options: Mapping[str, Any],
    *,
    needs: frozenset[str],
) -> None:
    parameters = inspect.signature(kind).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = {parameter.name for parameter in parameters} - needs
    unknown = [option for option in options if option not in known]
    if unknown:
        taken = ", ".join(sorted(known)) or "none"
        raise SettingsError(f"The check '{name}' has no option {', '.join(unknown)}. Its options are: {taken}.")
