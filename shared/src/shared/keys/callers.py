"""FastAPI dependencies: the shop that calls, by its API key, and which scopes an endpoint needs."""

from collections.abc import Callable, Sequence

from fastapi import Request
from fastapi.security import HTTPBearer, SecurityScopes

from shared.keys.models import ShopCaller
from shared.keys.shop_keys import ShopKeys


class ShopKeyHolder(HTTPBearer):
    """A dependency: the shop whose key was sent. Raises Problem (401, 403).

    `Annotated[ShopCaller, Security(ShopKeyHolder(keys_of), scopes=["orders:read"])]`, where `keys_of` finds the keys of
    the app that serves the request. The scopes are also in the OpenAPI document.
    """

    def __init__(self, keys: Callable[[Request], ShopKeys]) -> None:
        description = "`Authorization: Bearer <the storefront's API key>`"
        super().__init__(scheme_name="storefront", description=description, auto_error=False)
        self._keys = keys

    async def __call__(  # type: ignore[override] # the shop instead of the key
        self, request: Request, needed: SecurityScopes
    ) -> ShopCaller:
        return await calling_shop(self._keys(request), request, needed.scopes)


async def calling_shop(keys: ShopKeys, request: Request, scopes: Sequence[str]) -> ShopCaller:
    """The shop that sent this request, with a key that has these scopes. Raises Problem (401, 403).

    A body may arrive slowly. Without a key it is not waited for; with one, what counts is the state of the key when the
    request is complete.
    """
    header = request.headers.get("authorization")
    caller = await keys.caller(header, scopes)
    if "content-length" in request.headers or "transfer-encoding" in request.headers:
        await request.body()
        caller = await keys.caller(header, scopes)
    return caller
