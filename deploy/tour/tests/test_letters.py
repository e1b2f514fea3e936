import base64
import io

from PIL import Image

from shared.testing.documents import JsonObject
from tour.emails import email, excerpt, html_alone


def mail(**changed: object) -> JsonObject:
    plain = {"id": 7, "message_id": "<a>", "to": ["anna@example.org"], "subject": "Ready", "text": "Hello"}
    return plain | {"at": "2026-01-01T00:00:00.5+00:00", "html": '<img src="cid:qr">', "attachments": []} | changed


def test_a_mail_without_a_picture_has_no_code() -> None:
    plain = email(mail())
    assert (plain.picture, plain.code, plain.to, plain.at.microsecond) == (None, None, "anna@example.org", 500_000)
    assert html_alone(plain) == '<img src="cid:qr">'


def test_html_alone_carries_its_picture() -> None:
    file = io.BytesIO()
    Image.new("L", (40, 40), 255).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    with_picture = email(mail(attachments=[{"content_type": "image/png", "content_base64": data}]))
    assert html_alone(with_picture) == f'<img src="data:image/png;base64,{data}">'


def test_an_excerpt_keeps_paragraphs_and_says_where_it_is_cut() -> None:
    assert excerpt("\na\n\n\nb  \nc\n", 9) == ["a", "", "b", "c"]
    assert excerpt("a\n\nb\nc", 2) == ["a", "…"]
