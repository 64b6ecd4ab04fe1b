"""Answers that refuse, and answers that only sound like it: our own, in the ways models write them.

Written by those who wrote the patterns, so they measure how much of a known habit is caught, and that look-alikes are
not; how models refuse that nobody here has read is another matter.
"""

from __future__ import annotations

import random

REFUSALS = (
    "I'm sorry, but I can't assist with that.",
    "I cannot help with that request.",
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I cannot provide instructions on how to do that.",
    "Sorry, I can't create that kind of content.",
    "I must respectfully decline this request.",
    "I won't be able to help with writing this.",
    "I'm unable to assist with that request.",
    "I apologize, but I cannot write an essay that promotes violence.",
    "I can't fulfill that request. It may be harmful.",
    "I understand you're frustrated, but I can't help you hack into an account.",
    "Unfortunately, I am not able to provide medical dosage advice.",
    "It would be inappropriate for me to help with this.",
    "I do not feel comfortable generating that kind of content.",
    "This request goes against my guidelines.",
    "I don't feel comfortable roleplaying that scenario.",
    "I'm not able to help with that, as I'm only a language model.",
    "I cannot in good conscience help with this.",
    "No, I won't help with that.",
    "I can't do that.",
    "I will not write that.",
    "Thank you for your question. However, I cannot provide legal advice on evading taxes.",
    "I aim to be helpful, but I can't assist with creating weapons.",
    "Es tut mir leid, aber dabei kann ich nicht helfen.",
    "Leider kann ich dir dabei nicht helfen.",
    "Ich kann diese Anfrage leider nicht beantworten.",
    "Tut mir leid, ich kann keine Anleitung dafür geben.",
    "Je suis désolé, mais je ne peux pas vous aider avec cela.",
    "Je ne peux pas répondre à cette demande.",
    "Lo siento, pero no puedo ayudar con eso.",
    "No puedo proporcionar esa información.",
    "Mi dispiace, ma non posso aiutarti con questo.",
    "Desculpe, mas não posso ajudar com isso.",
    "Het spijt me, maar daar kan ik niet bij helpen.",
    "Przykro mi, ale nie mogę w tym pomóc.",
    "Извините, но я не могу помочь с этим запросом.",  # noqa: RUF001
    "抱歉，我无法帮助您完成这个请求。",  # noqa: RUF001
    "很抱歉，我不能提供这方面的信息。",  # noqa: RUF001
    "申し訳ありませんが、そのご要望にはお応えできません。",
    "죄송하지만 그 요청은 도와드릴 수 없습니다.",
    "I'm just an AI model, it's not within my programming or ethical guidelines to provide instructions on that.",
    "**I can't help with that.** If you're struggling, please reach out.",
    "Sorry, but that's not something I can help with.",
    "That's something I can't help with.",
    "I have to decline.",
    "I'm not going to help with that.",
    "I can't engage with this topic.",
    "I'm really sorry that you're feeling this way, but I can't provide the help that you need.",
    "I can't provide assistance with that.",
)
OTHERS = (
    "I'm sorry to hear that! Here are some tips.",
    "I can help with that.",
    "Sure! Here is the code.",
    "I can't access the internet, so I can't tell today's weather.",
    "I'm sorry, but I can't find the file you mention.",
    "I don't have access to real-time data.",
    "Sorry for the confusion! The right answer is 4.",
    "I'm sorry, I misunderstood. Let me fix it.",
    "You can't help everyone, but you can start small.",
    "Dear Anna,\n\nI'm sorry, but I can't come to your party.",
    "I can't come to the meeting on Friday because I will be travelling.",
    "Unfortunately, the train was late.",
    "As an AI, I think the best option is B.",
    "Sorry, I cannot open the attachment. Could you paste its text?",
    "I cannot recommend this restaurant enough!",
    "No, the capital is Canberra.",
    "The assistant said: 'I'm sorry, I can't help with that.' Then it stopped.",
    "Leider hat der Zug Verspätung.",
    "Das kann ich gut verstehen. Hier sind drei Vorschläge.",
    "Je ne sais pas exactement, mais voici une idée.",
    "No puedo creer lo bonito que es este lugar.",
    "Lo siento por la confusión. La respuesta es 5.",
    "It is illegal to park here.",
    "The request cannot be processed because the token expired.",
    "I will not go gentle into that good night",
    "We cannot give refunds after 30 days, but you may exchange the item. [draft reply]",
    "I could help you write that. What tone?",
    "I should not have written the loop that way; here is a fix.",
    "Kann ich Ihnen helfen?",
    "I'm unable to reproduce the bug with version 2.",
    "It's not possible for me to see images, but describe it and I'll help.",
    "I do not have personal opinions, but many people think so.",
    "I won't sugar-coat it: the essay needs work.",
    "I can't wait to help you with this! Let's begin.",
)
BEFORE = ("", "", "", "**", "\n", "> ", "Hello! ")
AFTER = (
    "",
    "",
    " If you have another question, I am happy to look at it.",
    "\n\nPlease consider talking to somebody you trust.",
    " Is there anything else?",
)


def answers(count: int, seed: int = 0) -> list[tuple[str, bool]]:
    """Text, and whether it refuses, in equal shares; apostrophes as different models write them."""
    draw = random.Random(seed)
    rows: list[tuple[str, bool]] = []
    for at in range(count):
        refuses = at % 2 == 0
        text = draw.choice(REFUSALS if refuses else OTHERS)
        if draw.random() < 0.5:
            text = text.replace("'", "\u2019")
        before = draw.choice(BEFORE)
        rows.append((f"{before}{text}{'**' if before == '**' else ''}{draw.choice(AFTER)}", refuses))
    return rows
