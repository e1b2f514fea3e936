"""The four ES2+ functions as pure decisions over the ledger (SGP.22 v2.5 §5.3; codes: docs/wire/es2plus.md)."""

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import now
from sandbox.smdp.ledger import OperatorLedger, Profile

ICCID = re.compile(r"[0-9]{18,20}|[0-9]{19}[Ff]")
MATCHING_ID = re.compile(r"[-0-9A-Z]*")
EID = re.compile(r"[0-9]{32}")
EID_MODULUS = 97
NINETEEN = 19
MATCHING_ID_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class FailedError(Exception):
    """The function ends with status "Failed"."""

    def __init__(self, subject: str, reason: str, message: str, subject_identifier: str | None = None) -> None:
        super().__init__(message)
        self.subject = subject
        self.reason = reason
        self.message = message
        self.subject_identifier = subject_identifier


@dataclass(slots=True)
class Catalogue:
    """What the operator sells; control may change it. An empty `types` sells any; no `stock` is no limit.

    `allowances`: bytes and days of a profile type; all others have `allowance`.
    """

    types: frozenset[str] = frozenset()
    stock: dict[str, int] = field(default_factory=dict)
    allowance: tuple[int, int] = (0, 0)
    allowances: dict[str, tuple[int, int]] = field(default_factory=dict)

    def knows(self, profile_type: str) -> bool:
        """Whether the operator has such a profile type."""
        return not self.types or profile_type in self.types


