"""Workflow "invoice fields": the text of an invoice, in one of many layouts, in; its fields as JSON out."""

from __future__ import annotations

import json
from random import Random

from faker import Faker

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WORDS = ("INVOICE", "Invoice", "TAX INVOICE", "Bill", "Rechnung / Invoice", "Facture / Invoice")
_GOODS = ("canvas", "zips", "aluminium poles", "cartons", "labels", "buckles", "freight", "storage", "yarn", "soles")
SYSTEM = "Extract the fields of the invoice. Answer with one JSON object: supplier, number, date (YYYY-MM-DD), total."


def example(random: Random, faker: Faker) -> tuple[str, str]:
    """The text of an invoice and its fields as JSON text."""
    supplier = faker.company()
    number = random.choice(("{a}-{n}", "{n}", "{a}{n}", "{n}/{y}")).format(
        a=random.choice(("INV", "R", "SI", "F")), n=random.randint(1000, 99999), y=25
    )
    day, month = random.randint(1, 28), random.randint(1, 12)
    net = random.randint(2_000, 900_000)
    tax = net * 20 // 100
    total = f"{(net + tax) // 100}.{(net + tax) % 100:02d}"
    date = _date(random, day, month)
    rows = [f"{random.choice(_GOODS)} {random.randint(1, 40)} x {random.randint(1, 90)}.00" for _ in range(2)]
    parts = {
        "supplier": random.choice((supplier, f"From: {supplier}", f"{supplier}\n{faker.street_address()}")),
        "number": random.choice(("No. ", "Invoice number: ", "Ref ", "# ")) + number,
        "date": random.choice(("Date: ", "Issued ", "", "Date of issue ")) + date,
        "rows": "\n".join(rows),
        "total": random.choice(("TOTAL EUR ", "Amount due: ", "Total incl. tax ", "To pay ")) + total,
    }
    order = random.choice(
        (("supplier", "number", "date"), ("number", "date", "supplier"), ("supplier", "date", "number"))
    )
    text = "\n".join(
        [
            random.choice(_WORDS),
            *(parts[name] for name in order),
            parts["rows"],
            f"Net {net // 100}.{net % 100:02d}  Tax 20% {tax // 100}.{tax % 100:02d}",
            parts["total"],
        ]
    )
    fields = {"supplier": supplier, "number": number, "date": f"2025-{month:02d}-{day:02d}", "total": total}
    return text, json.dumps(fields)


def _date(random: Random, day: int, month: int) -> str:
    name = _MONTHS[month - 1]
    return random.choice(
        (f"2025-{month:02d}-{day:02d}", f"{day} {name} 2025", f"{name} {day}, 2025", f"{day:02d}.{month:02d}.2025")
    )
