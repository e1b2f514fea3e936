"""Opening a case, or joining the one that is open: one way for shops, agents, the Telegram bot and the system."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from refunds.cases.changes import CaseChanges
from refunds.cases.deciding import consider
from refunds.cases.models.case import Case
from refunds.cases.models.errors import AlreadyRefundedError
from refunds.cases.models.file import CaseFile
from refunds.cases.models.request import Request
from refunds.cases.rules.events import requested
from refunds.cases.rules.facts import facts_of
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.tables import notes
from shared.database import Tx
from shared.ids import uuid_for

_CONTACT = "SELECT email_hash, phone_hash FROM contacts WHERE buyer_id = :buyer"


async def recognised(tx: Tx, buyer_id: UUID, request: Request, fingerprints: Fingerprints) -> frozenset[str]:
    """What was provided, without an e-mail or phone that is not the order's. Where none is known, it is believed."""
    if request.email is None and request.phone is None:
        return request.provided
    known = (await tx.execute(_CONTACT, buyer=buyer_id)).one_or_none()
    wrong = set()
    if known is not None:
        for field, is_told, on_record, told in (
            ("email", fingerprints.is_email, known.email_hash, request.email),
            ("phone", fingerprints.is_phone, known.phone_hash, request.phone),
        ):
            if told is not None and on_record is not None and not is_told(on_record, told):
                wrong.add(field)
    return request.provided - wrong


def open_or_join(
    changes: CaseChanges, file: CaseFile, request: Request, provided: frozenset[str], trace: str | None
) -> tuple[Case, bool]:
    """The case of this request, and whether it is new. Raises AlreadyRefundedError.

    A request that was denied is not opened again by asking again, only where the facts now give another answer.
    """
    known = [case for case in file.cases if case.ground == request.key]
    last = known[-1] if known else None
    if last is not None and last.closed_at is None:
        _join(changes, file, last, provided)
        return last, False
    if last is not None and last.closed_as != "denied":
        return last, False
    if request.charge_id is None and file.left_minor <= 0:
        paying = next((case for case in file.cases if case.refund_id is not None and case.charge_id is None), None)
        raise AlreadyRefundedError(None if paying is None else paying.case_id)
    case = _new(changes, file, request, provided | set(last.provided or () if last else ()), len(known) + 1, trace)
    if last is not None and _same_answer(changes, file, last, case):
        changes.audit.add("asked_again", last)
        return last, False
    begin(changes, file, case)
    return case, True


def begin(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    """Tell that the case is open, which also asks for a look at the profile, and decide what can be decided."""
    file.cases.append(case)
    case.observation_asked_at = changes.tx.now
    changes.tx.publish(requested(file, case), trace=changes.traces.get(case.order_id) or case.trace)
    changes.audit.add("opened", case, ground=case.ground, channel=case.channel, provided=case.provided or [])
    consider(changes, file, case, fresh=True)


def _new(
    changes: CaseChanges,
    file: CaseFile,
    request: Request,
    provided: frozenset[str] | set[str],
    turn: int,
    trace: str | None,
) -> Case:
    order_id = file.order.row.order_id
    case_id, _ = case_ids(order_id, request.key, turn)
    now = changes.tx.now
    return Case(
        case_id=case_id,
        order_id=order_id,
        ground=request.key,
        origin=request.origin,
        requested_at=now,
        round=turn,
        reason=request.reason,
        channel=request.channel,
        received_at=request.received_at or now,
        provided=sorted(provided),
        charge_id=request.charge_id,
        trace=trace,
    )


def _join(changes: CaseChanges, file: CaseFile, case: Case, provided: frozenset[str]) -> None:
    added = provided - set(case.provided or ())
    case_provided = sorted(provided | set(case.provided or ()))
    changes.audit.add("joined", case, added=sorted(added))
    if added:
        case.provided = case_provided
        case.completed_at = None
        consider(changes, file, case, fresh=True)


def _same_answer(changes: CaseChanges, file: CaseFile, last: Case, case: Case) -> bool:
    facts = facts_of(file.order, case, changes.tx.now)
    answer = changes.policies.answer(facts, file.order.charge(case))
    if answer is None:
        return True
    clauses = {(ground.document, ground.clause) for ground in answer.grounds}
    told = {(ground["document"], ground["clause"]) for ground in last.grounds or ()}
    return answer.verdict == "deny" and clauses <= told


def case_ids(order_id: UUID, ground: str, turn: int = 1) -> tuple[UUID, UUID]:
    """Case and refund id of an order and a ground: always the same, so that no replay can intend a second refund."""
    rounds = () if turn == 1 else (str(turn),)
    case_id = uuid_for("case", str(order_id), ground, *rounds)
    return case_id, uuid_for("refund", str(order_id), ground, *rounds)


def note_id(case_id: UUID, kind: str, text: str) -> UUID:
    """The same words about a case are one note."""
    return uuid_for("note", str(case_id), kind, text)


async def keep_words(
    tx: Tx, file: CaseFile, case: Case, words: tuple[tuple[str, str], ...], who: str, keep: timedelta
) -> None:
    """Keep what was written about a case, for a while. The same words are kept once."""
    rows: list[Mapping[str, Any]] = [
        {
            "note_id": note_id(case.case_id, kind, text),
            "case_id": case.case_id,
            "order_id": case.order_id,
            "buyer_id": file.order.row.buyer_id,
            "at": tx.now,
            "who": who,
            "kind": kind,
            "text": text,
            "keep_until": tx.now + keep,
        }
        for kind, text in words
    ]
    await tx.insert(notes, rows)
