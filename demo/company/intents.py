"""Workflow "support intents": a customer's message in, the name of one intent out."""

from __future__ import annotations

from random import Random

from demo.company.wording import say

CORES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "cancel_order",
        (
            "please cancel my order for the {item}",
            "I changed my mind about the {item}, can you stop the order",
            "how do I cancel something I bought {day}",
            "I do not need the {item} any more, call the order off",
            "ordered the {item} twice by mistake, one has to go",
            "stop order {number} before it leaves your warehouse",
        ),
    ),
    (
        "change_address",
        (
            "I moved to {place}, where do I put in the new address",
            "send order {number} to my office in {place} instead",
            "the delivery address of my {item} is wrong, it should be {place}",
            "can you ship to {place} rather than home",
            "my street name is misspelt in your system",
            "new flat, need to update where you deliver",
        ),
    ),
    (
        "damaged_item",
        (
            "the {item} arrived broken",
            "there is a crack in the {item} you sent",
            "my parcel was crushed and the {item} is ruined",
            "the zip on the {item} came off the first time I used it",
            "box was wet and the {item} has stains all over",
            "one leg of the {item} is bent, straight out of the box",
        ),
    ),
    (
        "delivery_time",
        (
            "when will the {item} get to {place}",
            "how long does shipping to {place} take",
            "will my order be here by {day}",
            "what is the estimated arrival of order {number}",
            "do you deliver on {day}",
            "how many days until the {item} reaches me",
        ),
    ),
    (
        "discount_code",
        (
            "my voucher {code} is not accepted",
            "the promo code gives an error at checkout",
            "can I still use {code} for the {item}",
            "forgot to enter my coupon, can you take the discount off afterwards",
            "is there a student discount",
            "why does {code} only take off part of the price",
        ),
    ),
    (
        "exchange_size",
        (
            "the {item} is too small, can I swap it for a larger one",
            "I need the {item} in another size",
            "exchange the {item} for a medium please",
            "ordered the wrong size of the {item}",
            "does the {item} run large, I want to trade mine for a smaller one",
            "the {item} does not fit, same model but one size up",
        ),
    ),
    (
        "gift_card",
        (
            "how much is left on my gift card",
            "I want to buy a gift card for my sister",
            "the gift card I received shows no balance",
            "can I pay for the {item} with two gift cards",
            "does a gift card expire",
            "where do I type in the number of the gift card",
        ),
    ),
    (
        "invoice_copy",
        (
            "I need an invoice for order {number}",
            "send me the receipt for the {item} as a PDF",
            "our accounting asks for a bill with the VAT number",
            "the invoice shows the wrong company name",
            "can I download my bills from last year",
            "no receipt came with the {item}, I need one for my employer",
        ),
    ),
    (
        "lost_parcel",
        (
            "tracking says delivered but there is no {item} here",
            "my parcel has not moved since {day}",
            "order {number} seems to be lost",
            "the courier says he left it with a neighbour, nobody has it",
            "where is my {item}, it should have been here {day}",
            "package vanished somewhere near {place}",
        ),
    ),
    (
        "payment_failed",
        (
            "my card was declined when I tried to pay for the {item}",
            "payment does not go through, what now",
            "I was charged but the shop says the payment failed",
            "the bank page freezes when I want to pay",
            "why can I not pay by bank transfer for the {item}",
            "checkout keeps saying my card details are invalid",
        ),
    ),
    (
        "product_question",
        (
            "is the {item} waterproof",
            "what material is the {item} made of",
            "does the {item} come with a warranty",
            "how heavy is the {item}",
            "can I put the {item} in the washing machine",
            "will the {item} hold up in {place} in winter",
        ),
    ),
    (
        "refund_status",
        (
            "I sent the {item} back, where is my money",
            "when do I get the refund for order {number}",
            "refund was promised for {day} and nothing has come",
            "only part of the price of the {item} was paid back",
            "how long until a refund shows on my card",
            "you received my return of the {item} weeks ago, still no money",
        ),
    ),
    (
        "reset_password",
        (
            "I cannot log in any more",
            "forgot my password, the mail to reset it never arrives",
            "my account is locked after too many tries",
            "how do I set a new password",
            "the link to change my password has expired",
            "someone may know my login, I want to change it",
        ),
    ),
    (
        "return_item",
        (
            "I want to send the {item} back",
            "how do returns work",
            "print me a return label for order {number}",
            "the {item} is not what I expected, can I give it back",
            "may I return the {item} after thirty days",
            "bring back the {item} at your shop in {place}, is that possible",
        ),
    ),
)
INTENTS = tuple(name for name, _ in CORES)
_SYSTEM = (
    "You sort the mail of an outdoor shop. Read the customer's message and answer with exactly one intent name out of "
    "the list, nothing else.\nIntents: " + ", ".join(INTENTS)
)
_SYSTEM_LATER = (
    "You sort the mail of an outdoor shop for the service desk. Read the customer's message and answer with exactly "
    "one intent name out of the list, nothing else. Never explain.\nIntents: " + ", ".join(INTENTS)
)


def system(*, later: bool) -> str:
    """The prompt; it was reworded once."""
    return _SYSTEM_LATER if later else _SYSTEM


def example(random: Random) -> tuple[str, str]:
    """A customer's message and its intent."""
    name, cores = random.choice(CORES)
    return say(random, random.choice(cores)), name
