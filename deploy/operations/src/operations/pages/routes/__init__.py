"""The routes of the operations pages."""

from fastapi import APIRouter

from operations.pages.routes import api_keys, audit, dead_letters, invariants, orders, overview, tasks, webhooks

routes = APIRouter(include_in_schema=False)
for module in (overview, invariants, orders, tasks, dead_letters, api_keys, webhooks, audit):
    routes.include_router(module.routes)
