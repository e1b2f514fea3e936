"""Reads docstrings and comments for the documents."""

import inspect
import re

_END = re.compile(r"(?<=[a-z0-9`)])[.;](?=\s|$)")


def paragraph(docstring: str | None) -> str:
    """A docstring as Markdown, without its indentation."""
    return inspect.cleandoc(docstring or "")


def first_sentence(docstring: str | None) -> str:
    """Its first sentence, on one line, with a full stop."""
    text = " ".join(paragraph(docstring).split("\n\n")[0].split())
    return (_END.split(text, maxsplit=1)[0].rstrip(".") + ".") if text else ""


def field_comments(model: type) -> dict[str, str]:
    """The `#:` comments above a model's fields, by field."""
    comments: dict[str, str] = {}
    lines: list[str] = []
    for line in inspect.getsource(model).splitlines():
        text = line.strip()
        if text.startswith("#:"):
            lines.append(text[2:].strip())
        elif lines:
            name, colon, _ = text.partition(":")
            if colon and name.isidentifier():
                comments[name] = " ".join(lines)
            lines = []
    return comments
