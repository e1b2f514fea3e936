"""What changes something: redrive, discard, retry. First what would be done, then, if nobody objects, the same."""

import argparse
import sys
from typing import Any

from fulfil import places, showing
from fulfil.client import Desks
from fulfil.reading import known_id

Item = dict[str, Any]
_DONE = {"redrive": "redriven", "discard": "discarded", "retry": "retried"}
#: What one request may take.
_MOST = 1000
_FILTERS = ("topic", "key", "since", "until")


def redrive(asked: argparse.Namespace) -> int:
    """`fulfil dead-letters redrive`."""
    return _letters(asked, "redrive")


def discard(asked: argparse.Namespace) -> int:
    """`fulfil dead-letters discard`."""
    return _letters(asked, "discard")


def retry(asked: argparse.Namespace) -> int:
    """`fulfil work retry`: an id does not say whose it is, so every service is asked for all of them."""
    ids = [known_id(one) for one in dict.fromkeys(asked.ids)]
    body = {"ids": ids, "reason": asked.reason}
    with Desks(places.find(), asked.service) as desks:
        if _asks_back(asked):
            rehearsed = [desks.post(name, "work/retry", {**body, "dry_run": True}) for name in desks.names]
            if not _agreed("retry", sum(len(one["taken"]) for one in rehearsed)):
                return 1
        answers = [desks.post(name, "work/retry", {**body, "dry_run": asked.dry_run}) for name in desks.names]
    strangers = [{one["id"] for one in answer["refused"] if not one["found"]} for answer in answers]
    missing = [one for one in ids if all(one in unknown for unknown in strangers)]
    outcomes = [one | {"refused": [r for r in one["refused"] if r["found"]]} for one in answers if one["matched"]]
    return _told(asked, outcomes, missing, "retry")


def _letters(asked: argparse.Namespace, word: str) -> int:
    with Desks(places.find(), asked.service) as desks:
        bodies, missing = _chosen(asked, desks)
        if _asks_back(asked):
            rehearsed = _each(desks, word, bodies, asked.limit, dry_run=True)
            if not _agreed(word, min(asked.limit, sum(one["matched"] for one in rehearsed))):
                return 1
        outcomes = _each(desks, word, bodies, asked.limit, dry_run=asked.dry_run)
    return _told(asked, outcomes, missing, word)


def _chosen(asked: argparse.Namespace, desks: Desks) -> tuple[dict[str, Item], list[str]]:
    """What to ask of which service; and ids that nobody knows. Raises SettingsError, DeskError."""
    filters = {name: getattr(asked, name) for name in _FILTERS if getattr(asked, name)}
    if asked.fault:
        filters["reason"] = asked.fault
    ways = sum(map(bool, (asked.ids, filters, asked.all)))
    if ways != 1:
        raise places.SettingsError("say which letters: either ids, or filters, or --all")
    if not asked.ids:
        return {name: {"reason": asked.reason, "filter": filters} for name in desks.names}, []
    theirs: dict[str, list[str]] = {}
    missing = []
    for one in dict.fromkeys(known_id(text) for text in asked.ids):
        found = desks.holder(one)
        if found is None:
            missing.append(one)
        else:
            theirs.setdefault(found[0], []).append(one)
    return {name: {"reason": asked.reason, "ids": ids} for name, ids in theirs.items()}, missing


def _each(desks: Desks, word: str, bodies: dict[str, Item], most: int, *, dry_run: bool) -> list[Item]:
    """Ask one service after the other, until `most` letters have been looked at."""
    outcomes = []
    for name, body in bodies.items():
        if most < 1:
            print("The limit is reached; the services after that were not asked.", file=sys.stderr)
            break
        asked = {**body, "limit": min(most, _MOST), "dry_run": dry_run}
        one = desks.post(name, f"dead-letters/{word}", asked)
        most -= len(one["taken"]) + len(one["refused"])
        outcomes.append(one)
    return outcomes


def _asks_back(asked: argparse.Namespace) -> bool:
    """Where nobody sits at a terminal the command is meant as it stands."""
    return not (asked.yes or asked.dry_run) and sys.stdin.isatty() and sys.stdout.isatty()


def _agreed(word: str, count: int) -> bool:
    """Whether the person at the terminal means it."""
    if not count or input(f"{word.capitalize()} {count}? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print("Nothing was changed.")
    return False


def _told(asked: argparse.Namespace, outcomes: list[Item], missing: list[str], word: str) -> int:
    if asked.json:
        showing.as_json({"outcomes": outcomes, "missing": missing})
    else:
        for one in outcomes:
            showing.outcome(one, _DONE[word])
        for identity in missing:
            print(f"not found  {identity}")
        taken, refused = (sum(len(one[part]) for one in outcomes) for part in ("taken", "refused"))
        would = "would be " if asked.dry_run else ""
        print(f"{taken} {would}{_DONE[word]}, {refused + len(missing)} not.")
    return int(bool(missing) or any(one["refused"] for one in outcomes))
