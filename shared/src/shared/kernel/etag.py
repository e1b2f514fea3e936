"""Answers that a caller need not read twice: an ETag, and 304 where the caller's copy is still the current one."""

import hashlib
import re
from http import HTTPStatus

from fastapi import Request, Response
from pydantic import BaseModel

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def conditional(request: Request, body: BaseModel) -> Response:
    """The body as JSON with a strong ETag of its content; 304 without it where `If-None-Match` names that tag.

    RFC 9110 sections 8.8.3 and 13.1.2. `no-cache`: a copy may be kept, and has to be compared before each use.
    """
    content = body.model_dump_json().encode()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    wanted = ", ".join(request.headers.getlist("if-none-match"))
    if wanted.strip() == "*" or tag in _TAG.findall(wanted):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, media_type="application/json", headers=headers)
