"""The words that fill the slots of a message: dates and amounts as the language writes them."""

from __future__ import annotations

from datetime import date

from desk.sample.orders import Customer, Order

MONTHS = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
}
DAY_FORMATS = {"en": "{day} {month}", "fr": "{day} {month}", "de": "{day}. {month}", "es": "{day} de {month}"}


def spoken_date(day: date, language: str) -> str:
    """``12 July``, ``1er août``, ``12. Juli``, ``12 de julio``; in Italian ``12/07``, which needs no elision."""
    if language == "it":
        return f"{day:%d/%m}"
    number = "1er" if language == "fr" and day.day == 1 else str(day.day)
    return DAY_FORMATS[language].format(day=number, month=MONTHS[language].split()[day.month - 1])


def spoken_amount(amount: float, currency: str, language: str) -> str:
    """``£24.90``, ``€24.90`` in English, ``24,90 €`` elsewhere."""
    if language == "en":
        return f"{'£' if currency == 'GBP' else '€'}{amount:.2f}"
    return f"{amount:.2f} €".replace(".", ",")


def fill(text: str, language: str, customer: Customer, order: Order | None, nearby: date) -> str:
    """``text`` with its slots filled; ``nearby`` stands for ``{date}``.

    Raises KeyError for a slot about an order when there is no order.
    """
    words = {"name": customer.name, "first_name": customer.first_name, "date": spoken_date(nearby, language)}
    if order is not None:
        words |= {
            "order": order.id,
            "tracking": order.tracking,
            "ordered": spoken_date(order.ordered, language),
            "amount": spoken_amount(order.product.price, order.market.currency, language),
        }
    return text.format_map(words)
