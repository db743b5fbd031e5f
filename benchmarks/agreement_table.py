"""The figures of `benchmarks.agreement` as a table for people. Measures nothing."""

from typing import Any

from benchmarks.public_sets import as_text

BUDGETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
"""Budgets at which the gap recovered is shown, 0 at always weak and 1 at always strong."""


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = []
    for target, one in figures["targets"].items():
        seconds = [fold["second"] for fold in one["second"]]
        cost, ship = one["apgr_by_cost"], one["shippable"]
        lines += [
            f"\n{target}: {one['n_rows']} rows, {one['n_train']} labels a fold; USD for 1,000 queries: "
            + ", ".join(f"{name} {usd:.3f}" for name, usd in one["usd_per_1000"].items()),
            f"  second model by fold: {', '.join(seconds)}",
            "  in the weak model's place, gap recovered at budget: "
            + ", ".join(f"{n} {a['recovered']:.2f} at {a['budget']:.3f}" for n, a in one["asked_alone"].items()),
            "  APGR by cost, all calls charged (a coin: 0.5); gap recovered at "
            + ", ".join(f"{budget:.0%}" for budget in BUDGETS)
            + " of the budget:",
        ]
        for name, family in cost["families"].items():
            bought = " ".join(f"{share:.2f}" for share in family["recovered_at"].values())
            lines.append(f"    {name:36} {as_text(family)}   {bought}")
        lines.append(f"    second where it pays, less router     {as_text(cost['gain_over_router'], '+')}")
        for name, interval in ship["apgr_by_strong_calls_uncharged"].items():
            lines.append(f"  APGR by strong calls, nothing else charged: {name:10} {as_text(interval)}")
        for form, words in (("of_all", "of all queries"), ("selective", "of those that leave")):
            found, certified = ship[form]["found"], ship[form]["certified"]
            lines.append(
                f"  leave at harm <= 5 % {words}, found: router {as_text(found['router'])}, "
                f"with second {as_text(found['with_second'])}, {as_text(found['times'])} times as many"
            )
            for way, fold in certified.items():
                lines.append(
                    f"    certified by {way:15} {fold['n_certified']} of {fold['n_folds']} folds, share "
                    f"{fold['share']:.3f}, harm on test rows {as_text(fold['harm_' + form])}"
                )
    lines.append("\nUSD a million tokens, in / out:")
    lines += [f"  {name:32} {p[0]:g} / {p[1]:g}   {p[2]}" for name, p in figures["prices"].items()]
    return "\n".join(lines)
