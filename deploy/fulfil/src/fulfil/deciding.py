"""What changes something: redrive, discard, retry. First what would be done, then, if nobody objects, the same."""

import argparse
import sys
from typing import Any

from fulfil import places, showing
from fulfil.client import MOST, DeskError, Desks
from fulfil.reading import known_id, tell_silent

Item = dict[str, Any]
#: Services that did not answer, with what kept them.
Silent = dict[str, DeskError]
_DONE = {"redrive": "redriven", "discard": "discarded", "retry": "retried"}
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
    silent: Silent = {}
    with Desks(places.find(), asked.service) as desks:
        if _asks_back(asked):
            rehearsed = _retried(desks, {**body, "dry_run": True}, silent)
            if not _agreed("retry", rehearsed):
                tell_silent(silent)
                return 1
        answers = _retried(desks, {**body, "dry_run": asked.dry_run}, silent)
    strangers = [{one["id"] for one in answer["refused"] if not one["found"]} for answer in answers]
    # Whoever does not answer may have it.
    missing = [one for one in ids if all(one in unknown for unknown in strangers)] if not silent else []
    outcomes = [one | {"refused": [r for r in one["refused"] if r["found"]]} for one in answers if one["matched"]]
    return _told(asked, outcomes, missing, silent, "retry")


def _letters(asked: argparse.Namespace, word: str) -> int:
    silent: Silent = {}
    with Desks(places.find(), asked.service) as desks:
        bodies, missing = _chosen(asked, desks, silent)
        if _asks_back(asked):
            rehearsed = _each(desks, word, bodies, asked.limit, silent, dry_run=True)
            if not _agreed(word, rehearsed):
                tell_silent(silent)
                return 1
        outcomes = _each(desks, word, bodies, asked.limit, silent, dry_run=asked.dry_run)
    return _told(asked, outcomes, missing, silent, word)


def _chosen(asked: argparse.Namespace, desks: Desks, silent: Silent) -> tuple[dict[str, Item], list[str]]:
    """What to ask of which service; and ids that nobody knows. Raises SettingsError.

    Whoever does not answer counts as silent only where an id was found nowhere else.
    """
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
    away: Silent = {}
    for one in dict.fromkeys(known_id(text) for text in asked.ids):
        found = desks.holder(one, away)
        if found is not None:
            theirs.setdefault(found[0], []).append(one)
        elif away:
            silent.update(away)
        else:
            missing.append(one)
    return {name: {"reason": asked.reason, "ids": ids} for name, ids in theirs.items()}, missing


def _retried(desks: Desks, body: Item, silent: Silent) -> list[Item]:
    answers = (_asked(desks, name, "work/retry", body, silent) for name in desks.names)
    return [one for one in answers if one is not None]


def _each(desks: Desks, word: str, bodies: dict[str, Item], most: int, silent: Silent, *, dry_run: bool) -> list[Item]:
    """Ask one service after the other, until `most` letters have been looked at."""
    outcomes = []
    for name, body in bodies.items():
        if most < 1:
            print("The limit is reached; the services after that were not asked.", file=sys.stderr)
            break
        asked = {**body, "limit": min(most, MOST), "dry_run": dry_run}
        one = _asked(desks, name, f"dead-letters/{word}", asked, silent)
        if one is not None:
            most -= len(one["taken"]) + len(one["refused"])
            outcomes.append(one)
    return outcomes


def _asked(desks: Desks, name: str, path: str, body: Item, silent: Silent) -> Item | None:
    """What a service answers; one that does not is added to `silent`, and the others go on.

    Whoever stands there already is not asked: what was not rehearsed is not done.
    """
    if name in silent:
        return None
    try:
        return desks.post(name, path, body)
    except DeskError as error:
        silent[name] = error
        return None


def _asks_back(asked: argparse.Namespace) -> bool:
    """Where nobody sits at a terminal the command is meant as it stands."""
    return not (asked.yes or asked.dry_run) and sys.stdin.isatty() and sys.stdout.isatty()


def _agreed(word: str, rehearsed: list[Item]) -> bool:
    """Whether the person at the terminal means it."""
    count = sum(len(one["taken"]) for one in rehearsed)
    if not count or input(f"{word.capitalize()} {count}? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print("Nothing was changed.")
    return False


def _told(asked: argparse.Namespace, outcomes: list[Item], missing: list[str], silent: Silent, word: str) -> int:
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
    return int(tell_silent(silent) or bool(missing) or any(one["refused"] for one in outcomes))
