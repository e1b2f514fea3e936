"""What changes nothing: lists, one letter, how services stand, refused refunds, the log."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from fulfil import places, showing
from fulfil.client import DeskError, Desks

Item = dict[str, Any]


def letters(asked: argparse.Namespace) -> int:
    """`fulfil dead-letters list`."""
    filters = {name: getattr(asked, name) for name in ("topic", "key", "since", "until")}
    state = None if asked.state == "all" else asked.state
    return _listing(asked, "dead-letters", showing.letters, "received_at", state=state, reason=asked.fault, **filters)


def letter(asked: argparse.Namespace) -> int:
    """`fulfil dead-letters show`."""
    silent: dict[str, DeskError] = {}
    with Desks(places.find(), asked.service) as desks:
        found = desks.holder(known_id(asked.id), silent)
    if found is None:
        if not tell_silent(silent):
            print(f"fulfil: no service has a dead letter {asked.id} (any more)", file=sys.stderr)
        return 1
    (showing.as_json if asked.json else showing.letter)(found[1])
    return 0


def work(asked: argparse.Namespace) -> int:
    """`fulfil work list`."""
    stuck = "true" if not asked.every and asked.state is None else None
    filters = {"state": asked.state, "kind": asked.kind, "about": asked.about, "stuck": stuck}
    return _listing(asked, "work", showing.work, "due_at", **filters)


def log(asked: argparse.Namespace) -> int:
    """`fulfil log`."""
    return _listing(asked, "log", showing.log, "at")


def refused_refunds(asked: argparse.Namespace) -> int:
    """`fulfil refunds refused`: reads the list of the operations service, which stores every order's facts."""
    with Desks(places.find()) as desks:
        try:
            found = desks.refused_refunds()
        except DeskError as error:
            print(f"fulfil: {error}", file=sys.stderr)
            return 1
    (showing.as_json if asked.json else showing.refused_refunds)(found)
    return 0


def status(asked: argparse.Namespace) -> int:
    """`fulfil status`: 1 where a service is not ready."""
    found: list[Item] = []
    with Desks(places.find(), asked.service) as desks:
        for service in desks.names:
            try:
                found.append(desks.get(service, "summary"))
            except DeskError as error:
                found.append({"service": service, "error": str(error)})
    (showing.as_json if asked.json else showing.status)(found)
    return int(any("error" in one or one["consumer"]["problems"] for one in found))


def _listing(
    asked: argparse.Namespace, path: str, show: Callable[[list[Item]], None], order: str, **filters: Any
) -> int:
    """Items of all services; one that does not answer is told apart, and the others are shown."""
    found: list[Item] = []
    silent: dict[str, DeskError] = {}
    with Desks(places.find(), asked.service) as desks:
        for service in desks.names:
            try:
                found += desks.pages(service, path, asked.limit, **filters)
            except DeskError as error:
                silent[service] = error
    found.sort(key=lambda item: str(item[order]), reverse=path != "work")
    (showing.as_json if asked.json else show)(found)
    return int(tell_silent(silent))


def tell_silent(silent: Mapping[str, DeskError]) -> bool:
    """Name the services that did not answer; whether there are any."""
    for error in silent.values():
        print(f"fulfil: {error}", file=sys.stderr)
    return bool(silent)


def known_id(text: str) -> str:
    """An id as the services write it. Raises SettingsError."""
    try:
        return str(UUID(text))
    except ValueError:
        raise places.SettingsError(f"{text!r} is no id: copy one from the list") from None
