"""The routes of the agents' pages."""

from fastapi import APIRouter

from refunds.agent_pages.routes import (
    answers,
    case,
    claims,
    contact,
    mails,
    order_actions,
    orders,
    phone_case,
    queue,
    refused_refund,
    representatives,
    templates,
)

routes = APIRouter(include_in_schema=False)
for module in (
    queue,
    orders,
    order_actions,
    contact,
    phone_case,
    case,
    answers,
    claims,
    mails,
    refused_refund,
    representatives,
    templates,
):
    routes.include_router(module.routes)
