"""Top-ups, the operator's own small port beside ES2+: data and days are added once for each key of the shop's."""

from datetime import datetime, timedelta
from typing import Any

from sandbox.clock import now
from sandbox.exchange import Call, Reply, play
from sandbox.faults import FaultBook, Rule
from sandbox.smdp.ledger import OperatorLedger, Profile, TopUp

_MOST = 2**50
_MOST_DAYS = 10_000


class TopUps:
    """`PUT` and `GET …/usage/{iccid}/top-ups/{key}`."""

    def __init__(self, operator: str, ledger: OperatorLedger, faults: FaultBook) -> None:
        self._operator = operator
        self._ledger = ledger
        self._faults = faults

    async def put(self, call: Call) -> Reply:
        """Add `{"dataBytes", "validityDays"}` once: 200 `{"totalBytes", "validUntil"}`, 404, 409 ended."""
        iccid, key = call.args
        wanted = _wanted(call)
        if wanted is None:
            return _problem(422, "dataBytes and validityDays must be whole numbers, not below 0")
        return await play(
            self._faults,
            "operator.top_up",
            self._fields(iccid, key),
            lambda: self._apply(iccid, key, *wanted),
            _refused,
        )

    async def get(self, call: Call) -> Reply:
        """What was answered when it was added; 404 where it was not."""
        iccid, key = call.args

        def perform() -> Reply:
            profile = self._ledger.get(iccid)
            if profile is None:
                return _problem(404, "no such ICCID")
            done = _find(profile, key)
            return Reply.of(200, _answer(done)) if done else _problem(404, "no such top-up")

        return await play(self._faults, "operator.top_up_status", self._fields(iccid, key), perform, _refused)

    def _fields(self, iccid: str, key: str) -> dict[str, object]:
        return {"iccid": iccid, "key": key, "operator": self._operator}

    def _apply(self, iccid: str, key: str, data_bytes: int, days: int) -> Reply:
        profile = self._ledger.get(iccid)
        if profile is None:
            return _problem(404, "no such ICCID")
        done = _find(profile, key)
        if done is not None:
            if (done.data_bytes, done.validity_days) != (data_bytes, days):
                return _problem(422, "this key was used for another top-up")
            return Reply.of(200, _answer(done))
        if ended(profile):
            return _problem(409, "the profile has ended")
        profile.total_bytes += data_bytes
        profile.validity_days += days
        if profile.valid_until is not None:
            profile.valid_until = later(profile.valid_until, days)
        top_up = TopUp(
            key=key,
            data_bytes=data_bytes,
            validity_days=days,
            at=now(),
            total_bytes=profile.total_bytes,
            valid_until=profile.valid_until,
        )
        profile.top_ups.append(top_up)
        self._ledger.record(profile)
        return Reply.of(200, _answer(top_up))


def ended(profile: Profile) -> bool:
    """Whether nothing can be added any more: cancelled, deleted, or its days are over."""
    over = profile.valid_until is not None and profile.valid_until <= now()
    return over or profile.state in {"cancelled", "available"} or profile.install_state == "deleted"


def later(moment: str, days: int) -> str:
    """The same moment so many days later."""
    return (datetime.fromisoformat(moment) + timedelta(days=days)).isoformat(timespec="microseconds")


def _find(profile: Profile, key: str) -> TopUp | None:
    return next((one for one in profile.top_ups if one.key == key), None)


def _answer(top_up: TopUp) -> dict[str, object]:
    return {"totalBytes": top_up.total_bytes, "validUntil": top_up.valid_until}


def _wanted(call: Call) -> tuple[int, int] | None:
    body = call.json() or {}
    data, days = _whole(body.get("dataBytes"), _MOST), _whole(body.get("validityDays"), _MOST_DAYS)
    return None if data is None or days is None else (data, days)


def _whole(value: Any, most: int) -> int | None:
    return value if type(value) is int and 0 <= value <= most else None


def _problem(status: int, message: str) -> Reply:
    return Reply.of(status, {"code": status, "message": message})


def _refused(rule: Rule) -> Reply:
    return _problem(rule.status or 409, rule.message or "the profile has ended")
