"""The operator's books: every profile, what state it is in, who called for it, and what the phone did."""

import itertools
import random
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from sandbox.ledger import CamelModel, Journal, Ledger

State = Literal["reserved", "confirmed", "released", "available", "cancelled"]
InstallState = Literal["unknown", "not-installed", "downloaded", "installed", "enabled", "disabled", "deleted"]
ON_A_DEVICE = frozenset({"installed", "enabled", "disabled"})
OWN_RANGE = "8999701"


class FunctionCall(CamelModel):
    """One ES2+ function called for this profile, and how it ended."""

    at: str
    function: str
    call_id: str = Field(alias="functionCallIdentifier")
    status: str
    subject_code: str | None = None
    reason_code: str | None = None


class TopUp(CamelModel):
    """Data and days that were added once, under the shop's key; what was answered then is answered again."""

    key: str
    data_bytes: int
    validity_days: int
    at: str
    total_bytes: int
    valid_until: str | None


class Profile(CamelModel):
    """One profile of the operator's. `eid` is the device it is bound to; validity runs from the first use."""

    operator: str = "primary"
    iccid: str
    profile_type: str
    state: State
    matching_id: str | None = None
    eid: str | None = None
    install_state: InstallState = "not-installed"
    install_state_at: str | None = None
    used_bytes: int | None = 0
    used_bytes_at: str | None = None
    first_use_at: str | None = None
    total_bytes: int = 0
    validity_days: int = 0
    valid_until: str | None = None
    top_ups: list[TopUp] = Field(default_factory=list)
    reserved_at: str
    calls: list[FunctionCall] = Field(default_factory=list)

    @property
    def downloaded(self) -> bool:
        """Whether a phone has taken it, so that it can be given to nobody else."""
        return self.install_state not in {"not-installed", "unknown"}


class OperatorLedger:
    """Profiles by ICCID, and which profile a matching id belongs to."""

    def __init__(self, journal: Journal, own_range: str = OWN_RANGE, changes: Iterator[int] | None = None) -> None:
        self._own_range = own_range
        self.book: Ledger[Profile] = Ledger(Profile, journal, changes)
        self._by_matching_id: dict[str, str] = {}
        self._numbers = itertools.count(random.SystemRandom().randrange(10**10))

    def load(self) -> None:
        """Read what earlier runs wrote."""
        self.book.load("iccid")
        for profile in self.book:
            if profile.matching_id:
                self._by_matching_id[profile.matching_id] = profile.iccid

    def get(self, iccid: str) -> Profile | None:
        """The profile of an ICCID; the filler F of a 19-digit one is no part of it."""
        return self.book.get(iccid.rstrip("Ff"))

    def record(self, profile: Profile) -> None:
        """Write a profile as it is now."""
        self.book.put(profile.iccid, profile)
        if profile.matching_id:
            self._by_matching_id[profile.matching_id] = profile.iccid

    def owner_of(self, matching_id: str) -> str | None:
        """The ICCID a matching id is bound to."""
        return self._by_matching_id.get(matching_id)

    def release_matching_id(self, profile: Profile) -> None:
        """Take the matching id away from a cancelled profile."""
        if profile.matching_id:
            self._by_matching_id.pop(profile.matching_id, None)
        profile.matching_id = None

    def new_iccid(self) -> str:
        """An ICCID of the operator's own range, with its check digit (ITU-T E.118)."""
        while True:
            body = f"{self._own_range}{next(self._numbers) % 10**11:011d}"
            iccid = body + luhn(body)
            if self.book.get(iccid) is None:
                return iccid

    def clear(self) -> None:
        """Close the books and open new ones."""
        self.book.clear()
        self._by_matching_id.clear()


def luhn(digits: str) -> str:
    """The check digit of ITU-T E.118 that completes these digits."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the digit sum of a doubled digit
    return str(-total % 10)
