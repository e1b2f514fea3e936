"""What a mail asks for, in English, Russian, Kazakh or Georgian. Strict: what is not clear is not said."""

import re
from collections.abc import Iterator, Mapping

from refunds.policy import Reason
from refunds.support_mail.models import Mail, Wish
from shared.contracts import Language

_GEORGIAN = re.compile("[\u10a0-\u10ff\u1c90-\u1cbf]")
_KAZAKH = re.compile("[әғқңөұүһі]", re.IGNORECASE)
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
#: An order number has 6 to 15 digits; a telephone number (`+`), an ICCID and a part of a date or amount are none.
_NUMBER = re.compile(r"(?<![\d+.,/:-])\d{6,15}(?!\d|[.,/:-]\d)")
_MOST_NUMBERS = 20
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{7,24}[0-9]")
_DATE = re.compile(r"\b(?:[0-3]?\d[./-][01]?\d[./-]20\d\d|20\d\d-[01]\d-[0-3]\d)\b")
_PAID = re.compile(r"\bpa(?:id|yment)\b|оплат|оплач|төле|გადახდ|გადავიხად", re.IGNORECASE)
_NAME = re.compile(
    r"(?:full name|my name is|меня зовут|ф\.?и\.?о\.?|полное имя|аты-жөнім|менің атым|სახელი და გვარი|ჩემი სახელია)"
    r"[\s:–—-]+[^\W\d_]+[\s-]+[^\W\d_]+",
    re.IGNORECASE,
)
_NAME_LINE = re.compile(r"[^\W\d_]{2,}(?:[ -][^\W\d_]{2,}){1,3}")
_ERROR = re.compile(r"\berror\b|ошибк|қате|შეცდომ", re.IGNORECASE)
#: What names an error: its number, or its words in quotes or after a colon.
_NAMED = re.compile(r"[\d:\"«“„]")
_LONGEST_LINE = 1000
_WORD_OR_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_PREFIX = re.compile(r"^(?:(?:re|fwd?|fw|aw|ответ|пересл|hа|отв)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_PLEASE = re.compile(r"\bplease\b|пожалуйста|прошу|өтінемін|გთხოვ", re.IGNORECASE)
_NOT_ASKED = re.compile(
    r"\b(?:no|not|don'?t|do not|without)\b[^.!?\n]{0,25}\b(?:refund|money back)"
    r"|(?:refund|возврат)\w*\s+(?:is\s+)?(?:not|не)\s+(?:need|want|нуж|треб)"
    r"|(?:не\s+(?:нужен|надо|хочу|прошу|требую)|без)[^.!?\n]{0,20}(?:возврат|вернуть|возвращ)"
    r"|қайтару\s+керек\s+емес|დაბრუნება\s+არ\s+მინდა",
    re.IGNORECASE,
)
_REFUND = re.compile(
    r"\brefund\b|\bmoney back\b|\breimburse|\breturn (?:my|the) money|\bgive (?:me )?back (?:my|the) money"
    r"|возврат|верн(?:ите|уть|ёте|ете)[^.!?\n]{0,30}(?:деньг|средств|оплат|сумм)|(?:деньги|средства)\s+(?:назад|обратно)"
    r"|ақша\w*[^.!?\n]{0,30}қайтар|төлем\w*[^.!?\n]{0,30}қайтар|қайтарып\s+бер"
    r"|(?:თანხ|ფულ)\w*[^.!?\n]{0,30}(?:დაბრუნ|დამიბრუნ|დააბრუნ)|(?:დამიბრუნ|დააბრუნ)\w*[^.!?\n]{0,20}(?:თანხ|ფულ)",
    re.IGNORECASE,
)
_CLAIM = re.compile(
    r"\bcomplaint\b|\b(?:formal|written) claim\b|\bclaim letter\b|претензи|жалоб[ауы]"
    r"|шағым(?!дан)|наразылық|პრეტენზი|საჩივარ|საჩივრ",
    re.IGNORECASE,
)
_APPEAL = re.compile(
    r"\bi appeal\b|\bappeal (?:this|the|your|against)\b|\b(?:disagree|do not agree|don'?t agree)\b|\breconsider\b"
    r"|обжал|апелляц|не\s+соглас|пересмотр|шағымдан|келіспе|қайта\s+қара|გასაჩივრ|არ\s+ვეთანხმ|გადახედ",
    re.IGNORECASE,
)
_WORDS: Mapping[Reason, str] = {
    "technical_failure": r"(?:does ?n[o']?t|do not|not|won'?t|never|stopped) (?:work|connect|activat)\w*"
    r"|\bno internet\b|не\s+(?:работа|активир|подключ|запуска)|нет\s+интернета"
    r"|жұмыс\s+істеме|қосылма|істемей|არ\s+მუშაობს|ვერ\s+(?:გავააქტიურ|ვააქტიურ|ჩავრთე)|არ\s+აქტიურ",
    "not_delivered": r"(?:never|not|n'?t) (?:come|came|arrived?|received?|got|get) (?:it|the|my|any)?"
    r"|(?:never|not|n'?t) (?:receive|arrive)|не\s+приш|не\s+получ|не\s+приход|келмеді|келген\s+жоқ|алған\s+жоқпын"
    r"|არ\s+(?:მიმიღია|მოსულა|მოვიდა)|ვერ\s+მივიღე",
    "changed_mind": r"changed my mind|(?:do not|don'?t|no longer) need|trip (?:was|is|has been) cancel"
    r"|передумал|больше\s+не\s+нуж|не\s+понадобил|поездк\w+\s+отмен|ойымды\s+өзгерт|енді\s+керек\s+емес"
    r"|გადავიფიქრე|აღარ\s+მჭირდება",
    "double_charge": r"charged (?:me )?(?:twice|two times)|double charge|paid twice|дважды|два\s+раза\s+спис"
    r"|двойн\w+\s+списан|екі\s+рет|ორჯერ",
    "incompatible_device": r"(?:does ?n[o']?t|not) support (?:an? )?e-?sim|not compatible|incompatible"
    r"|не\s+поддержива\w+\s+e-?sim|несовместим|e-?sim\s*-?\w*\s+қолдамайды|არ\s+უჭერს\s+მხარს",
    "sim_locked": r"(?:carrier|network|sim|operator)[- ]locked|locked to (?:a|the|my|another)"
    r"|заблокирован\w*\s+(?:под|на)\s+оператор|операторға\s+бұғатталған|დაბლოკილია\s+ოპერატორ",
    "deleted_profile": r"\bi (?:accidentally )?(?:deleted|removed) (?:it|the|my)"
    r"|удалил\w*\s+(?:профил|e-?sim|её|ее|его)"
    r"|(?:профильді|esim-ді)\s+(?:өшір|жой)|წავშალე",
    "no_coverage": r"\bno (?:coverage|signal|service)\b"
    r"|нет\s+(?:покрыти|сети|сигнал)|желі\s+жоқ|არ\s+არის\s+დაფარვა",
    "slow_data": r"\b(?:too |very |so )?slow\b|медленн|өте\s+баяу|ძალიან\s+ნელ",
    "scan_error": r"(?:can'?t|cannot|could ?n[o']?t) scan|scan(?:ning)? (?:error|fail)|не\s+(?:сканиру|считыва)"
    r"|сканерлен?бей|ვერ\s+დავასკანერე",
    "lost_code": r"\blost (?:the|my) (?:qr|code)"
    r"|потерял\w*\s+(?:qr|код|кьюар)|кодты\s+жоғалт|დავკარგე\s+(?:qr|კოდი)",
}
_REASONS = {reason: re.compile(pattern, re.IGNORECASE) for reason, pattern in _WORDS.items()}


def language_of(text: str) -> Language:
    """The language of a text by its letters; English where there are no others."""
    if _GEORGIAN.search(text):
        return "ka"
    if _CYRILLIC.search(text):
        return "kk" if _KAZAKH.search(text) else "ru"
    return "en"


def read_wish(mail: Mail) -> Wish:
    """What the mail asks for. Only the sender's own words ask; a number may also stand in what is quoted."""
    subject = _PREFIX.sub("", mail.subject)
    # The subject of an answer is not the sender's own: it repeats ours.
    answers = subject != mail.subject or bool(mail.references)
    words = mail.own if answers else f"{subject}\n{mail.own}"
    reasons = [reason for reason, pattern in _REASONS.items() if pattern.search(words)]
    phone = _PHONE.search(words)
    lines = [line.strip()[:_LONGEST_LINE] for line in words.split("\n")]
    return Wish(
        language=language_of(mail.own or subject),
        order_numbers=tuple(dict.fromkeys(_numbers(words, subject, mail.quoted)))[:_MOST_NUMBERS],
        refund=_asks_for_refund(words),
        claim=bool(_CLAIM.search(words)),
        appeal=bool(_APPEAL.search(words)),
        reason=reasons[0] if len(reasons) == 1 else None,
        full_name=_is_full_name(mail.sender_name) or bool(_NAME.search(words)),
        payment_date=any(_DATE.search(line) and _PAID.search(line) for line in lines),
        name_line=any(_NAME_LINE.fullmatch(line) and _is_name(line) for line in lines),
        any_date=any(_DATE.search(line) for line in lines),
        phone=phone[0] if phone else None,
        error_text=next((line for line in lines if _ERROR.search(line) and _NAMED.search(line)), None),
    )


def _numbers(*texts: str) -> Iterator[str]:
    for text in texts:
        for found in _NUMBER.finditer(text):
            yield found[0]


def _asks_for_refund(words: str) -> bool:
    """A sentence asks for money back. A question about refunds does not, unless it says please."""
    for sentence in _WORD_OR_SENTENCE.findall(words):
        asks = not sentence.rstrip().endswith("?") or _PLEASE.search(sentence)
        if asks and _REFUND.search(sentence) and not _NOT_ASKED.search(sentence):
            return True
    return False


def _is_full_name(name: str) -> bool:
    """Two words of letters, as a mail program's user has written them."""
    parts = [part for part in name.replace("-", " ").split() if part.strip(".").isalpha()]
    return len(parts) > 1 and "@" not in name


def _is_name(line: str) -> bool:
    """Every word begins with a capital letter; Georgian is written without."""
    return bool(_GEORGIAN.search(line)) or all(not part[0].islower() for part in line.replace("-", " ").split())
