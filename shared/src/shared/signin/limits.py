"""Limits attempts to sign in: each is counted before the password is checked, in one transaction.

Subjects of an attempt: the name from this address, the address, and the name from any address. A browser in which that
person has signed in before holds a device cookie (OWASP, "slow down online guessing attacks with device cookies") and
is counted by itself, so failed attempts of others never lock the owner out of a remembered browser.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.database import Tx
from shared.ids import uuid7
from shared.signin.secrets import digest
from shared.signin.tables import TABLES

_WINDOW = timedelta(minutes=15)
#: Attempts within the window, per subject.
_PER_DEVICE, _PER_NAME_AND_ADDRESS, _PER_ADDRESS, _PER_NAME = 5, 5, 30, 100
#: Sign-ins begun at the OpenID provider within the window: the provider itself limits attempts, this limits our rows.
ELSEWHERE_PER_ADDRESS = 100

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(encode(CAST(:subject AS bytea), 'hex'), 0))"
_COUNT = "SELECT count(*) FROM sign_in_attempts WHERE subject = :subject AND at > :since"
_FORGET = "DELETE FROM sign_in_attempts WHERE attempt_id = ANY(CAST(:attempts AS uuid[]))"
_KNOWN = "SELECT 1 FROM sign_in_devices WHERE token_hash = :token AND name = :name AND expires_at > :now"


@dataclass(slots=True, frozen=True)
class Attempt:
    """A counted attempt; it counts as failed until `forget` is called."""

    ids: tuple[UUID, ...]


async def reserve(tx: Tx, address: str, name: str | None = None, device: str = "") -> Attempt | None:
    """Count an attempt; None where one of its subjects has used its attempts of the last 15 minutes.

    Concurrent attempts on a subject wait for each other until the transaction ends. `device`: the device cookie.
    """
    subjects = await _subjects(tx, address, name, device)
    for subject in sorted(subjects):
        await tx.execute(_LOCK, subject=subject)
    since = tx.now - _WINDOW
    for subject, most in subjects.items():
        if (await tx.execute(_COUNT, subject=subject, since=since)).scalar() >= most:
            return None
    attempts = {uuid7(): subject for subject in subjects}
    rows = [{"attempt_id": attempt, "subject": subject, "at": tx.now} for attempt, subject in attempts.items()]
    await tx.insert(TABLES["sign_in_attempts"], rows)
    return Attempt(tuple(attempts))


async def begin_elsewhere(tx: Tx, address: str) -> bool:
    """Count a sign-in that begins at the OpenID provider; False where this address has begun too many."""
    subject = digest(f"openid:{address}")
    await tx.execute(_LOCK, subject=subject)
    if (await tx.execute(_COUNT, subject=subject, since=tx.now - _WINDOW)).scalar() >= ELSEWHERE_PER_ADDRESS:
        return False
    await tx.insert(TABLES["sign_in_attempts"], [{"attempt_id": uuid7(), "subject": subject, "at": tx.now}])
    return True


async def forget(tx: Tx, attempt: Attempt) -> None:
    """Do not count the attempt: it succeeded, or failed through a fault of ours."""
    await tx.execute(_FORGET, attempts=list(attempt.ids))


async def _subjects(tx: Tx, address: str, name: str | None, device: str) -> dict[bytes, int]:
    if name is not None and device:
        token = digest(device)
        if (await tx.execute(_KNOWN, token=token, name=name, now=tx.now)).first() is not None:
            return {digest(f"device:{token.hex()}"): _PER_DEVICE}
    by_address = {digest(f"address:{address}"): _PER_ADDRESS}
    if name is None:
        return by_address
    return {
        digest(f"name:{name}\naddress:{address}"): _PER_NAME_AND_ADDRESS,
        **by_address,
        digest(f"name:{name}"): _PER_NAME,
    }