@dataclass(frozen=True, slots=True)
class Es2Plus:
    """The SM-DP+'s side of ES2+."""

    ledger: OperatorLedger
    catalogue: Catalogue
    smdp_address: str
    operator: str = "primary"

    def download_order(self, request: dict[str, Any]) -> tuple[Profile, dict[str, Any]]:
        """Reserve a profile (§5.3.1). By profileType alone it is a NEW one on each call, repeated or not."""
        eid = _eid(request)
        profile_type = _text(request, "profileType", "8.2.5")
        iccid = _text(request, "iccid", "8.2.1")
        if iccid is not None:
            profile = self._named(_iccid(iccid), profile_type, eid)
        elif profile_type is not None:
            self._take_stock(profile_type)
            profile = self._reserve(self.ledger.new_iccid(), profile_type, eid)
            iccid = on_wire(profile.iccid)
        else:
            raise FailedError("8.2.5", "2.3", "iccid or profileType must be given")
        return profile, {"iccid": iccid}

    def _named(self, iccid: str, profile_type: str | None, eid: str | None) -> Profile:
        known = self.ledger.get(iccid)
        if known is None:
            if profile_type is None:
                raise FailedError("8.2.1", "3.9", "the ICCID is unknown", iccid)
            self._take_stock(profile_type)
            return self._reserve(iccid, profile_type, eid)
        if profile_type is not None and profile_type != known.profile_type:
            raise FailedError("8.2.5", "3.8", "the profile is of another profileType", profile_type)
        if eid is not None and known.eid is not None and eid != known.eid:
            raise FailedError("8.2.1", "3.10", "the profile is linked to another EID", iccid)
        if known.state != "available":
            raise FailedError("8.2.1", "3.3", "the profile is not available", iccid)
        self._take_stock(known.profile_type)
        known.state, known.eid = "reserved", eid
        return known

    def _reserve(self, iccid: str, profile_type: str, eid: str | None) -> Profile:
        total, days = self.catalogue.allowances.get(profile_type, self.catalogue.allowance)
        return Profile(
            operator=self.operator,
            iccid=iccid,
            profile_type=profile_type,
            state="reserved",
            eid=eid,
            reserved_at=now(),
            total_bytes=total,
            validity_days=days,
        )

    def _take_stock(self, profile_type: str) -> None:
        if not self.catalogue.knows(profile_type):
            raise FailedError("8.2.5", "3.9", "the profileType is unknown", profile_type)
        left = self.catalogue.stock.get(profile_type)
        if left is None:
            return
        if left <= 0:
            raise FailedError("8.2.5", "3.7", "no more profiles of this profileType", profile_type)
        self.catalogue.stock[profile_type] = left - 1

    def confirm_order(self, request: dict[str, Any]) -> tuple[Profile, dict[str, Any]]:
        """Confirm a reserved profile and bind its matching id (§5.3.2)."""
        profile = self._known(request)
        release = request.get("releaseFlag")
        if not isinstance(release, bool):
            raise FailedError("1.6", "2.2" if release is None else "2.1", "releaseFlag must be a boolean")
        eid = _eid(request)
        if eid is not None and profile.eid is not None and eid != profile.eid:
            raise FailedError("8.1.1", "3.10", "the profile is linked to another EID", eid)
        matching_id = _text(request, "matchingId", "8.2.6")
        if matching_id is not None and not MATCHING_ID.fullmatch(matching_id):
            raise FailedError("8.2.6", "2.1", "matchingId may hold only -, digits and capitals", matching_id)
        self._check_matching_id(profile, matching_id)
        if profile.state != "reserved":
            raise FailedError("8.2.1", "3.3", "the profile is not available", profile.iccid)
        profile.matching_id = matching_id or _new_matching_id()
        profile.eid = eid or profile.eid
        profile.state = "released" if release else "confirmed"
        answer = {"matchingId": profile.matching_id, "smdpAddress": self.smdp_address}
        return profile, answer | ({"eid": profile.eid} if profile.eid else {})

    def _check_matching_id(self, profile: Profile, matching_id: str | None) -> None:
        owner = self.ledger.owner_of(matching_id) if matching_id else None
        if owner is None:
            return
        if owner == profile.iccid:
            raise FailedError("8.2.6", "3.3", "the matchingId is in use", matching_id)
        raise FailedError("8.2.6", "3.10", "the matchingId is bound to another profile", matching_id)

    def cancel_order(self, request: dict[str, Any]) -> tuple[Profile, dict[str, Any]]:
        """Take back a profile nobody has downloaded (§5.3.3)."""
        profile = self._known(request)
        indicator = request.get("finalProfileStatusIndicator")
        if indicator not in ("Available", "Unavailable"):
            reason = "2.2" if indicator is None else "2.1"
            raise FailedError("1.6", reason, "finalProfileStatusIndicator must be Available or Unavailable")
        eid = _eid(request)
        if eid is not None and eid != profile.eid:
            raise FailedError("8.1.1", "3.10", "the profile is linked to another EID", eid)
        matching_id = _text(request, "matchingId", "8.2.6")
        if matching_id is not None and matching_id != profile.matching_id:
            raise FailedError("8.2.6", "3.10", "the matchingId is not this profile's", matching_id)
        if profile.downloaded or profile.state in {"available", "cancelled"}:
            raise FailedError("8.2.1", "3.3", "the profile is already downloaded or cancelled", profile.iccid)
        self.ledger.release_matching_id(profile)
        profile.eid = None
        profile.state = "available" if indicator == "Available" else "cancelled"
        if indicator == "Available" and profile.profile_type in self.catalogue.stock:
            self.catalogue.stock[profile.profile_type] += 1
        return profile, {}

    def release_profile(self, request: dict[str, Any]) -> tuple[Profile, dict[str, Any]]:
        """Let a confirmed profile be downloaded (§5.3.4)."""
        profile = self._known(request)
        if profile.state != "confirmed":
            raise FailedError("8.2.1", "3.3", "the profile is not waiting for its release", profile.iccid)
        profile.state = "released"
        return profile, {}

    def _known(self, request: dict[str, Any]) -> Profile:
        iccid = _text(request, "iccid", "8.2.1")
        if iccid is None:
            raise FailedError("8.2.1", "2.2", "iccid is missing")
        profile = self.ledger.get(_iccid(iccid))
        if profile is None:
            raise FailedError("8.2.1", "3.9", "the ICCID is unknown", iccid)
        return profile


def on_wire(iccid: str) -> str:
    """An ICCID of 19 digits is filled up with F (docs/wire/es2plus.md)."""
    return f"{iccid}F" if len(iccid) == NINETEEN else iccid


def _iccid(text: str) -> str:
    if not ICCID.fullmatch(text):
        raise FailedError("8.2.1", "2.1", "the ICCID must be 18 to 20 digits", text[:32])
    return text.rstrip("Ff")


def _eid(request: dict[str, Any]) -> str | None:
    eid = _text(request, "eid", "8.1.1")
    if eid is not None and (not EID.fullmatch(eid) or int(eid) % EID_MODULUS != 1):
        raise FailedError("8.1.1", "2.1", "the EID is not valid", eid[:32])
    return eid


def _text(request: dict[str, Any], name: str, subject: str) -> str | None:
    value = request.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise FailedError(subject, "2.1", f"{name} must be text")
    return value


def _new_matching_id() -> str:
    groups = ("".join(secrets.choice(MATCHING_ID_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)
