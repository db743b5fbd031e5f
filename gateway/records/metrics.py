"""Counts what the gateway does, for Prometheus; one `Metrics` in each worker, and any worker shows the sum of all.

It sees decisions alone: names, numbers and slugs. What would make a label without bound becomes `other`.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from core.records import Decision
from gateway.api.replies import decided
from gateway.attempts import Models
from gateway.bundles.slots import Report
from gateway.model_names import Names
from gateway.parts import Shadowed
from gateway.records.metric_families import Families
from gateway.records.shared_counts import are_shared
from gateway.routing import LOWERED

MOST_VALUES = 200
"""Values of one label; what comes later is `other`."""

_SLUG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/ -]{0,99}")
_REMEMBERED = 1000


class Metrics:
    """The counts of one process.

    Args:
        names: of models and domains that work now; called at each decision.
    """

    def __init__(self, names: Callable[[], Names]) -> None:
        from prometheus_client import CollectorRegistry, disable_created_metrics

        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, of which nobody asks
        self._registry, self._names = CollectorRegistry(), names
        self._families = Families(self._registry)
        self._children: dict[tuple[object, ...], Any] = {}
        self._known: dict[str, set[str]] = {}
        self._asked_strong: OrderedDict[str, bool] = OrderedDict()
        self._standing: set[tuple[str, str]] = set()
        self._child(self._families.build, version("preceptor")).set(1)

    def observe(self, decision: Decision) -> None:
        """Count one final decision."""
        families, child, names = self._families, self._child, self._names()
        roles = {names.weak: "weak", names.strong: "strong"}
        how = decided(decision, names=names) or "failed"
        domain = "none" if decision.domain is None else self._bounded("domain", decision.domain)
        child(families.requests, domain, decision.stakes.value, how, decision.arm).inc()
        for reason in decision.reasons:
            if reason == "decision_not_recorded":
                families.not_recorded.inc()
            elif reason != LOWERED and how != "weak":
                child(families.escalations, self._bounded("reason", reason)).inc()
        self._count_calls(decision, roles)
        if decision.probability is not None:
            families.score.observe(decision.probability)
            self._remember(decision)
        upstream_ms = sum(call.latency_ms or 0.0 for call in decision.calls)
        families.gateway_seconds.observe(max(0.0, decision.latency_ms - upstream_ms) / 1000)
        child(families.request_seconds, how).observe(decision.latency_ms / 1000)

    def observe_shadow(self, shadowed: Shadowed) -> None:
        """Count whether a bundle that decides nothing would have done what was done."""
        asked_strong = self._asked_strong.pop(shadowed.decision_id, None)
        if asked_strong is None:
            outcome = "not_compared"
        elif asked_strong == shadowed.ask_strong:
            outcome = "same"
        else:
            outcome = "strong_instead" if shadowed.ask_strong else "weak_instead"
        self._child(self._families.shadowed, outcome).inc()

    def began(self) -> None:
        """A request came in."""
        self._families.in_flight.inc()

    def ended(self, path: str, status: int) -> None:
        """A request is over; `path` is one of the server's own, not what a client wrote."""
        self._families.in_flight.dec()
        self._child(self._families.responses, path, str(status)).inc()

    def show_models(self, models: Models) -> None:
        """Take note of which endpoints are left alone now."""
        for role, model in zip(models._fields, models, strict=True):
            self._child(self._families.upstream_open, role).set(int(model.is_open))

    def show_bundles(self, reports: Sequence[Report], *, stopped: Callable[[str | None], bool]) -> None:
        """Take note of what decides now, how long its certificate holds, and what the stop switch says."""
        families, child = self._families, self._child
        standing: set[tuple[str, str]] = set()
        for report in reports:
            for part in (self._bounded("part", one) for one in report.parts):
                if report.bundle is not None:
                    standing.add((part, self._bounded("bundle", report.bundle[:12])))
                child(families.bundle_decides, part).set(int(report.fault is None))
                if report.certificate_ends is not None:
                    is_valid = not (report.fault or "").startswith("certificate")
                    child(families.certificate_valid, part).set(int(is_valid))
                    child(families.certificate_ends, part).set(report.certificate_ends.timestamp())
        for one in self._standing | standing:
            child(families.bundle_workers, *one).set(int(one in standing))
        self._standing |= standing
        for domain in (None, *self._names().domains):
            child(families.stopped, domain or "all").set(int(stopped(domain)))

    def exposition(self) -> bytes:
        """The counts of all workers in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        if not are_shared():
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)

    def _count_calls(self, decision: Decision, roles: dict[str, str]) -> None:
        families, child = self._families, self._child
        for call in decision.calls:
            role = roles.get(call.model, "other")
            child(families.upstream_calls, role, self._bounded("outcome", call.outcome)).inc()
            child(families.upstream_attempts, role).inc(call.n_attempts)
            if call.latency_ms is not None:
                child(families.upstream_seconds, role).observe(call.latency_ms / 1000)
            if call.first_token_ms is not None:
                child(families.first_token_seconds, role).observe(call.first_token_ms / 1000)
            if call.n_input:
                child(families.tokens, role, "input").inc(call.n_input)
            if call.n_output:
                child(families.tokens, role, "output").inc(call.n_output)
            if call.cost_usd:
                child(families.cost_usd, role).inc(call.cost_usd)
        if decision.cost_usd is None:
            families.cost_unknown.inc()
        for check in decision.checks:
            name = self._bounded("check", check.check)
            child(families.checks, name, self._bounded("check_outcome", check.outcome)).inc()
            if check.elapsed_ms is not None:
                child(families.check_seconds, name).observe(check.elapsed_ms / 1000)
            if check.cost_usd:
                child(families.cost_usd, "verifier").inc(check.cost_usd)

    def _remember(self, decision: Decision) -> None:
        """What the bundle said, for the shadow's that comes after it."""
        probability, threshold = decision.probability, decision.threshold
        self._asked_strong[decision.id] = threshold is None or probability is None or probability >= threshold
        if len(self._asked_strong) > _REMEMBERED:
            self._asked_strong.popitem(last=False)

    def _child(self, family: Any, *labels: str) -> Any:  # noqa: ANN401 - the library's own
        key = (id(family), *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = family.labels(*labels)
        return child

    def _bounded(self, label: str, value: str) -> str:
        known = self._known.setdefault(label, set())
        if value in known:
            return value
        if len(known) >= MOST_VALUES or _SLUG.fullmatch(value) is None:
            return "other"
        known.add(value)
        return value
