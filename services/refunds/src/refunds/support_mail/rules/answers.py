"""What a mail brings to a case: the fields that it provides, and the words and files that are kept. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from refunds.cases.models.case import Case
from refunds.cases.models.request import Request
from refunds.support_mail.models import File, Mail, Wish

_LONGEST_WORDS = 4000


def each_once(files: Sequence[File]) -> list[File]:
    """The files; of several with the same content only the first keeps it."""
    seen: set[str] = set()
    kept = []
    for file in files:
        repeated = file.refusal is None and file.digest in seen
        seen.add(file.digest)
        kept.append(replace(file, refusal="repeated", content=b"") if repeated else file)
    return kept


def described(file: File) -> Mapping[str, Any]:
    """A file as a row of the table has it, without its content."""
    return {"name": file.name, "kind": file.kind, "size": file.size}


def words_of(text: str, files: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """What is kept of a mail as notes of its case: (kind, text)."""
    circumstances = [("circumstances", text[:_LONGEST_WORDS])] if text else []
    names = [f"File {file['name'] or 'without a name'} ({file['kind']}, {file['size']} bytes)" for file in files]
    return (*circumstances, *(("evidence", name) for name in names))


def request_of(mail: Mail, wish: Wish, joined: Case | None, words: tuple[tuple[str, str], ...]) -> Request:
    """The mail as a request, or as an answer about an open case. What a case asks for may be given more freely."""
    missing = set() if joined is None else set(joined.missing or ())
    given = {"order_number", "email"}
    if wish.reason is not None or (joined is not None and mail.own):
        given.add("reason")
    if wish.full_name or ("full_name" in missing and wish.name_line):
        given.add("full_name")
    if wish.payment_date or ("payment_date" in missing and wish.any_date):
        given.add("payment_date")
    if wish.phone is not None:
        given.add("phone")
    if wish.error_text is not None or any(kind == "evidence" for kind, _ in words):
        given.add("evidence")
    return Request(
        reason=wish.reason if joined is None else joined.reason,
        ground=None if joined is None else joined.ground,
        channel="email",
        origin="buyer",
        provided=frozenset(given),
        email=mail.sender,
        phone=wish.phone,
        words=words,
    )
