"""Answers with the lines of a ledger, which are JSON already."""

from collections.abc import Iterable, Mapping

from fastapi import Response


def listing(name: str, lines: Iterable[bytes], more: Mapping[str, str]) -> Response:
    """`{"<name>": [<lines>], …}`. `more`: other members, as JSON."""
    tail = "".join(f',"{key}":{value}' for key, value in more.items())
    body = f'{{"{name}":['.encode() + b",".join(lines) + b"]" + tail.encode() + b"}"
    return Response(body, media_type="application/json")
