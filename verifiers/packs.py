"""Domain packs: which checks recheck an answer of a domain."""

from collections.abc import Callable

from core.errors import SettingsError
from verifiers.chain import Check
from verifiers.coding.candidates import CodeIsCandidate
from verifiers.coding.icd10cm import CodeBillable, CodeExists, load_code_set

PACKS: dict[str, tuple[Callable[[], Check], ...]] = {"medical_coding": (CodeExists, CodeBillable, CodeIsCandidate)}
"""The checks of each pack, in the order in which they run."""

_WARM_UPS: dict[str, tuple[Callable[[], object], ...]] = {"medical_coding": (load_code_set,)}


def checks_of(pack: str) -> tuple[Check, ...]:
    """The pack's checks, ready to run: what they load slowly is loaded now.

    Raises:
        SettingsError: there is no such pack.
        MissingExtra: a library that the pack needs is not installed.

    >>> [check.id for check in checks_of("medical_coding")]
    ['icd10cm.exists', 'icd10cm.billable', 'icd10cm.candidate']
    """
    if pack not in PACKS:
        raise SettingsError(f"There is no verifier pack '{pack}'. The packs are: {', '.join(sorted(PACKS))}.")
    for warm_up in _WARM_UPS.get(pack, ()):
        warm_up()
    return tuple(make() for make in PACKS[pack])
