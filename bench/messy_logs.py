"""Synthetic traffic with a known truth, each log messy in another way. Invented, drawn from a seed, no model asked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

Row = tuple[str, dict[str, Any], str | list[Any]]
"""Workflow, request, and the answer: text, or names and arguments of tool calls."""

TOPICS = {
    "billing": "invoice refund charge payment card receipt subscription fee balance statement tax vat discount credit",
    "travel": "flight hotel booking luggage airport seat passport visa train ticket delay itinerary gate transfer",
    "health": "doctor symptom tablet dose fever allergy clinic blood pressure vaccine sleep diet headache nurse",
    "tech": "server database latency deploy container network kernel memory cache python compiler thread socket query",
    "garden": "tomato soil compost rose pruning seed watering frost lawn hedge greenhouse bulb mulch slug",
    "law": "contract clause tenant liability court notice damages lease witness appeal party statute breach fine",
    "food": "recipe oven flour butter garlic onion sauce pasta rice spice knife pan grill dessert",
    "sport": "match goal referee league coach training injury striker season stadium ticket medal race tactics",
}
NAMES = (
    "Ada Ben Chloe Dimitri Elif Farid Greta Hugo Ines Jonas Kofi Lena Mira Noor Otto Paula Quentin Rosa Sami".split()
)
PLACES = "Berlin Oslo Lyon Porto Leeds Turin Gdansk Malmo Ghent Basel Split Cork Bergen Graz Nantes Aarhus".split()
GLUE = "the a of to and in is for on with that it was not be at as are this have from by or we they you i".split()
OPENERS = (
    "what is the best way to", "can you help me with", "how do i", "write a short story about", "explain", "why does",
    "give me ten ideas for", "i was wondering about", "tell me about", "is it true that", "help", "compare",
)  # fmt: skip


class Draw:
    """Texts out of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._words = {name: self._vocabulary(text.split()) for name, text in TOPICS.items()}

    def _vocabulary(self, stems: list[str]) -> list[str]:
        ends = ("", "s", "ing", "ed", "er", "less", "able", "ful")
        return [stem + end for stem in stems for end in ends]

    def text(self, topic: str, least: int, most: int) -> str:
        """So many words about a topic, in sentences."""
        draw, found = self.random, []
        for _ in range(draw.randint(least, most)):
            word = draw.choice(GLUE) if draw.random() < 0.5 else draw.choice(self._words[topic])
            if draw.random() < 0.05:
                word = draw.choice(NAMES + PLACES)
            if draw.random() < 0.04:
                word = str(draw.randint(2, 9999))
            found.append(word + ("." if draw.random() < 0.08 else ""))
        return " ".join(found).capitalize()

    def any(self, least: int, most: int) -> str:
        """Text about anything."""
        return self.text(self.random.choice(sorted(TOPICS)), least, most)

    def pick(self, *of: Any) -> Any:
        """One of these."""
        return self.random.choice(of)

    def name(self) -> str:
        """A person."""
        return f"{self.random.choice(NAMES)} {self.random.choice(NAMES)}sson"

    def day(self) -> str:
        """A date and a time."""
        draw = self.random
        return (
            f"2026-{draw.randint(1, 12):02}-{draw.randint(1, 28):02} {draw.randint(0, 23):02}:{draw.randint(0, 59):02}"
        )

    def key(self) -> str:
        """An id."""
        return f"{self.random.getrandbits(64):016x}"


