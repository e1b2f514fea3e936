"""Reports about profiles: install state and usage from one source, whatever message brought it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from provisioning.clients.fields import Unparsed, eid
from shared.contracts import InstallState

#: Install states by phase: a profile passes through the phases in this order and never returns to an earlier one.
PHASES: dict[InstallState, int] = {
    "unknown": 0,
    "released": 1,
    "downloaded": 2,
    "installed": 3,
    "disabled": 4,
    "enabled": 4,
    "deleted": 5,
}
DOWNLOADED, INSTALLED = PHASES["downloaded"], PHASES["installed"]


def is_eid(text: str) -> bool:
    """32 digits whose number leaves 1 when divided by 97 (SGP.02 section 2.2.2)."""
    return eid(text) is not None


@dataclass(frozen=True, slots=True)
class Report:
    """What one source reports about one profile. None and `unknown` report nothing; times are the source's own, UTC.

    `at`: when the source observed it. `install_since`: when that state began. `failed`: a step that was tried and did
    not succeed, which changes nothing.
    """

    source: str
    at: datetime
    install: InstallState = "unknown"
    install_since: datetime | None = None
    used_bytes: int | None = None
    total_bytes: int | None = None
    usage_at: datetime | None = None
    first_use_at: datetime | None = None
    ends_at: datetime | None = None
    eid: str | None = None
    failed: bool = False

    def within(self, earliest: datetime, latest: datetime) -> tuple[Self, Unparsed]:
        """The report without impossible values (times in the future or before the sale, a wrong EID), and their names.

        Each is unknown; the other values stay. A profile that no device has taken may be in that state for long.
        """
        taken = PHASES[self.install] >= DOWNLOADED
        unparsed = {
            name
            for name in ("install_since", "usage_at", "first_use_at")
            if (moment := getattr(self, name)) is not None
            and (moment > latest or (moment < earliest and (taken or name != "install_since")))
        }
        if self.eid is not None and not is_eid(self.eid):
            unparsed.add("eid")
        nothing: dict[str, Any] = dict.fromkeys(unparsed)
        return replace(self, **nothing), unparsed
