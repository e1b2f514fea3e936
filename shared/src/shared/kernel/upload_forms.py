"""Reads a form that may hold files: into memory, within limits, and never onto a disk."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, create_form_parser

#: All files of one form together, and what a form says besides; more is read and thrown away, so that the browser
#: gets an answer that it shows.
MOST_BYTES = 10 * 2**20 + 64 * 1024
#: A larger body is refused before it is read.
LARGEST_BODY = 100 * 2**20
MOST_FILES = 5
#: Of a form without files.
_MOST_FIELDS = 10


class NoFormError(ValueError):
    """The body is no form."""


@dataclass(slots=True)
class UploadForm:
    """The fields of a form, by name, and its files: (name, content).

    `too_large`: no file was kept; `too_many`: only the first `MOST_FILES`.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, bytes]] = field(default_factory=list)
    too_large: bool = False
    too_many: bool = False


async def read_form(request: Request) -> UploadForm:
    """Read a form, urlencoded or multipart. Its fields stand before its files. Raises NoFormError."""
    content_type = request.headers.get("content-type", "")
    try:
        if content_type.startswith("multipart/form-data"):
            return await _read_multipart(request, content_type)
        body = _text(await request.body())
        return UploadForm({name: values[0] for name, values in parse_qs(body, max_num_fields=_MOST_FIELDS).items()})
    except (FormParserError, ValueError):
        raise NoFormError("not a form") from None


async def _read_multipart(request: Request, content_type: str) -> UploadForm:
    """Raises FormParserError, and ValueError."""
    form = UploadForm()

    def on_field(one: Field) -> None:
        form.fields.setdefault(_text(one.field_name), _text(one.value))

    def on_file(one: File) -> None:
        one.file_object.seek(0)
        content = one.file_object.read()
        if content and len(form.files) < MOST_FILES:
            form.files.append((_text(one.file_name), content))
        elif content:
            form.too_many = True

    # Its limits of fields count for urlencoded forms only. Everything is in memory, and MOST_BYTES at most.
    in_memory = {"MAX_MEMORY_FILE_SIZE": MOST_BYTES}
    parser = create_form_parser({"Content-Type": content_type.encode("latin-1")}, on_field, on_file, config=in_memory)
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        form.too_large = seen > MOST_BYTES
        if not form.too_large:
            parser.write(chunk)
    if form.too_large:
        form.files.clear()
    else:
        parser.finalize()
    return form


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
