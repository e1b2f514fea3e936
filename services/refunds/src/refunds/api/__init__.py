"""HTTP for shops and agents: requests, cancellations, eligibility, cases, appeals, claims."""

from fastapi import APIRouter

from refunds.api import appeals, cases, claims, eligibility, requests
from refunds.api.callers import Callers
from refunds.desk import Desk
from shared.database import Database


def case_router(database: Database, desk: Desk, callers: Callers) -> APIRouter:
    """All routes of the API."""
    routes = APIRouter()
    for module in (requests, eligibility, cases, appeals, claims):
        routes.include_router(module.router(database, desk, callers))
    return routes
