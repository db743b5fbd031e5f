"""The gateway's figures as a table, and what each promise of its speed came to."""

from collections.abc import Mapping
from typing import Any

from benchmarks.gateways.contest import DIRECT, added, median, ratio

Report = Mapping[str, Any]


def of(report: Report) -> dict[str, dict[str, Any]]:
    """Per bar what was asked, what was measured, and whether it holds; a bar that was not measured is left out."""
    figures, servers = report["figures"], report["servers"]
    bars: dict[str, dict[str, Any]] = {}

    def bar(name: str, measured: float, most: float | None = None, *, least: float | None = None) -> None:
        holds = (most is None or measured <= most) and (least is None or measured >= least)
        wanted = f"<= {most:g}" if most is not None else f">= {least:g}"
        bars[name] = {"wanted": wanted, "measured": round(measured, 3), "holds": holds}

    direct = figures[DIRECT]
    for name, most in (("static", 3.0), ("minilm", 10.0)):
        if name in figures:
            bar(f"{name}: added p50, ms", added(figures[name]["latency"], direct["latency"], "p50_ms"), most)
    static = figures.get("static", {})
    for peer in ("litellm", "routellm_path"):
        if peer in figures and "clients_16" in static:
            times = ratio(static["clients_16"], figures[peer]["clients_16"], "per_second")
            bar(f"static: requests/s with 16 clients, times {peer}", times, least=3.0)
    if "clients_128" in static:
        bar("static: p99 with 128 clients, ms", median(static["clients_128"], "p99_ms"), 150.0)
    if "static" in servers:
        bar("static: start to ready, s", servers["static"]["ready_s"], 5.0)
        bar("static: resident memory, MB", servers["static"]["rss_mb"], 400.0)
        bar("static: torch loaded", float("torch" in servers["static"]["heavy_libraries"]), 0.0)
    for kind in ("slow_upstream", "slow_router"):
        if found := report["neighbours"].get(kind):
            bar(
                f"{kind}: p99 of others beside less alone, ms", found["beside"]["p99_ms"] - found["alone"]["p99_ms"], 20
            )
    return bars


def table(report: Report) -> str:
    """The figures for people."""
    figures, servers = report["figures"], report["servers"]
    loads = [kind for kind in figures[DIRECT] if kind.startswith("clients_")]
    heads = ["added p50", "p95", "p99", "first event"]
    for kind in loads:
        n = kind.removeprefix("clients_")
        heads += [f"req/s, {n}", f"p99, {n}"]
    heads += ["CPU ms", "ready s", "RSS MB"]
    lines = [f"{'':18}" + "".join(f"{head:>12}" for head in heads)]
    direct = figures[DIRECT]
    for name, of_server in figures.items():
        is_direct = name == DIRECT
        cells = [
            median(of_server["latency"], which) if is_direct else added(of_server["latency"], direct["latency"], which)
            for which in ("p50_ms", "p95_ms", "p99_ms")
        ]
        first = "first_p50_ms"
        cells.append(
            median(of_server["stream"], first) if is_direct else added(of_server["stream"], direct["stream"], first)
        )
        for kind in loads:
            cells += [median(of_server[kind], "per_second"), median(of_server[kind], "p99_ms")]
        if not is_direct:
            cells += [median(of_server[loads[0]], "cpu_ms")] if loads else [0.0]
            cells += [servers[name]["ready_s"], servers[name]["rss_mb"]]
        lines.append(f"{name:18}" + "".join(f"{cell:12.2f}" for cell in cells))
    size = report["size"]
    lines += [
        "",
        f"ms; medians of {size['rounds']} rounds; direct's own times, what the others add to them; "
        f"p50 to p99 and the first event of a stream with one client; CPU of the server a request with {loads[0][8:]}"
        if loads
        else "",
        f"load of the machine at the start {report['load_average']:.1f}"
        + (
            f"; LiteLLM {report['litellm']}" if "litellm" in report else "; without --peers no other server is measured"
        ),
        "",
    ]
    for kind, found in report["neighbours"].items():
        if kind == "slow_embedding_per_second":
            said = ", ".join(f"{name} {per_second:.1f}" for name, per_second in found.items())
            lines.append(f"an embedding of 200 ms, 16 clients, requests/s: {said}")
        else:
            alone, beside = found["alone"], found["beside"]
            lines.append(
                f"{kind}: others' p50 {alone['p50_ms']:.2f} ms alone, {beside['p50_ms']:.2f} beside; "
                f"p99 {alone['p99_ms']:.2f} alone, {beside['p99_ms']:.2f} beside"
            )
    lines.append("")
    for name, one in report["bars"].items():
        lines.append(f"{'holds' if one['holds'] else 'FAILS'}  {name}: {one['measured']:g} ({one['wanted']})")
    return "\n".join(lines)
