"""Separates what the sender wrote from what the mail quotes or forwards."""

import re

#: Lines after which everything is quoted or forwarded, as mail programs write them.
_BEGINS = re.compile(
    r"""^\s*(?:
      -{2,}\s*(?:original\ message|forwarded\ message|исходное\ сообщение|пересылаемое\ сообщение
        |пересланное\ сообщение|перенаправленное\ сообщение|бастапқы\ хабарлама|жіберілген\ хабарлама
        |გადაგზავნილი\ შეტყობინება|ორიგინალი\ შეტყობინება)\b.*
      |begin\ forwarded\ message:?|начало\ (?:пересылаемого|переадресованного)\ сообщения:?
      |_{20,}
      |on\ .{4,120}\ wrote:
      |.{4,120}(?:пишет|писал|писала|писал\(а\)|написал|написала|жазды|წერდა|დაწერა):
      |(?:from|от|кімнен|от\ кого|გამომგზავნი|ვისგან):\s.*@.*
    )\s*$""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTED_LINE = re.compile(r"^\s*>")
#: After `-- ` comes the signature (RFC 3676 section 4.3), and what telephones add.
_SIGNATURE = re.compile(
    r"^(?:-- ?|sent from my .{2,30}|отправлено (?:с|из) .{2,30}|жіберілген .{2,30}|გამოგზავნილია .{2,40})$",
    re.IGNORECASE,
)


def split_quotes(text: str) -> tuple[str, str]:
    """What the sender wrote, without signature, and the rest.

    An introduction that is folded (`On … Ann` / `<a@b.example> wrote:`) is recognised by its two lines together.
    """
    own: list[str] = []
    quoted: list[str] = []
    lines = text.split("\n")
    target = own
    for number, line in enumerate(lines):
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        folded = following.endswith(":") and _BEGINS.match(f"{line.strip()} {following}")
        if target is own and line.strip() and (_BEGINS.match(line) or folded):
            target = quoted
        if _QUOTED_LINE.match(line):
            quoted.append(line.lstrip("> \t"))
            continue
        if target is own and _SIGNATURE.match(line.strip() if line.strip() != "--" else "--"):
            target = quoted
        target.append(line)
    return "\n".join(own).strip(), "\n".join(quoted).strip()
