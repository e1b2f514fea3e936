"""What all pages for buyers share: security headers, the token in their paths, the page for an invalid link."""

from http import HTTPStatus
from typing import Annotated, Literal, get_args

from fastapi import FastAPI, Path, Request
from fastapi.responses import HTMLResponse

from notifications.emails import BadLinkError, GoneError, environment, texts
from shared.contracts import Language
from shared.values.opaque import Named

LinkToken = Annotated[Named, Path(max_length=100)]
#: No script, style or picture from other sites; no frames; no cached copies.
SAFE_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def answer_bad_links(app: FastAPI) -> None:
    """Answer a link that is not valid with a page that says so."""

    @app.exception_handler(BadLinkError)
    async def _bad(_request: Request, error: BadLinkError) -> HTMLResponse:
        gone = isinstance(error, GoneError)
        status = HTTPStatus.GONE if gone else HTTPStatus.NOT_FOUND
        return HTMLResponse(render_bad_link("gone" if gone else "bad"), status, headers=SAFE_HEADERS)


def render_bad_link(why: Literal["bad", "gone"] = "bad") -> str:
    """The page for a link that is not valid, in all languages, because the reader is not identified."""
    everybody = [(language, texts(language)["account"]) for language in get_args(Language)]
    return environment("html").get_template("bad_link.html.j2").render(everybody=everybody, why=why)
