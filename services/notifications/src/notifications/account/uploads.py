"""Forms of the account page, which may hold files."""

from fastapi import Request

from notifications.emails import BadLinkError
from shared.kernel import upload_forms
from shared.kernel.upload_forms import LARGEST_BODY, MOST_BYTES, MOST_FILES, NoFormError, UploadForm

__all__ = ["AT_ONCE", "LARGEST_BODY", "MOST_BYTES", "MOST_FILES", "UploadForm", "read_form"]
#: Forms whose files are in memory at once: being read, or being handed on.
AT_ONCE = 8


async def read_form(request: Request) -> UploadForm:
    """Read a form, urlencoded or multipart. Its fields stand before its files. Raises BadLinkError."""
    try:
        return await upload_forms.read_form(request)
    except NoFormError:
        raise BadLinkError("not a form of this page") from None
