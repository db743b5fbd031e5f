"""Checks of figures: arithmetic, percentages, totals, units, doses, dates, identifiers, and what numbers rest on."""

from collections.abc import Mapping

CHECKS: Mapping[str, str] = {
    "figures.calculation": "verifiers.figures.calculation:Calculation",
    "figures.prose": "verifiers.figures.prose:ProseArithmetic",
    "figures.percentage": "verifiers.figures.percentages:Percentages",
    "figures.total": "verifiers.figures.totals:Totals",
    "figures.unit": "verifiers.figures.unit_use:Units",
    "figures.dose": "verifiers.figures.doses:Doses",
    "figures.dates": "verifiers.figures.dates:Dates",
    "figures.grounded": "verifiers.figures.grounded:Grounded",
    "figures.identifier": "verifiers.figures.identifiers:Identifiers",
    "figures.final": "verifiers.figures.final:FinalAnswer",
    "figures.derived": "verifiers.figures.derived:Derived",
}
"""Where each check lives; a pack names the id."""
