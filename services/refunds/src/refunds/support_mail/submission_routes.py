"""HTTP: `POST /orders/{order}/evidence` and `/messages`, what a buyer sends without an e-mail."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from refunds.callers import AnyCaller
from refunds.cases import find_order
from refunds.cases.models.bodies import Channel
from refunds.support_mail.models import File
from refunds.support_mail.rules.file_types import EVIDENCE, file_of
from refunds.support_mail.submissions import Outcome, Submissions
from shared.contracts import Language
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.opaque import Named
from shared.values.text import Line, Lines

_FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(EVIDENCE)},
    }
}
_SAME: dict[int | str, dict[str, Any]] = {200: {"description": "stored before; nothing changed"}}


class Submitted(BaseModel):
    """What became of a file or message. `repeated`: the same is stored already, and nothing changed."""

    outcome: Outcome


class MessageBody(BaseModel):
    """A message to support. `email`: where the buyer wants the answer; sealed, and read by agents only."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Lines(4000)] = Field(repr=False)
    channel: Channel = "form"
    email: Annotated[str, Line(320, 0)] = Field("", repr=False)
    language: Language = "en"


async def _submissions(request: Request) -> Submissions:
    submissions: Submissions = request.app.state.submissions
    return submissions


@dataclass(slots=True, frozen=True)
class _Submitting:
    """What both endpoints share."""

    caller: AnyCaller
    database: ServiceDatabase
    submissions: Annotated[Submissions, Depends(_submissions)]
    trace: RequestTrace
    response: Response

    async def submit(self, order: str, what: File | MessageBody, channel: Channel) -> Submitted:
        """Keep a file or message. Raises UnknownOrderError, NotPaidError, LimitError."""
        about: dict[str, Any] = {"channel": channel, "who": self.caller.who, "trace": self.trace}
        async with self.database.transaction() as tx:
            row = await find_order(tx, order, self.caller.storefront)
            if isinstance(what, File):
                outcome = await self.submissions.add_file(tx, row, what, **about)
            else:
                about |= {"email": what.email, "language": what.language}
                outcome = await self.submissions.add_message(tx, row, what.text, **about)
        self.response.status_code = HTTPStatus.CREATED if outcome == "stored" else HTTPStatus.OK
        return Submitted(outcome=outcome)


SubmittingDep = Annotated[_Submitting, Depends()]
submission_routes = APIRouter(tags=["requests"])


@submission_routes.post(
    "/orders/{order}/evidence", status_code=HTTPStatus.CREATED, responses=_SAME, openapi_extra=_FILE_BODY
)
async def add_evidence(
    order: Named,
    request: Request,
    submitting: SubmittingDep,
    name: Annotated[str, Line(200, 0), Query(description="the file's name, for the agent who opens it")] = "",
    channel: Channel = "form",
) -> Submitted:
    """Keep a picture or PDF as evidence (RF 4.2): body the file, at most 10 MiB, its type read from its content.

    An open case that waits for evidence goes on at once. Without one the file is kept for the order's next request,
    which names `evidence` in `provided`.
    """
    content = await request.body()
    if not content:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "no-file", "The body is empty; send the file itself.")
    file = file_of(name, content, 0)
    if file.refusal is not None:
        kinds = ", ".join(sorted(EVIDENCE))
        detail = f"The file is {file.kind}, which is not kept as evidence. Send one of: {kinds}."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-evidence", detail)
    return await submitting.submit(order, file, channel)


@submission_routes.post("/orders/{order}/messages", status_code=HTTPStatus.CREATED, responses=_SAME)
async def add_message(order: Named, body: MessageBody, submitting: SubmittingDep) -> Submitted:
    """Give support a message about an order. An agent reads it, and answers by e-mail; it changes nothing by itself."""
    return await submitting.submit(order, body, body.channel)