def ask(user: str, system: str = "", tools: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """A request of one turn."""
    messages = [{"role": "system", "content": system}] if system else []
    request: dict[str, Any] = {"model": "m", "messages": [*messages, {"role": "user", "content": user}], **more}
    if tools:
        request["tools"] = [{"type": "function", "function": {"name": one, "parameters": {}}} for one in tools]
    return request


def chat(draw: Draw, system: str = "") -> dict[str, Any]:
    """Somebody asks a model whatever comes to mind, some in several turns."""
    asked = f"{draw.random.choice(OPENERS)} {draw.any(2, 25)}".strip()
    request = ask(asked, system)
    for _ in range(draw.pick(0, 0, 0, 1, 3)):
        request["messages"] += [
            {"role": "assistant", "content": draw.any(20, 80)},
            {"role": "user", "content": draw.any(2, 15)},
        ]
    return request


def exploratory_answer(draw: Draw) -> str:
    """An answer of any form."""
    form = draw.pick("prose", "prose", "list", "short", "long")
    if form == "list":
        return "\n".join(f"{one}. {draw.any(4, 12)}" for one in range(1, draw.random.randint(3, 10)))
    least, most = {"prose": (30, 120), "short": (3, 9), "long": (150, 400)}[form]
    return draw.any(least, most)


def fields(draw: Draw, *keys: str) -> str:
    """A JSON object."""
    return json.dumps({one: draw.any(1, 3) for one in keys})


def no_system(draw: Draw) -> Iterator[Row]:
    """No system prompts: templates before, after and around the text; two tasks on the same texts; chat."""
    for _ in range(300):
        article = draw.text("tech", 60, 150)
        yield (
            "summary",
            ask(f"{article}\n\nSummarise the text above in three sentences for a busy manager."),
            draw.text("tech", 35, 50) + ".",
        )
        yield (
            "headline",
            ask(f"Write one newspaper headline, at most eight words, for this article:\n{article}"),
            draw.text("tech", 6, 8),
        )
        review = draw.text("food", 15, 60)
        yield (
            "sentiment",
            ask(f"Review: {review}\nIs the review positive, negative or neutral? Answer with one word."),
            draw.pick("positive", "negative", "neutral"),
        )
        yield (
            "extract",
            ask(
                f"You read letters.\n<letter>\n{draw.text('law', 80, 200)}\n</letter>\nReturn JSON with sender, date and demand.\n{draw.key()}"
            ),
            fields(draw, "sender", "date", "demand"),
        )
        yield (
            "translate",
            ask(f"Translate to Pirate: {draw.any(5, 30)}"),
            "Arr, " + draw.any(5, 30) + ", matey, yo ho ho ahoy ye scurvy",
        )
    for _ in range(250):
        yield "exploratory", chat(draw), exploratory_answer(draw)


_PREAMBLE = "You work for Northwind Stores, a chain of shops. Be polite. Never promise what the handbook does not say. Never speak about competitors. Today is {day}. The shopper is called {name}. "  # noqa: E501


def rag(draw: Draw) -> Iterator[Row]:
    """Retrieved passages, some very popular, before or after the question; one preamble shared by all."""
    pools = {topic: [draw.text(topic, 50, 110) for _ in range(80)] for topic in ("billing", "travel", "health")}
    weights = [1 / (one + 1) for one in range(80)]

    def passages(topic: str) -> str:
        return "\n---\n".join(draw.random.choices(pools[topic], weights, k=3))

    for _ in range(450):
        preamble = _PREAMBLE.format(day=draw.day(), name=draw.name())
        question = draw.text("billing", 5, 15)
        yield (
            "rag_billing",
            ask(
                f"Context:\n{passages('billing')}\n\nQuestion: {question}\nAnswer from the context only and cite the passage.",
                preamble + "Answer questions about bills from the passages you are given.",
            ),
            draw.text("billing", 30, 60) + " [1]",
        )  # noqa: E501
        question = draw.text("travel", 5, 15)
        yield (
            "rag_travel",
            ask(
                f"{question}\n\nSources:\n{passages('travel')}",
                preamble
                + "You are the travel desk. Use the sources below the question and reply with a numbered list of steps.",
            ),
            "\n".join(f"{one}. {draw.text('travel', 5, 12)}" for one in range(1, 5)),
        )  # noqa: E501
        yield (
            "rag_health",
            ask(
                draw.text("health", 5, 15),
                f"Use these notes of the company doctor:\n{passages('health')}\nIf the notes do not say it, tell the person to see a doctor. Keep it under forty words.",
            ),
            draw.text("health", 20, 38),
        )  # noqa: E501
    for _ in range(150):
        yield "exploratory", chat(draw, "You are a helpful assistant."), exploratory_answer(draw)


def agents(draw: Draw) -> Iterator[Row]:
    """One system prompt for three sets of tools; loops that send tools' results back; tools that come and go."""
    system = (
        "You are an agent. Think step by step, call the tools you need, and finish with a short answer to the user."
    )
    kits = {
        "agent_calendar": ("list_events", "create_event", "delete_event", "find_slot"),
        "agent_shop": ("search_products", "add_to_cart", "checkout", "track_parcel", "refund"),
        "agent_code": ("read_file", "write_file", "run_tests"),
    }
    for _ in range(220):
        for (name, kit), topic in zip(kits.items(), ("travel", "food", "tech"), strict=True):
            offered = tuple(one for one in kit if one == kit[0] or draw.random.random() < 0.9)
            request = ask(draw.text(topic, 8, 30), system, offered)
            for _ in range(draw.random.randint(1, 4)):
                tool = draw.random.choice(offered)
                call = {
                    "id": draw.key(),
                    "type": "function",
                    "function": {"name": tool, "arguments": fields(draw, "a")},
                }
                yield name, json.loads(json.dumps(request)), [(tool, call["function"]["arguments"])]
                request["messages"] += [
                    {"role": "assistant", "content": None, "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": call["id"], "content": draw.text(topic, 10, 60)},
                ]
            yield name, request, draw.text(topic, 8, 20)


def chats(draw: Draw) -> Iterator[Row]:
    """Conversations of many turns with two bots, and chat without a system prompt."""
    bots = {
        "coach": (
            "You are Max, a patient running coach. Ask one question at a time and keep every answer below fifty words.",
            "sport",
        ),
        "lawyer": (
            "You explain rental law to tenants in plain words. You are not a lawyer and say so when it matters. Cite the statute.",
            "law",
        ),
    }
    for _ in range(130):
        for name, (system, topic) in bots.items():
            request = ask(draw.text(topic, 4, 20), system)
            for _ in range(draw.random.randint(1, 8)):
                said = draw.text(topic, 20, 45)
                yield name, json.loads(json.dumps(request)), said
                request["messages"] += [
                    {"role": "assistant", "content": said},
                    {"role": "user", "content": draw.text(topic, 2, 15)},
                ]
        for _ in range(3):
            yield "exploratory", chat(draw), exploratory_answer(draw)


def versions(draw: Draw) -> Iterator[Row]:
    """Prompts rewritten while they are in use, and two tasks that share four fifths of their prompt."""
    reply = (
        "You answer customers of a travel agency. Be warm. Offer one next step. Sign as the Sunways team.",
        "Act as Sunways customer care. Use short paragraphs. Close with one concrete next step and our team's name.",
        "Sunways care agent v3. Tone: calm, clear. Structure: greeting, answer, next step. Never use jargon.",
    )
    shared = " ".join(
        f"Rule {word}: {rule}."
        for word, rule in zip(
            "one two three four five six seven eight".split(),
            (draw.text("billing", 9, 12) for _ in range(8)),
            strict=True,
        )
    )
    for number in range(600):
        yield (
            "reply",
            ask(draw.text("travel", 10, 40), reply[number // 200]),
            f"Dear {draw.name()},\n\n{draw.text('travel', 40, 70)}\n\nThe Sunways team",
        )
        yield (
            "triage",
            ask(draw.text("billing", 10, 40), f"{shared} Decide how urgent the message is. Reply low, normal or high."),
            draw.pick("low", "normal", "high"),
        )
        yield (
            "queue",
            ask(
                draw.text("billing", 10, 40),
                f"{shared} Decide which queue takes the message. Reply sales, ledger or legal.",
            ),
            draw.pick("sales", "ledger", "legal"),
        )
        version = (
            "Find product, size and colour in the order text. JSON only."
            if number < 350
            else "Read the order. Reply with a JSON object that has the keys product, size and colour and no others."
        )
        yield "order", ask(draw.text("garden", 10, 30), version), fields(draw, "product", "size", "colour")


def few_shot(draw: Draw) -> Iterator[Row]:
    """Examples that rotate through the prompt, in the system's turn of one task and the user's of another."""
    genres = ("crime", "romance", "poetry", "history")
    books = [f"Blurb: {draw.text('law', 12, 20)}\nGenre: {draw.random.choice(genres)}" for _ in range(30)]
    bugs = [f"Report: {draw.text('tech', 12, 20)}\nComponent: {draw.pick('ui', 'api', 'storage')}" for _ in range(24)]
    for _ in range(700):
        shown = "\n\n".join(draw.random.sample(books, 4))
        yield (
            "genre",
            ask(draw.text("law", 12, 30), f"Name the genre of a book from its blurb.\n\n{shown}"),
            draw.random.choice(genres),
        )
        shown = "\n\n".join(draw.random.sample(bugs, 5))
        yield (
            "bug",
            ask(
                f"Say which component a bug report is about. Some examples follow.\n\n{shown}\n\nReport: {draw.text('tech', 12, 30)}\nComponent:"
            ),
            draw.pick("ui", "api", "storage"),
        )
        yield (
            "poem",
            ask(f"Write a poem of four lines about {draw.any(2, 5)}"),
            "\n".join(draw.any(5, 8) for _ in range(4)),
        )


def languages(draw: Draw) -> Iterator[Row]:
    """Templates in other languages and scripts, with and without spaces."""
    for _ in range(350):
        yield (
            "de_mail",
            ask(
                draw.text("travel", 10, 40),
                "Du beantwortest E-Mails eines Reisebüros höflich und knapp. Unterschreibe immer als Ihr Reiseteam.",
            ),
            f"Guten Tag, vielen Dank für Ihre Nachricht und die {draw.any(10, 30)} Ihr Reiseteam",
        )
        yield (
            "zh_label",
            ask(f"请判断下面这条评论的情感，只回答“正面”或“负面”。\n评论：{draw.text('food', 5, 20)}"),
            draw.pick("正面", "负面"),
        )
        yield (
            "ja_sum",
            ask(f"次の文章を三つの箇条書きで要約してください。\n\n{draw.text('tech', 40, 90)}"),
            "\n".join(f"・{draw.text('tech', 5, 9)}です" for _ in range(3)),
        )
        yield (
            "es_json",
            ask(
                draw.text("law", 20, 60),
                "Extrae del contrato las partes, la fecha y el importe y devuelve solamente un objeto JSON.",
            ),
            fields(draw, "partes", "fecha", "importe"),
        )
        yield (
            "hi_reply",
            ask(draw.text("billing", 10, 30), "आप एक बैंक के ग्राहक सहायता प्रतिनिधि हैं। हमेशा विनम्रता से और हिंदी में उत्तर दें।"),
            f"नमस्ते, धन्यवाद। {draw.any(8, 20)} कृपया प्रतीक्षा करें।",
        )


def tiny(draw: Draw) -> Iterator[Row]:
    """Three large workflows and eight of a few dozen calls."""
    for _ in range(800):
        yield (
            "big_label",
            ask(draw.text("sport", 5, 20), "Label the sports message as news, question or rant. One word."),
            draw.pick("news", "question", "rant"),
        )
        yield (
            "big_text",
            ask(f"Rewrite this sentence so that a child of eight understands it: {draw.text('law', 10, 25)}"),
            draw.text("law", 12, 30),
        )
        yield (
            "big_json",
            ask(draw.text("garden", 10, 30), "Give plant, month and place from the note as JSON."),
            fields(draw, "plant", "month", "place"),
        )
    for number, topic in enumerate(sorted(TOPICS)):
        rule = draw.text(topic, 14, 22)
        for _ in range(24 + 3 * number):
            yield (
                f"tiny_{topic}",
                ask(draw.text(topic, 8, 30), f"{rule} Write about {topic} in two sentences."),
                draw.text(topic, 20, 30),
            )


def exploring(draw: Draw) -> Iterator[Row]:
    """People who try a model out: one group, not forty fragments; and one real workflow beside them."""
    systems = (
        "",
        "",
        "You are a helpful assistant.",
        "You are ChatGPT, a large language model. Answer as concisely as possible.",
    )
    for number in range(1600):
        yield "exploratory", chat(draw, draw.random.choice(systems)), exploratory_answer(draw)
        if number % 4 == 0:
            yield (
                "minutes",
                ask(
                    draw.any(100, 250),
                    "Turn the transcript into minutes: decisions first, then open points, each a bullet.",
                ),
                "\n".join(f"- {draw.any(5, 10)}" for _ in range(6)),
            )


def terse(draw: Draw) -> Iterator[Row]:
    """Prompts of a few words, one of them without any instruction at all."""
    for _ in range(500):
        yield "category", ask(draw.text("food", 2, 5)), draw.pick("Pantry", "Frozen", "Bakery", "Household")
        yield "synonym", ask(f"synonym of {draw.any(1, 1)}"), draw.any(1, 1).lower()
        yield "regex", ask(f"regex for: {draw.text('tech', 3, 8)}"), f"`^{draw.key()[:6]}[a-z]+\\d{{2,4}}$`"
        yield "haiku", ask(draw.any(1, 3), "Haiku."), "\n".join(draw.any(3, 5) for _ in range(3))


def dynamic(draw: Draw) -> Iterator[Row]:
    """Dates, names, ids and whole JSON payloads inside the templates."""
    for number in range(450):
        system = f"[trace {draw.key()}] {draw.day()} user={draw.name()} plan={draw.pick('free', 'pro')} city={draw.random.choice(PLACES)}\nYou are the in-app guide of a bank. Answer in at most two sentences and name the screen to open."
        if number % 3 == 0:
            system += "\nThe user is on the beta channel: mention that screens may look different."
        yield "guide", ask(draw.text("billing", 4, 20), system), draw.text("billing", 15, 30)
        payload = json.dumps(
            {
                "order": draw.key(),
                "at": draw.day(),
                "lines": [
                    {"sku": draw.key()[:6], "text": draw.text("garden", 2, 5)}
                    for _ in range(draw.random.randint(1, 12))
                ],
            }
        )
        yield (
            "fraud",
            ask(payload, f"Session {draw.key()}. Score the order for fraud from 0 to 100. Reply with the number."),
            str(draw.random.randint(0, 100)),
        )
        yield (
            "ship",
            ask(
                payload, f"Session {draw.key()}. Choose the carrier for the order. Reply with the name of one carrier."
            ),
            draw.pick("DHX", "Postal", "Rapid", "Kurier"),
        )


LOGS: tuple[tuple[str, Callable[[Draw], Iterator[Row]]], ...] = (
    ("agents", agents),
    ("chats", chats),
    ("dynamic", dynamic),
    ("exploring", exploring),
    ("few_shot", few_shot),
    ("languages", languages),
    ("no_system", no_system),
    ("rag", rag),
    ("terse", terse),
    ("tiny", tiny),
    ("versions", versions),
)


class Call(msgspec.Struct, frozen=True):
    """One call as discovery reads it."""

    id: bytes
    at: float
    request: bytes
    response: bytes
    workflow: str = ""
    assigned: str = ""
    status: int = 200


def calls(name: str, seed: int = 7) -> tuple[list[Call], list[str]]:
    """A log's calls, in the order of time, and the workflow of each."""
    draw = Draw(seed)
    rows = list(dict(LOGS)[name](draw))
    found, truth = [], []
    for number, (workflow, request, answer) in enumerate(rows):
        message: dict[str, Any] = {"role": "assistant", "content": answer}
        if isinstance(answer, list):
            tools = [
                {"id": "c", "type": "function", "function": {"name": one, "arguments": told}} for one, told in answer
            ]
            message = {"role": "assistant", "content": None, "tool_calls": tools}
        response = {"object": "chat.completion", "model": "m", "choices": [{"index": 0, "message": message}]}
        key = draw.random.getrandbits(128).to_bytes(16, "big")
        at = 1_767_225_600 + number / len(rows) * 28 * 86400
        found.append(Call(key, at, json.dumps(request, ensure_ascii=False).encode(), json.dumps(response).encode()))
        truth.append(workflow)
    return found, truth
