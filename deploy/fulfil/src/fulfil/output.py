"""Answers as tables, or as JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fulfil.client import MOST
from fulfil.moments import shown

#: Where no screen ends (a pipe, a log) a row is one line.
_WIDE = 1000
#: What a line about a letter needs, more or less.
_ONE_LINE = 210


def console() -> Console:
    """Standard output, as wide as its terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def as_json(value: Any) -> None:
    """For programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def dead_letters(found: Sequence[Mapping[str, Any]]) -> None:
    """A line for each letter; on a screen too narrow for that, three."""
    if not found:
        print("No dead letters match.")
        return
    screen = console()
    rows = [_cells(one) for one in found]
    if screen.width < _ONE_LINE:
        for identity, service, topic, fault, key, received, state in rows:
            print(f"{identity}  {service}  {topic}\n  {fault}\n  key {key or 'none'}  {received}  {state}")
        return
    table = Table("id", "service", "topic", "fault", "key", "received", "state", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    screen.print(table)


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    tried = f" ({one['redrives']} tries)" if one["redrives"] and one["state"] == "waiting" else ""
    fault = f"{one['reason']}: {one['detail']}"
    state = one["state"] + tried
    return one["id"], one["service"], one["topic"], fault, one["key"] or "", shown(one["received_at"]), state


def dead_letter(one: Mapping[str, Any]) -> None:
    """A letter in full; what is sealed stays so."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    lines = {
        "id": one["id"],
        "service": one["service"],
        "record": f"{one['topic']} partition {one['partition']} offset {one['offset']}",
        "key": one["key"] or "none",
        "fault": f"{one['reason']}: {one['detail']}",
        "received": shown(one["received_at"]),
        "state": one["state"],
        "redrives": str(one["redrives"]),
        "decided": f"{shown(one['decided_at'])} by {one['decided_by']}: {one['decision']}" if one["decided_at"] else "",
        "trace": one["trace"] or "",
        **{f"header {name}": value for name, value in one["headers"].items()},
    }
    for name, value in lines.items():
        if value:
            table.add_row(name, escape(value))
    console().print(table)
    if one["sealed"] and one["decided_at"]:
        print("What was sealed was deleted with the decision, and fingerprints stand for what the sender chose.")
    elif one["sealed"]:
        print("The payload is sealed: it may hold personal data. A redrive opens it inside the service, for itself.")
    elif isinstance(one["payload"], str):
        print(f"payload (no JSON)\n{one['payload']!r}")
    else:
        print(f"payload\n{json.dumps(one['payload'], indent=2, ensure_ascii=False)}")


def outcome(one: Mapping[str, Any], done: str) -> None:
    """What a service did of what it was asked, line by line."""
    would = "would be " if one["dry_run"] else ""
    for taken in one["taken"]:
        print(f"{would}{done}  {taken}  {one['service']}")
    for refused in one["refused"]:
        print(f"refused  {refused['id']}  {one['service']}: {refused['reason']}")
    if one["left"]:
        raising = ", or raise --limit" if len(one["taken"]) + len(one["refused"]) < MOST else ""
        print(f"{one['service']}: {one['left']} more match; do the same again{raising}")


def work(found: Sequence[Mapping[str, Any]]) -> None:
    """A line for each row of due work."""
    if not found:
        print("No work matches.")
        return
    table = Table("id", "service", "kind", "key", "state", "tries", "due", "last error", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for one in found:
        state = f"{one['state']}, in hand" if one["held"] else one["state"]
        row = (one["id"], one["service"], one["kind"], one["key"], state, str(one["attempts"]))
        table.add_row(*map(escape, row), shown(one["due_at"]), escape(one["last_error"] or ""))
    console().print(table)


def refused_refunds(found: Mapping[str, Any]) -> None:
    """A line for each refund that the bank refused, the longest waiting first."""
    if not found["items"]:
        print("No refund that the bank refused waits for a person.")
        return
    table = Table("order", "shop", "left", "refused", "pay by", "the bank's answer", "case", box=None, pad_edge=False)
    table.columns[6].no_wrap = True
    for one in found["items"]:
        order = one["order_number"] or one["order_id"]
        pay_by = shown(one["pay_by"]) if one["pay_by"] else ""
        row = (order, one["storefront"] or "", _money(one), shown(one["failed_at"]), pay_by)
        table.add_row(*map(escape, row), escape(one["reason"] or "not known"), one["case_id"] or "")
    console().print(table)
    if hidden := found["total"] - len(found["items"]):
        print(f"{hidden} more wait, for less time than these.")


def _money(one: Mapping[str, Any]) -> str:
    if one["left_minor"] is None:
        return "not known"
    major, minor = divmod(one["left_minor"], 100)
    return f"{major}.{minor:02d} {one['currency'] or '(currency not known)'}"


def log(found: Sequence[Mapping[str, Any]]) -> None:
    """A line for each decision."""
    if not found:
        print("Nothing has been decided here.")
        return
    table = Table("at", "who", "what", "service", "subject", "reason", box=None, pad_edge=False)
    table.columns[4].no_wrap = True
    for one in found:
        row = (shown(one["at"]), one["who"], one["action"], one["service"], one["subject"], one["reason"])
        table.add_row(*map(escape, row))
    console().print(table)


def status(found: Sequence[Mapping[str, Any]]) -> None:
    """A line for each service."""
    table = Table("service", "ready", "dead letters", "parked", "unknown", "due", "outbox", box=None, pad_edge=False)
    for one in found:
        if "error" in one:
            table.add_row(one["service"], escape(one["error"]), "", "", "", "", "")
            continue
        rows: dict[str, int] = {}
        for work_count in one["work"]:
            rows[work_count["state"]] = rows.get(work_count["state"], 0) + work_count["rows"]
        problems = "; ".join(f"{part}: {problem}" for part, problem in one["consumer"]["problems"].items())
        counts = [str(rows.get(state, 0)) for state in ("parked", "unknown", "due")]
        waiting = f"{one['dead_letters']['waiting']} waiting"
        table.add_row(one["service"], escape(problems or "yes"), waiting, *counts, str(one["outbox"]["rows"]))
    console().print(table)
