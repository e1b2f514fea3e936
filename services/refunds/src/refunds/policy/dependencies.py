"""The policies as a FastAPI dependency."""

from typing import Annotated

from fastapi import Depends, Request

from refunds.policy import OrderPolicies


def policies_of(request: Request) -> OrderPolicies:
    policies: OrderPolicies = request.app.state.policies
    return policies


PoliciesDep = Annotated[OrderPolicies, Depends(policies_of)]
