"""The texts of the bot in English and Russian. They never repeat what a person wrote."""

from collections.abc import Mapping

from refunds.policy import Reason, RequestField

TEXTS: Mapping[str, Mapping[str, str]] = {
    "hello": {
        "en": "Hello. I take refund requests, step by step. /cancel forgets everything you wrote here.",
        "ru": "Здравствуйте. Я принимаю обращения о возврате, шаг за шагом. /cancel — забыть всё, что вы написали.",
    },
    "order_number": {
        "en": "What is your order number? It stands in the mail with your QR code: 6 to 15 digits.",
        "ru": "Укажите номер заказа. Он есть в письме с QR-кодом: от 6 до 15 цифр.",
    },
    "reason": {
        "en": "Why do you want your money back? Choose, or send the number:",
        "ru": "Почему вы хотите вернуть деньги? Выберите или отправьте номер:",
    },
    "circumstances": {
        "en": "What happened, and when? A few words are enough.",
        "ru": "Что произошло и когда? Достаточно нескольких слов.",
    },
    "email": {"en": "Which e-mail address did you order with?", "ru": "На какой адрес электронной почты сделан заказ?"},
    "phone": {"en": "Which phone number did you order with?", "ru": "На какой номер телефона сделан заказ?"},
    "email_or_phone": {
        "en": "Which phone number or e-mail address did you order with?",
        "ru": "На какой номер телефона или адрес электронной почты сделан заказ?",
    },
    "full_name": {"en": "What is your full name?", "ru": "Укажите ваше полное имя."},
    "payment_date": {
        "en": "When did you pay? As day.month.year, 20.11.2026 for example.",
        "ru": "Когда вы заплатили? В виде день.месяц.год, например 20.11.2026.",
    },
    "evidence": {
        "en": "Please send a screenshot, or the text of the error.",
        "ru": "Пришлите снимок экрана или текст ошибки.",
    },
    "not_understood": {"en": "I could not read that.", "ru": "Не удалось это прочитать."},
    "no_match": {
        "en": "I find no paid order with this number and this contact. Please check both; an order is found a few "
        "minutes after the payment.",
        "ru": "Не найден оплаченный заказ с таким номером и контактом. Проверьте то и другое; заказ находится через "
        "несколько минут после оплаты.",
    },
    "too_often": {
        "en": "That did not match several times. Please write to support by e-mail, or try again tomorrow.",
        "ru": "Данные не совпали несколько раз. Напишите в поддержку по электронной почте или попробуйте завтра.",
    },
    "too_many": {
        "en": "I answer {most} messages within an hour, and this is one more. What you wrote before is kept; I "
        "continue in an hour. If it is urgent, please write to support by e-mail.",
        "ru": "Я отвечаю на {most} сообщений в час, это уже сверх того. Написанное раньше сохранено; я продолжу через "
        "час. Если срочно, напишите в поддержку по электронной почте.",
    },
    "full": {
        "en": "This request has as much from you as I can take today; all of that is kept. Please send what is new to "
        "support by e-mail, or try again tomorrow.",
        "ru": "По этому обращению сегодня больше ничего принять не могу; всё присланное сохранено. Новое отправьте в "
        "поддержку по электронной почте или попробуйте завтра.",
    },
    "already": {
        "en": "Everything that was paid for this order goes back to you already, or has gone back.",
        "ru": "Всё, что было оплачено за этот заказ, уже возвращается вам или возвращено.",
    },
    "registered": {
        "en": "Your request is registered: {case}. I will write here as soon as there is an answer. /status tells how "
        "it stands.",
        "ru": "Обращение зарегистрировано: {case}. Я напишу здесь, как только будет ответ. /status — как обстоят дела.",
    },
    "joined": {
        "en": "This request is with us already: {case}. What you sent now has been added to it.",
        "ru": "Это обращение уже у нас: {case}. То, что вы прислали, добавлено к нему.",
    },
    "status": {"en": "Request {case}:", "ru": "Обращение {case}:"},
    "bank_refused": {
        "en": "The bank has refused the refund; the money has not left yet. One of our people has the bank asked "
        "again, or pays you another way. You need not do anything.",
        "ru": "Банк отклонил возврат, деньги ещё не отправлены. Наш сотрудник обратится в банк ещё раз или выплатит "
        "деньги другим способом. Делать ничего не нужно.",
    },
    "settled": {"en": "The refund has been made.", "ru": "Возврат выполнен."},
    "nothing_open": {
        "en": "There is no request of yours here. /start begins one.",
        "ru": "Ваших обращений здесь нет. /start — начать новое.",
    },
    "how_to_appeal": {
        "en": "To appeal, send /appeal and what you hold against the refusal, in one message.",
        "ru": "Чтобы обжаловать, отправьте /appeal и ваши возражения одним сообщением.",
    },
    "appealed": {
        "en": "Your appeal is registered. Another agent looks at the request again.",
        "ru": "Жалоба зарегистрирована. Обращение пересмотрит другой сотрудник.",
    },
    "not_denied": {
        "en": "There is no refused request of yours here that could be appealed.",
        "ru": "Здесь нет вашего отклонённого обращения, которое можно обжаловать.",
    },
    "forgotten": {
        "en": "Forgotten. Requests that are registered stay with us. /start begins a new one.",
        "ru": "Забыто. Зарегистрированные обращения остаются у нас. /start — начать новое.",
    },
    "missing": {"en": "To add what is missing, send /start.", "ru": "Чтобы дополнить обращение, отправьте /start."},
}

REASONS: Mapping[Reason, Mapping[str, str]] = {
    "technical_failure": {"en": "It does not work", "ru": "Не работает"},
    "not_delivered": {"en": "It never came", "ru": "Не пришла"},
    "changed_mind": {"en": "I changed my mind", "ru": "Передумал(а)"},
    "double_charge": {"en": "I was charged twice", "ru": "Деньги списаны дважды"},
    "incompatible_device": {"en": "My device has no eSIM", "ru": "Устройство не поддерживает eSIM"},
    "sim_locked": {"en": "My device is locked", "ru": "Устройство заблокировано под оператора"},
    "deleted_profile": {"en": "I deleted it", "ru": "Удалил(а) профиль"},
    "phone_settings": {"en": "My phone's settings", "ru": "Настройки телефона"},
    "no_coverage": {"en": "No coverage", "ru": "Нет покрытия"},
    "slow_data": {"en": "It is slow", "ru": "Медленный интернет"},
    "scan_error": {"en": "Scanning went wrong", "ru": "Ошибка при сканировании"},
    "lost_code": {"en": "I lost the code", "ru": "Потерял(а) код"},
    "other": {"en": "Something else", "ru": "Другое"},
}


def text_of(name: str, language: str, **values: str) -> str:
    """A text in a language, with its values filled in."""
    return TEXTS[name][language].format(**values)


def question(step: str, language: str) -> str:
    """The question of a step; the question for the reason lists all reasons with their numbers."""
    text = text_of(step, language)
    if step != "reason":
        return text
    listed = (f"{number}. {named[language]}" for number, named in enumerate(REASONS.values(), 1))
    return "\n".join([text, *listed])


def keyboard(step: str | None, language: str) -> list[list[str]]:
    """The buttons of a step, two in a row; none: the keyboard is removed."""
    if step != "reason":
        return []
    labels = [named[language] for named in REASONS.values()]
    return [labels[place : place + 2] for place in range(0, len(labels), 2)]


def step_name(any_of: tuple[RequestField, ...]) -> str:
    """The name of the step that asks for a required field, or for one of several."""
    return "_or_".join(any_of)
