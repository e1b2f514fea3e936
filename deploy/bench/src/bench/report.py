"""The table that a person reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_TARGETS = {
    "all_traced": "≥ 3,000",
    "one_in_100_traced": "≥ 3,000",
    "ratio": "≥ 0.6",
    "idle": "≤ 15 / 50 / 500",
    "open_loop": "2,000/s with p99 ≤ 250 ms",
}


def show(results: dict[str, Any]) -> None:
    """Print what was measured beside what is aimed at."""
    console = Console(width=None if Console().is_terminal else 110)
    machine = results["machine"]
    console.print(f"[bold]{machine['cores']} cores[/] of {machine['processor']}, {machine['memory_gib']} GiB, fsync on")
    table = Table("figure", "median (lowest-highest)", "aim", title="paid → delivered")
    instant, sandbox = results.get("instant"), results.get("sandbox")
    if instant:
        for name in ("one_in_100_traced", "all_traced"):
            label = f"orders/s, instant adapters, {name.replace('_', ' ')}"
            table.add_row(label, _spread(instant[name]["orders_per_second"]), _TARGETS[name])
        table.add_row("idle p50 / p99 / max ms", _idle(instant["idle"]), _TARGETS["idle"])
        kept = [row for row in instant["open_loop"] if row["kept"]]
        best = f"{kept[-1]['per_second']}/s, p99 {kept[-1]['p99_ms']:.0f} ms" if kept else "none"
        table.add_row("highest steady rate with p99 ≤ 250 ms", best, _TARGETS["open_loop"])
    if sandbox:
        table.add_row("orders/s over HTTP and SMTP", _spread(sandbox["orders_per_second"]), "")
        table.add_row("the same calls with no engine", _spread(sandbox["without_engine_per_second"]), "")
        table.add_row("ratio", _spread(sandbox["ratio"], 2), _TARGETS["ratio"])
        table.add_row("idle p50 / p99 / max ms, HTTP and SMTP", _idle(sandbox["idle"]), "")
    for name, measured in results.get("stock", {}).items():
        label = f"operator of 800 ms, {name.replace('_', ' ')}"
        table.add_row(f"{label}, alone: p50 / p99 / max ms", _idle(measured["one_by_one"]), "")
        steady = measured["steady"]
        table.add_row(f"{label}, {steady['per_second']}/s: p50 / p99 / max ms", _idle(steady), "")
    console.print(table)
    if "costs" in results:
        console.print(_steps(results["costs"]))
    if instant:
        console.print(_costs(instant))
        console.print(_rates(instant["open_loop"]))


def _steps(costs: Sequence[Mapping[str, Any]]) -> Table:
    """Each step of an order's way."""
    columns = ("CPU µs", "calls", "JSON read", "statements", "round trips", "bytes on topics")
    table = Table("service", "reads", *columns, title="an order in one process; statements and round trips of a batch")
    for cost in costs:
        order = f"{cost['cpu_us']:.0f}", f"{cost['calls']:.0f}", f"{cost['parses']:.0f}"
        batch = str(cost["statements"]), str(cost["round_trips"])
        table.add_row(cost["service"], cost["topic"], *order, *batch, f"{cost['log_bytes']:.0f}")
    return table


def _costs(instant: dict[str, Any]) -> Table:
    table = Table("process", "CPU µs/order", "tx/order", "RSS MiB at rest", "CPU % at rest", title="cost")
    load = instant["one_in_100_traced"]
    for name, cpu in load["cpu_us_per_order"].items():
        rest = instant["at_rest"].get(name, {})
        transactions = load["transactions_per_order"].get(name, "")
        table.add_row(name, str(cpu), str(transactions), str(rest.get("rss_mib", "")), str(rest.get("cpu_percent", "")))
    return table


def _rates(rows: list[dict[str, Any]]) -> Table:
    table = Table("orders/s offered", "p50 ms", "p99 ms", title="open loop")
    for row in rows:
        table.add_row(str(row["per_second"]), f"{row['p50_ms']:.0f}", f"{row['p99_ms']:.0f}")
    return table


def _spread(figure: dict[str, float], digits: int = 0) -> str:
    return f"{figure['median']:,.{digits}f} ({figure['low']:,.{digits}f}-{figure['high']:,.{digits}f})"


def _idle(figure: dict[str, float]) -> str:
    return f"{figure['p50_ms']:.1f} / {figure['p99_ms']:.1f} / {figure['max_ms']:.1f}"
