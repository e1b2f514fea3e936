"""summary.json: what a program wants to know of the tour."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local_stack.product import Component
from tour.expectations import Outcome

FILE = "summary.json"


def summary(outcomes: Sequence[Outcome], urls: Mapping[str, str]) -> dict[str, Any]:
    """The acts and the addresses (which answer while the stack runs).

    `ok` is null for an act that was not shown here, and `not_shown` is why (null for an act that was).
    """
    acts = [
        {
            "name": outcome.name,
            "ok": outcome.ok if outcome.not_shown is None or not outcome.ok else None,
            "not_shown": outcome.not_shown,
            "orders": outcome.orders,
            "delivered": outcome.delivered,
            "refunded": outcome.refunded,
            "seconds": round(outcome.seconds, 2),
        }
        for outcome in outcomes
    ]
    return {"acts": acts, "urls": dict(urls)}


def addresses(components: Sequence[Component], base: Mapping[str, str]) -> dict[str, str]:
    """What a person may open: each service, the mail page, the sandbox's control interface."""
    urls = {}
    for component in components:
        if component.has_database:
            urls[component.name] = base[component.name] + component.pages[0][1]
        else:
            urls |= {title: base[component.name] + path for title, path in component.pages}
    return urls


def write(directory: Path, value: Mapping[str, Any]) -> Path:
    """Store it, whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    draft, final = directory / f".{FILE}", directory / FILE
    draft.write_text(json.dumps(value, indent=2) + "\n")
    return draft.replace(final)
