"""The one family of errors that Preceptor raises for a user's or the world's mistake.

    PreceptorError
    |-- SettingsError        a YAML that does not describe a run; every fault at once
    |-- DataError            rows that cannot be read; every fault with file and line
    |-- NotEnoughLabels      a statistical question asked of too few rows
    |-- TrainingError        a training that cannot start, go on or be taken up again
    |-- BundleError          a bundle that is missing, altered, or of another format
    |-- RegistryError        the model registry refused or is out of reach
    |-- LedgerError          the ledger does not verify, or refuses an event
    |-- AccessDenied         the policy forbids this act to this person
    |-- UpstreamError        a model endpoint failed
    `-- MissingExtra         a library that an optional feature needs is not installed

Each message has two sentences: what is wrong, with the value, and what to do next.
The command line prints the message and exits 1; nothing here is shown as a traceback.
"""

from collections.abc import Sequence


class PreceptorError(Exception):
    """Something the user can mend: the message says what is wrong and what to do."""


class SettingsError(PreceptorError):
    """The settings do not describe a run."""


class DataError(PreceptorError):
    """Rows that cannot be read; nothing of the file was used.

    Args:
        faults: one line per bad row, `file:line: what is wrong`; the first 20 are shown.
        next_step: the sentence that says what to do.
    """

    def __init__(self, faults: Sequence[str], next_step: str) -> None:
        self.faults = tuple(faults)
        shown = "\n".join(f"  {fault}" for fault in self.faults[:20])
        rest = len(self.faults) - 20
        more = f"\n  ... and {rest} more" if rest > 0 else ""
        rows = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{rows} found, nothing of it was used:\n{shown}{more}\n{next_step}")


class NotEnoughLabels(PreceptorError):
    """Too few labelled rows for the question asked."""


class TrainingError(PreceptorError):
    """A training cannot start, cannot go on, or cannot be taken up where it stopped."""


class BundleError(PreceptorError):
    """A bundle is missing, altered, or of a format that this version cannot read."""


class RegistryError(PreceptorError):
    """The model registry refused, or is out of reach."""


class LedgerError(PreceptorError):
    """The ledger does not verify, or an event cannot be appended."""


class AccessDenied(PreceptorError):
    """The access policy forbids this act to this person."""


class UpstreamError(PreceptorError):
    """A model endpoint failed or answered with something that is not a completion."""


class MissingExtra(PreceptorError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed. Run `pip install 'preceptor[{extra}]'`.")
