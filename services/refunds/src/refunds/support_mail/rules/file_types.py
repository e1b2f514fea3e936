"""Which files are kept as evidence. The media type is read from the content; name and declared type prove nothing."""

import hashlib

from refunds.support_mail.models import File, FileRefusal

LARGEST_FILE = 10 * 2**20
#: Of one mail, and of one order's uploads.
MOST_FILES = 20
_LONGEST_NAME = 200

#: Where it stands, what it is, the type.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypheix", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
    (0, b"\x7fELF", "application/x-executable"),
    (4, b"ftyp", "video/mp4"),
)
#: What is kept as evidence: what an agent's browser shows without running anything of it.
EVIDENCE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/heic", "application/pdf"})
UNKNOWN = "application/octet-stream"


def type_of(content: bytes) -> str:
    """The media type; UNKNOWN where it is none of those that are recognised."""
    for place, magic, kind in _MAGIC:
        if content[place : place + len(magic)] == magic:
            return kind
    return UNKNOWN


def file_of(name: str, content: bytes, before: int) -> File:
    """The file, with its content if it is kept. `before`: how many came before it."""
    kind = type_of(content)
    refusal: FileRefusal | None = None
    if before >= MOST_FILES:
        refusal = "count"
    elif kind not in EVIDENCE:
        refusal = "type"
    elif len(content) > LARGEST_FILE:
        refusal = "size"
    digest = hashlib.sha256(content).hexdigest()
    return File(name[:_LONGEST_NAME], kind, len(content), digest, b"" if refusal else content, refusal)
