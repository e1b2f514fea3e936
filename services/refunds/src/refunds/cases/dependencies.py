"""The case service as a FastAPI dependency."""

from typing import Annotated

from fastapi import Depends, Request

from refunds.cases.service import CaseService


def _case_service(request: Request) -> CaseService:
    case_service: CaseService = request.app.state.case_service
    return case_service


CaseServiceDep = Annotated[CaseService, Depends(_case_service)]
