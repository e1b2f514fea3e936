"""What was tried, and what should not have happened."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_MOST_PER_KIND = 20
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not happen, with the input that repeats it."""

    attack: str
    kind: str
    input: str
    observed: str


@dataclass
class Findings:
    """Of one run. Of each kind the first few are kept whole, and all are counted."""

    tried: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def answered(self, attack: str, outcome: object) -> None:
        """An attempt has ended like this."""
        self.tried[attack] += 1
        self.answers[attack, str(outcome)] += 1

    def found(self, attack: str, kind: str, given: object, observed: object) -> None:
        """Something that must not happen has happened."""
        self.kinds[attack, kind] += 1
        if self.kinds[attack, kind] <= _MOST_PER_KIND:
            self.kept.append(Finding(attack, kind, _shown(given), _shown(observed)))

    def write(self, path: Path, **facts: Any) -> None:
        """Store everything as JSON."""
        body = {
            **facts,
            "tried": dict(self.tried),
            "answers": [[*key, count] for key, count in sorted(self.answers.items())],
            "kinds": [[*key, count] for key, count in sorted(self.kinds.items())],
            "findings": [asdict(finding) for finding in self.kept],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def _shown(value: object) -> str:
    shown = value if isinstance(value, str) and value.isprintable() else repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(shown)} characters)"
