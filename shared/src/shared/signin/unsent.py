"""The page for a form whose session has ended: nothing was done, and what its sender has typed is shown again."""

from http import HTTPStatus

from fastapi import Request
from fastapi.responses import Response

from shared.signin.rendering import Pages
from shared.signin.sessions import is_foreign

#: Never shown again.
_SECRET = frozenset({"csrf", "token", "password"})


async def unsent(pages: Pages, request: Request) -> Response | None:
    """The page; None where no form was sent, it holds no text, or it came from another site."""
    if request.method != "POST" or is_foreign(request):
        return None
    form = await request.form()
    # Names, numbers and choices of a form are one word.
    texts = [
        value
        for name, value in form.items()
        if name not in _SECRET and isinstance(value, str) and len(value.split()) > 1
    ]
    if not texts:
        return None
    return pages.page("unsent", HTTPStatus.FORBIDDEN, session=None, texts=texts)
