"""FastAPI dependencies of this feature."""

from typing import Annotated

from fastapi import Depends, Request

from refunds.support_mail.service import SupportMail


async def _support_mail(request: Request) -> SupportMail:
    mail: SupportMail = request.app.state.support_mail
    return mail


#: What was taken in, and what agents make of it.
SupportMailDep = Annotated[SupportMail, Depends(_support_mail)]
