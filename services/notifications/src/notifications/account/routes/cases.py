"""The account page's forms about refunds: requests, evidence, appeals, cancellation, and messages to support.

Refunds decides; this service hands over what the buyer says and sends, and shows the answer.
"""

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Response

from notifications.account.context import AccountContext, Context, Form, Upload, back
from notifications.account.models import AccountOrder, FileNotice, Notice
from notifications.account.uploads import UploadForm
from notifications.clients.refunds import RefundsOutcome
from notifications.emails import BadLinkError, texts
from notifications.pages import LinkToken
from shared.kernel.dependencies import RequestTrace
from shared.outcomes import Done, Refused
from shared.values.text import cleaned

router = APIRouter(prefix="/account", include_in_schema=False)
#: Paths of forms with files.
WITH_FILES = ("/account/*/refund", "/account/*/evidence")
_MAX_WORDS = 2000
_NAME = 200
#: By type of the problem document that refunds answers.
_FILE_REFUSALS: Mapping[str, FileNotice] = {
    "not-evidence": "file_type",
    "body-too-large": "file_size",
    "too-many-evidence-files": "file_limit",
    "too-many-case-requests": "file_limit",
    "too-many-case-notes": "file_limit",
}


@router.post("/{token}/refund")
async def request_refund(token: LinkToken, context: Context, trace: RequestTrace, form: Upload) -> Response:
    """Request a refund, with files as evidence. The request counts even where a file is refused."""
    order = await context.store.open(token)
    reason = form.fields.get("reason", "")
    known = f"reason_{reason}" in texts("en")["account"]
    if context.refunds is None or not context.refunds.serves(order.storefront) or not known:
        return back(token, said="not_asked")
    file, kept = await _keep_files(context, order, form, trace)
    # Refunds learns that this data is stored here, and not the data itself.
    provided = ("email", "full_name", "payment_date", *(("evidence",) if kept else ()))
    outcome = await context.refunds.request_refund(
        order.storefront, order.order_id, reason, _words(form.fields), provided, trace
    )
    return _answer(token, outcome, "asked", file=file)


@router.post("/{token}/evidence")
async def add_evidence(token: LinkToken, context: Context, trace: RequestTrace, form: Upload) -> Response:
    """Send files to a case that is open."""
    order = await context.store.open(token)
    file, _ = await _keep_files(context, order, form, trace)
    return back(token, **({"file": file} if file is not None else {"said": "no_file"}))


@router.post("/{token}/appeal")
async def appeal(token: LinkToken, context: Context, trace: RequestTrace, fields: Form) -> Response:
    """Appeal against a denial (RF 6). The case is one of the order's: refunds says which those are."""
    order = await context.store.open(token)
    refunds, case_id = context.refunds_for(order.storefront), _case_id(fields)
    eligibility = await refunds.eligibility(order.storefront, order.order_id, trace)
    if not isinstance(eligibility, Done):
        return back(token, said="not_asked")
    if case_id not in {case.case_id for case in eligibility.value.cases}:
        raise BadLinkError("not a case of this order")
    return _answer(token, await refunds.appeal(order.storefront, case_id, _words(fields), trace), "appealed")


@router.post("/{token}/cancellation")
async def cancel(token: LinkToken, context: Context, trace: RequestTrace, fields: Form) -> Response:
    """Cancel the order (RC 5, 6), after the consequences were read."""
    order = await context.store.open(token)
    if "sure" not in fields:
        return back(token, said="not_sure")
    outcome = await context.refunds_for(order.storefront).cancel(order.storefront, order.order_id, trace)
    return _answer(token, outcome, "cancelled")


@router.post("/{token}/message")
async def send_message(token: LinkToken, context: Context, trace: RequestTrace, fields: Form) -> Response:
    """Give support a message. A person answers by e-mail."""
    order = await context.store.open(token)
    if not (words := _words(fields)):
        return back(token, said="no_words")
    refunds = context.refunds_for(order.storefront)
    outcome = await refunds.send_message(order.storefront, order.order_id, words, order.email, order.language, trace)
    return _answer(token, outcome, "message")


async def _keep_files(
    context: AccountContext, order: AccountOrder, form: UploadForm, trace: str | None
) -> tuple[FileNotice | None, bool]:
    """Hand the files over: what became of them (of a refused one, why), and whether any is kept."""
    refunds = context.refunds_for(order.storefront)
    notice: FileNotice | None = "file_size" if form.too_large else "file_number" if form.too_many else None
    kept = False
    for name, content in form.files:
        outcome = await refunds.add_evidence(order.storefront, order.order_id, cleaned(name, _NAME), content, trace)
        match outcome:
            case Done():
                kept = True
                notice = notice or "file_kept"
            case Refused(code=code):
                notice = _FILE_REFUSALS.get(code, "file_not_now")
            case _:
                notice = "file_not_now"
    return notice, kept


def _answer(
    token: str,
    outcome: RefundsOutcome,
    done: Literal["asked", "appealed", "cancelled", "message"],
    file: FileNotice | None = None,
) -> Response:
    said: Notice = "not_asked"
    if isinstance(outcome, Done):
        said = done
    elif isinstance(outcome, Refused) and outcome.code.startswith("too-many"):
        said = "too_often"
    return back(token, said=said, **({"file": file} if file is not None else {}))


def _words(fields: Mapping[str, str]) -> str:
    return cleaned(fields.get("words"), _MAX_WORDS, lines=True)


def _case_id(fields: Mapping[str, str]) -> UUID:
    try:
        return UUID(fields.get("case", ""))
    except ValueError:
        raise BadLinkError("not a form of this page") from None
