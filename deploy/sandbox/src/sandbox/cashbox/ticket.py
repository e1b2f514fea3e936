"""The public page of a receipt, which its TicketUrl opens."""

from jinja2 import Environment

from sandbox.cashbox.ledger import SALE, Check
from sandbox.cashbox.wire import local_time
from sandbox.exchange import Reply

_PAGE = Environment(autoescape=True).from_string("""<!doctype html>
<html lang="ru"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }} {{ check.check_number }}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:24rem;margin:2rem auto;padding:0 1rem}
table{width:100%;border-collapse:collapse}td,th{padding:.25rem 0;text-align:left}
td:last-child{text-align:right}.total{border-top:1px solid;font-weight:600}small{color:#555}</style></head>
<body><h1>{{ title }}</h1>
<table>{% for line in check.positions %}<tr><td>{{ line.name }}</td><td>{{ money(line.total) }} KZT</td></tr>
<tr><td><small>{% if line.tax_type %}в т. ч. НДС {{ line.tax_percent }} %: {{ money(line.tax) }}{% else %}Без НДС\
{% endif %}</small></td><td></td></tr>{% endfor %}
<tr class="total"><td>Итого</td><td>{{ money(check.total) }} KZT</td></tr></table>
<p>Фискальный признак: <b>{{ check.check_number }}</b><br>{% if check.basis_check_number %}\
Основание: чек {{ check.basis_check_number }}<br>{% endif %}
Дата: {{ at }}<br>Смена {{ check.shift_number }}, касса {{ check.cashbox }}, РНМ {{ check.registration_number }}<br>
Заказ {{ check.external_order_number }}</p>
<p><small>Песочница: не фискальный документ.</small></p></body></html>
""")
_TITLES = {SALE: "Продажа"}


def page(check: Check) -> Reply:
    """The receipt for a person."""
    title = _TITLES.get(check.operation_type, "Возврат продажи")
    html = _PAGE.render(check=check, title=title, at=local_time(check.issued_at), money=_money)
    return Reply(200, html.encode(), {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"})


def _money(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"
