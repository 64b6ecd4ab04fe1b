from __future__ import annotations

import itertools
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.guard.stand_ins import DAYS, FORMS, NAMES
from freehold.guard.vault import Vault

KEY = b"k" * 32
KINDS = sorted({*NAMES, *DAYS, "API_KEY", "ORG", *(kind for kind, _ in FORMS)})
VALUES = (
    ("PERSON", "John Smith"),
    ("PERSON", "SMITH"),
    ("PERSON", "Dr. J. van der Berg"),
    ("PERSON", "王伟"),
    ("PERSON", "McDonald"),
    ("PERSON", "Mcdonald"),
    ("EMAIL", "J.Smith@acme.example"),
    ("EMAIL", "j.smith@acme.example"),
    ("PHONE", "(415) 555-2671"),
    ("PHONE", "+49 30 1234567"),
    ("PHONE", "030 123 4567"),
    ("CARD", "4111 1111 1111 1111"),
    ("CARD", "4111111111111111"),
    ("IBAN", "DE89 3704 0044 0532 0130 00"),
    ("IBAN", "de89370400440532013000"),
    ("SSN", "123-45-6789"),
    ("IP_ADDRESS", "10.1.2.3"),
    ("IP_ADDRESS", "fe80::1"),
    ("DATE", "1984-03-12"),
    ("DATE", "12/03/1984"),
    ("API_KEY", "sk-live-abcdef"),
    ("URL", "https://intranet.acme.example/x"),
)
BETWEEN = (" ", "", "\n", ", ", "5", "a", "Person-", "9999", "\\n", "-", "example.invalid", "é", "K", "'s ")

pieces = st.lists(
    st.one_of(
        st.sampled_from(VALUES),
        st.tuples(st.sampled_from(KINDS), st.text(min_size=1, max_size=12)),
        st.sampled_from(BETWEEN),
        st.text(max_size=8),
    ),
    max_size=14,
)


def told(parts):
    """The text, and where the values stand in it."""
    text, spans = "", []
    for one in parts:
        value = one if isinstance(one, str) else one[1]
        if not isinstance(one, str):
            spans.append((len(text), len(text) + len(value), one[0]))
        text += value
    return text, spans


def sent(vault, parts):
    text, spans = told(parts)
    return text, vault.replaced([text], [spans])[0]


def streamed(vault, text, cuts, *, escaped=False):
    restorer = vault.restorer(escaped=escaped)
    places = sorted({0, len(text), *(min(one, len(text)) for one in cuts)})
    out = [restorer.feed(text[a:b]) for a, b in itertools.pairwise(places)]
    return "".join([*out, restorer.end()])


@settings(max_examples=150, deadline=None)
@given(pieces, st.lists(st.integers(0, 300), max_size=30))
def test_any_text_comes_back_as_it_was_whole_and_in_any_pieces(parts, cuts):
    vault = Vault(KEY, "c")
    text, out = sent(vault, parts)
    assert vault.restore(out) == text
    assert streamed(vault, out, cuts) == text


@settings(max_examples=150, deadline=None)
@given(pieces, st.text(max_size=5), st.lists(st.integers(0, 300), max_size=30), st.booleans(), st.randoms())
def test_any_split_of_any_answer_restores_to_what_the_whole_answer_does(parts, more, cuts, escaped, random):
    vault = Vault(KEY, "c")
    _, out = sent(vault, parts)
    odd = (more, " ", "(", out.upper()[:30], out.replace("-", "\u2011"), out[:9], "\\u00e9")
    words = [*re.findall(r"\S+\s?", out), *odd]
    answer = "".join(random.choices(words, k=12))
    assert streamed(vault, answer, cuts, escaped=escaped) == vault.restore(answer, escaped=escaped)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(VALUES), min_size=1, max_size=8))
def test_no_value_is_in_what_goes_out(values):
    vault = Vault(KEY, "c")
    _, out = sent(vault, [part for one in values for part in (one, " and ")])
    for _, value in values:
        assert value.casefold() not in out.casefold()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.text(min_size=1, max_size=10)), min_size=2, max_size=12, unique=True)
)
def test_two_values_never_share_a_stand_in(values):
    vault = Vault(KEY, "c")
    by_text = {}
    for kind, value in values:
        by_text.setdefault(vault.stand_in(kind, value), set()).add(value)
    assert all(len(found) == 1 for found in by_text.values())


def test_a_conversation_sent_again_with_more_gets_the_same_stand_ins():
    first, second = Vault(KEY, "c"), Vault(KEY, "c")
    before = [first.stand_in(kind, value) for kind, value in VALUES[:6]]
    assert [second.stand_in(kind, value) for kind, value in VALUES][:6] == before


@pytest.mark.parametrize("other", [Vault(b"x" * 32, "c"), Vault(KEY, "d")])
def test_another_key_or_conversation_gives_other_stand_ins(other):
    mine = Vault(KEY, "c")
    assert all(mine.stand_in(kind, value) != other.stand_in(kind, value) for kind, value in VALUES)


def test_a_stand_in_that_the_text_holds_already_is_not_given():
    taken = Vault(KEY, "c").stand_in("PERSON", "John Smith")
    vault = Vault(KEY, "c")
    text = f"John Smith met {taken}."
    (out,) = vault.replaced([text], [[(0, 10, "PERSON")]])
    assert not out.startswith(taken) and out.endswith(f" met {taken}.")
    assert vault.restore(out) == text


def test_a_name_is_known_again_in_the_ways_models_write_it():
    vault = Vault(KEY, "c")
    first, last = vault.stand_in("PERSON", "Ann Smith").split()
    answer = f"**{first}**'s file: {last.upper()}, {first} (Ms. {last}), {last}s, {first}\n{last}"
    assert vault.restore(answer) == "**Ann**'s file: SMITH, Ann (Ms. Smith), Smiths, Ann\nSmith"


