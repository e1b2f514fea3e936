"""The tables that a person reads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.spread import Spread
from bench.targets import TARGETS


def show(results: dict[str, Any]) -> None:
    """Print what was measured beside what is aimed at."""
    console = Console(width=None if Console().is_terminal else 110)
    machine = results["machine"]
    console.print(f"[bold]{machine['cores']} cores[/] of {machine['processor']}, {machine['memory_gib']} GiB, fsync on")
    for when, speed in zip(("before", "after"), results.get("calibration", ()), strict=False):
        console.print(f"{when}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in speed.items()))
    table = Table("ratio", "median (lowest-highest)", "target", "")
    for name, ratio in _ratios(results):
        target = TARGETS[name]
        table.add_row(target.label, ratio.text(2), target.text(), "met" if target.met(ratio.median) else "")
    console.print(table)
    if (table := _absolute(results)).row_count:
        console.print(table)
    if "peers" in results:
        console.print(_peers(results["peers"]))
    if "costs" in results:
        console.print(_steps(results["costs"]))
    if "instant" in results:
        console.print(_costs(results["instant"]))
    if "intake" in results:
        console.print(_intake(results["intake"]))


def _ratios(results: Mapping[str, Any]) -> Iterator[tuple[str, Spread]]:
    for measured in results.values():
        if isinstance(measured, Mapping):
            for name, ratio in measured.get("ratios", {}).items():
                yield name, Spread(**ratio)


def _absolute(results: Mapping[str, Any]) -> Table:
    table = Table("figure", "median (lowest-highest)", title="paid → delivered")
    if instant := results.get("instant"):
        for name in ("product", "product_all_traced", "floor"):
            rates = Spread.of([run[name]["per_second"] for run in instant["runs"]])
            table.add_row(f"orders/s, {name.replace('_', ' ')}", rates.text())
        for name in ("product_alone", "floor_alone"):
            spreads = [Spread.of([run[name][key] for run in instant["runs"]]) for key in ("p50_ms", "p99_ms")]
            table.add_row(f"{name.replace('_', ' ')}, p50 / p99 ms", " / ".join(one.text() for one in spreads))
            numbers = _medians(instant["runs"], name, "transactions")
            each = ", ".join(f"{part} {number:.1f}" for part, number in numbers.items())
            table.add_row(f"{name.replace('_', ' ')}, transactions per order", each)
        loop = instant["open_loop"]
        label = f"open loop, {loop['offered']:.0f} orders/s: p50 / p99 / max ms"
        queue = f"waiting {loop['waiting_early']:.0f} → {loop['waiting_late']:.0f}"
        table.add_row(label, f"{_milliseconds(loop)}; {queue}, {'it grew' if loop['grew'] else 'it did not grow'}")
    if growth := results.get("growth"):
        for name in ("empty", "grown"):
            rates = Spread.of([run["product"] for run in growth[name]])
            floor = Spread.of([run["floor"] for run in growth[name]])
            table.add_row(f"orders/s, tables {name}; the floor", f"{rates.text()}; {floor.text()}")
        table.add_row("rows that were added", f"{sum(growth['rows'].values()):,}")
        table.add_row("orders/s of a backlog", f"{growth['backlog_per_second']:.0f}")
    if sandbox := results.get("sandbox"):
        table.add_row("orders/s over HTTP and SMTP", Spread(**sandbox["orders_per_second"]).text())
        table.add_row("the same calls with no engine", Spread(**sandbox["without_engine_per_second"]).text())
        table.add_row("alone, HTTP and SMTP: p50 / p99 / max ms", _milliseconds(sandbox["alone"]))
    for name, measured in results.get("stock", {}).items():
        label = f"operator of 800 ms, {name.replace('_', ' ')}"
        table.add_row(f"{label}, alone: p50 / p99 / max ms", _milliseconds(measured["one_by_one"]))
        steady = measured["steady"]
        table.add_row(f"{label}, {steady['per_second']}/s: p50 / p99 / max ms", _milliseconds(steady))
    return table


def _peers(peers: Mapping[str, Any]) -> Table:
    """The product and each peer."""
    table = Table("", "orders/s", "one at a time: p50 ms", title="the same chain, trivial steps")
    for name in peers["runs"][0]:
        if name == "product_alone":
            continue
        rates = Spread.of([run[name]["per_second"] for run in peers["runs"]])
        alone = Spread.of([run["product_alone" if name == "product" else name]["p50_ms"] for run in peers["runs"]])
        table.add_row(name, rates.text(), alone.text(1))
    for name in peers["missing"]:
        table.add_row(name, "not measured: redis-server is not installed", "")
    return table


def _steps(costs: Sequence[Mapping[str, Any]]) -> Table:
    """Each step of an order's way."""
    columns = ("CPU µs", "calls", "JSON read", "statements", "round trips", "bytes on topics")
    table = Table("service", "reads", *columns, title="an order in one process; statements and round trips of a batch")
    for cost in costs:
        order = f"{cost['cpu_us']:.0f}", f"{cost['calls']:.0f}", f"{cost['parses']:.0f}"
        batch = str(cost["statements"]), str(cost["round_trips"])
        table.add_row(cost["service"], cost["topic"], *order, *batch, f"{cost['log_bytes']:.0f}")
    return table


def _costs(instant: Mapping[str, Any]) -> Table:
    """What an order costs each process, the product's beside the floor's; `sum` is of all processes."""
    columns = ("CPU µs/order", "floor's", "tx/order", "RSS MiB at rest", "CPU % at rest")
    table = Table("process", *columns, title="cost, 1 in 100 traced; medians")
    product, floor = (_medians(instant["runs"], name, "cpu_us") for name in ("product", "floor"))
    transactions = _medians(instant["runs"], "product", "transactions")
    for name, cpu in product.items():
        rest = instant["at_rest"].get(name, {})
        other = f"{floor[name]:.0f}" if name in floor else ""
        number = f"{transactions[name]:.3f}" if name in transactions else ""
        table.add_row(name, f"{cpu:.0f}", other, number, str(rest.get("rss_mib", "")), str(rest.get("cpu_percent", "")))
    table.add_row("sum", f"{sum(product.values()):.0f}", f"{sum(floor.values()):.0f}", "", "", "")
    return table


def _intake(intake: Mapping[str, Any]) -> Table:
    """Orders per second, and what an order costs each process until it is accepted, and in the followers."""
    table = Table("", "orders/s", "CPU µs/order", title="orders on their way in")
    for where, runs in (("the whole stack", intake["runs"]), ("ordering alone", intake["alone"])):
        for name in runs[0]:
            rates = Spread.of([run[name]["per_second"] for run in runs])
            costs = ", ".join(f"{part} {cpu:.0f}" for part, cpu in _medians(runs, name, "cpu_us").items())
            table.add_row(f"{where}: {name}", rates.text(), costs)
    loop = intake["open_loop"]
    grew = "the queue grew" if loop["grew"] else "no growing queue"
    table.add_row(f"open loop, {loop['offered']:.0f}/s: p50 / p99 / max ms", _milliseconds(loop), grew)
    return table


def _medians(runs: Sequence[Mapping[str, Any]], contender: str, figure: str) -> dict[str, float]:
    names = runs[0][contender][figure]
    return {name: Spread.of([run[contender][figure][name] for run in runs]).median for name in names}


def _milliseconds(figure: Mapping[str, float]) -> str:
    return f"{figure['p50_ms']:.1f} / {figure['p99_ms']:.1f} / {figure['max_ms']:.1f}"