def test_words_of_a_name_stand_for_the_same_wherever_they_are():
    vault = Vault(KEY, "c")
    ann, ben = vault.stand_in("PERSON", "Ann Smith"), vault.stand_in("PERSON", "Ben Smith")
    assert ann.split()[1] == ben.split()[1] == vault.stand_in("PERSON", "Smith")
    assert ann.split()[0] != ben.split()[0]


def test_a_number_is_known_again_with_other_separators():
    vault = Vault(KEY, "c")
    made = vault.stand_in("CARD", "4111 1111 1111 1111")
    assert vault.restore(made.replace(" ", "")) == "4111111111111111"
    assert vault.restore(made.replace(" ", "-")) == "4111-1111-1111-1111"
    assert vault.restore(f"{made}7") == f"{made}7"


def test_a_code_is_known_again_with_another_dash():
    vault = Vault(KEY, "c")
    made = vault.stand_in("API_KEY", "hunter2hunter2")
    assert made.startswith("ApiKey-")
    assert vault.restore(made.replace("-", "\u2011").lower()) == "hunter2hunter2"


def test_arguments_in_json_get_escaped_values():
    vault = Vault(KEY, "c")
    value = 'Ann "Bee"\nSmith'
    arguments = json.dumps(
        {"to": f"x {vault.stand_in('ALIAS', value)}", "iban": "\n" + vault.stand_in("IBAN", VALUES[13][1])}
    )
    restored = vault.restore(arguments, escaped=True)
    assert json.loads(restored) == {"to": f"x {value}", "iban": f"\n{VALUES[13][1]}"}
    assert streamed(vault, arguments, range(len(arguments)), escaped=True) == restored


def test_a_stream_is_not_held_back_for_what_is_no_stand_in():
    vault = Vault(KEY, "c")
    made = vault.stand_in("PERSON", "Ann Smith")
    restorer = vault.restorer()
    assert restorer.feed("Hello! ") == "Hello! "
    assert restorer.feed(made[:5]) == ""
    assert restorer.feed(made[5:] + ".") == "Ann Smith."


def test_one_value_in_a_tight_place_costs_the_others_nothing():
    vault = Vault(KEY, "c")
    text = "call +49 30 1234567x or 10.1.2.3"
    (out,) = vault.replaced([text], [[(5, 19, "PHONE"), (24, 32, "IP")]])
    assert out.startswith("call Phone-") and " or 198.1" in out
    assert vault.restore(out) == text


def test_many_values_are_all_told_apart():
    vault = Vault(KEY, "c")
    names = [f"Ana {chr(97 + at // 26) * 2}{chr(97 + at % 26)}son" for at in range(300)]
    text = "; ".join(names)
    starts = [text.index(one) for one in names]
    (out,) = vault.replaced([text], [[(at, at + len(one), "PERSON") for at, one in zip(starts, names, strict=True)]])
    assert len(set(out.split("; "))) == len(set(names))
    assert streamed(vault, out.lower(), range(0, len(out), 5)) == text.lower()


def luhn(digits):
    return sum(sum(divmod(int(one) * (1 + at % 2), 10)) for at, one in enumerate(reversed(digits))) % 10 == 0


@pytest.mark.parametrize("number", range(20))
def test_numbers_are_valid_and_nobody_elses(number):
    vault = Vault(KEY, str(number))
    card = vault.stand_in("CARD", "4111 1111 1111 1111").replace(" ", "")
    assert card.startswith("9999") and len(card) == 16 and luhn(card)
    iban = vault.stand_in("IBAN", "GB29NWBK60161331926819")
    assert iban.startswith("ZZ") and int("".join(str(int(one, 36)) for one in iban[4:] + iban[:4])) % 97 == 1
    assert re.fullmatch(r"\([2-9][0-8]\d\) 555-01\d\d", vault.stand_in("PHONE", "(415) 555-2671"))
    assert re.fullmatch(r"\+99 9\d \d{7}", vault.stand_in("PHONE", "+49 30 1234567"))
    assert re.fullmatch(r"9\d\d-00-\d{4}", vault.stand_in("SSN", "123-45-6789"))
    assert re.fullmatch(r"198\.1[89]\.\d+\.\d+", vault.stand_in("IP", "10.1.2.3"))
    assert vault.stand_in("EMAIL", "a@b.example").endswith("@example.invalid")


def test_dates_of_a_conversation_keep_their_distance():
    vault = Vault(KEY, "c")
    one, other = (int(vault.stand_in("DATE", day)[-2:]) for day in ("2024-03-02", "2024-03-05"))
    assert (other - one) % 31 in {3, 2, 4, 6}
    assert vault.stand_in("DATE", "2024-03-02") != "2024-03-02"
    assert vault.stand_in("DATE", "last Tuesday").startswith("Date-")


def test_a_value_that_was_found_once_goes_out_nowhere_else_either():
    vault = Vault(KEY, "c")
    made = vault.stand_in("PERSON", "Ann Smith")
    text = f"{made} and Ann Smith; Joann Smithson; ask Smith."
    swept = vault.sweep(text)
    assert swept == f"{made} and {made}; Joann Smithson; ask {made.split()[1]}."
    assert vault.restore(swept) == vault.restore(text)


@settings(max_examples=60, deadline=None)
@given(pieces, pieces)
def test_sweeping_changes_nothing_of_what_comes_back(parts, others):
    vault = Vault(KEY, "c")
    text, other = told(parts)[0], told(others)[0]
    _, out = vault.replaced([other, text], [[], told(parts)[1]])
    assert vault.restore(vault.sweep(out)) == text
    assert vault.restore(vault.sweep(other)) == other
