"""What each grader counts as right, wrong, and half right."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from freehold.grading.errors import GraderFailed
from freehold.grading.registry import GRADERS, agree, check, find, grade, with_embedder
from freehold.grading.types import Answer, Grade, Spec, ToolCall


def text(value):
    return Answer(text=value if isinstance(value, str) else json.dumps(value))


def calls(*pairs):
    return Answer(tool_calls=tuple(ToolCall(name, json.dumps(arguments)) for name, arguments in pairs))


def score(kind, answer, reference, **options):
    return grade(Spec(kind, options), answer, reference).score


def test_the_registry_is_sorted_and_every_name_stands_once():
    names = [one.name for one in GRADERS]
    assert all(a < b for a, b in pairwise(names))


@pytest.mark.parametrize(
    "given",
    ["card_arrival", " Card_Arrival.", '"card_arrival"', "label: card_arrival", "**card_arrival**", "`card_arrival`"],
)
def test_a_label_is_right_whatever_is_around_it(given):
    assert score("label", text(given), text("card_arrival")) == 1.0


def test_a_label_among_others_is_wrong_and_one_outside_the_set_is_told():
    assert score("label", text("card_arrival or card_linking"), text("card_arrival")) == 0.0
    told = grade(Spec("label", {"labels": ["a", "b"]}), text("zebra"), text("a"))
    assert told == Grade(0.0, "'zebra' is none of the labels")


def test_a_label_may_stand_in_a_field_and_case_and_prefix_may_count():
    assert score("label", text({"intent": "Refund"}), text({"intent": "refund", "why": "x"}), field="intent") == 1.0
    assert score("label", text("US"), text("us"), case=True) == 0.0
    assert score("label", text("topic: a"), text("a"), prefix=False) == 0.0


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("The total is $1,234.50", "1234.5"),
        ("so 12 %", "12"),
        ("10-3 = 7", "7.0"),
        ("therefore \\boxed{42}, of 99", "42"),
        ("minus: -5", "-5"),
        ('{"answer": "18 eggs"}', '{"answer": 18}'),
    ],
)
def test_numbers_are_read_as_people_write_them(given, wanted):
    options = {"field": "answer"} if given.startswith("{") else {}
    assert score("number", text(given), text(wanted), **options) == 1.0
    assert score("number", text(given + " 3"), text("77.5")) == 0.0


def test_a_field_is_found_in_broken_json_too():
    broken = '```json\n{"reasoning": "a "quoted" word\nand a line", "answer": "250"}\n```'
    assert score("number", text(broken), text("250"), field="answer") == 1.0


def test_json_fields_give_the_share_of_right_ones_and_name_the_wrong():
    wanted = {"company": "ACME Ltd", "total": "10.00", "date": "04-06-2018", "at": {"city": "Rome"}}
    given = {"company": "acme  ltd", "total": 10, "date": "4 Jun 2018", "at": {"city": "Paris"}}
    told = grade(Spec("json_fields", {"numbers": ["total"], "dates": ["date"]}), text(given), text(wanted))
    assert told == Grade(0.75, "wrong: at.city")
    assert score("json_fields", text(given), text(wanted)) == 0.25
    assert score("json_fields", text(given), text(wanted), fields=["company"]) == 1.0
    assert score("json_fields", text({**wanted, "more": 1}), text(wanted)) == 0.8
    assert score("json_fields", text({**wanted, "more": 1}), text(wanted), extra=False) == 1.0
    assert score("json_fields", text(given), text(wanted), all_or_nothing=True) == 0.0
    assert score("json_fields", text("no object"), text(wanted)) == 0.0


def test_an_answer_that_breaks_its_schema_scores_nothing():
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    assert score("json_fields", text({"total": 1}), text({"total": 1}), schema=schema) == 1.0
    told = grade(
        Spec("json_fields", {"schema": schema, "numbers": ["total"]}), text({"total": "1"}), text({"total": 1})
    )
    assert told == Grade(0.0, "breaks the schema at total")
    with pytest.raises(GraderFailed, match="schema is none"):
        score("json_fields", text({"total": 1}), text({"total": 1}), schema={"type": "nonsense"})


def test_tool_calls_match_in_any_order():
    one, two = ("weather", {"city": "Rome"}), ("time", {"zone": 1})
    assert score("tool_call", calls(one, two), calls(two, one)) == 1.0
    assert score("tool_call", calls(one, two), calls(two, one), ordered=True) == 0.0
    assert score("tool_call", calls(one), calls(one, two)) == 0.0
    assert score("tool_call", calls(one), calls(one, two), partial=True) == 0.5
    assert score("tool_call", calls(one, one), calls(one, two)) == 0.0


@pytest.mark.parametrize(
    ("given", "wanted", "options", "right"),
    [
        ({"n": 5}, {"n": 5.0}, {}, True),
        ({"n": "5"}, {"n": 5}, {}, False),
        ({"n": "5"}, {"n": 5}, {"coerce": True}, True),
        ({"city": "new  york"}, {"city": "New York"}, {}, True),
        ({"city": "New York, NY"}, {"city": "New York NY"}, {}, False),
        ({"city": "New York, NY"}, {"city": "New York NY"}, {"text": "letters"}, True),
        ({"l": [1, 2]}, {"l": [2, 1]}, {}, False),
        ({"on": True}, {"on": 1}, {}, False),
        ({"a": 1, "note": "x"}, {"a": 1}, {"ignore": ["note"]}, True),
    ],
)
def test_arguments_are_equal_as_people_mean_it(given, wanted, options, right):
    assert score("tool_call", calls(("f", given)), calls(("f", wanted)), **options) == float(right)


def test_an_optional_argument_left_out_equals_its_default():
    schema = {"f": {"properties": {"a": {}, "unit": {"default": "km"}, "note": {}}, "required": ["a"]}}
    short, full, other = ({"a": 1}, {"a": 1, "unit": "km"}, {"a": 1, "unit": "mile"})
    assert score("tool_call", calls(("f", full)), calls(("f", short)), schemas=schema) == 1.0
    assert score("tool_call", calls(("f", other)), calls(("f", short)), schemas=schema) == 0.0
    assert score("tool_call", calls(("f", other)), calls(("f", short)), schemas=schema, optional="lenient") == 1.0
    assert score("tool_call", calls(("f", {})), calls(("f", short)), schemas=schema, optional="lenient") == 0.0


def test_where_no_tool_is_due_calling_one_is_wrong():
    assert score("tool_call", text("sorry"), text("no tool fits")) == 1.0
    assert score("tool_call", calls(("f", {})), text("no tool fits")) == 0.0
    assert not agree(Spec("tool_call"), text("sorry"), text("sorry"))


def test_arguments_that_are_no_object_are_the_answers_fault_or_the_references():
    broken = Answer(tool_calls=(ToolCall("f", "{oops"),))
    assert score("tool_call", broken, calls(("f", {}))) == 0.0
    with pytest.raises(GraderFailed):
        score("tool_call", calls(("f", {})), broken)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+b", "(.*)*x", "([a-z]+)*1"])
def test_a_pattern_that_explodes_elsewhere_ends_here(pattern):
    long = text("a" * 150_000 + "!")
    told = grade(Spec("regex", {"pattern": pattern, "blind": True}), long, text(""))
    assert told.score in (0.0, 1.0)


def test_what_a_pattern_finds_is_compared_and_a_blind_one_is_not_for_agreement():
    order = r"(?i)order\s+#?(\d+)"
    assert score("regex", text("Order #77 is here"), text("your order 77"), pattern=order) == 1.0
    assert score("regex", text("Order #78 is here"), text("your order 77"), pattern=order) == 0.0
    blind = Spec("regex", {"pattern": order, "blind": True})
    assert grade(blind, text("order 1"), text("")).score == 1.0
    assert not agree(blind, text("order 1"), text("order 2"))
    with pytest.raises(GraderFailed, match="not valid"):
        score("regex", text("a"), text("a"), pattern=r"(?=a)")


def test_sql_is_equal_whatever_its_layout():
    one = "select  Name from `People`\nwhere age<>3 and city = 'Rome' -- all\n;"
    assert (
        score("sql", text(f"```sql\n{one}\n```"), text('SELECT name FROM people WHERE age != 3 AND city = "Rome"'))
        == 1.0
    )
    assert (
        score(
            "sql", text("select name from people where city='rome'"), text("select name from people where city='Rome'")
        )
        == 0.0
    )


def test_likeness_of_texts_and_of_meaning():
    assert score("edit_distance", text("Hello there"), text("hello  there")) == 1.0
    assert 0 < score("edit_distance", text("hello"), text("hallo")) < 1
    graders = with_embedder(lambda one: [len(one), 1.0])
    near = grade(Spec("embedding"), text("abcd"), text("abcde"), graders)
    assert 0.99 < near.score < 1.0
    with pytest.raises(GraderFailed, match="embedder"):
        grade(Spec("embedding"), text("a"), text("b"))


def test_scorers_of_the_library():
    assert score("autoevals", text("10"), text("10"), scorer="NumericDiff") == 1.0
    assert 0 < score("autoevals", text({"a": "bcd"}), text({"a": "bce"}), scorer="JSONDiff") < 1
    with pytest.raises(GraderFailed):
        score("autoevals", text("1"), text("1"), scorer="Factuality")


def test_unknown_graders_and_options_are_told():
    with pytest.raises(GraderFailed, match="no grader"):
        find("astrology")
    with pytest.raises(GraderFailed, match="no option"):
        check(Spec("label", {"feild": "x"}))
    with pytest.raises(GraderFailed):
        check(Spec("number", {"relative": "much"}))
    check(Spec("json_fields", {"fields": ["a"]}))


def test_a_grader_that_breaks_fails_and_nothing_else_does():
    class Broken:
        name = "broken"

        def grade(self, answer, reference, options):
            raise ZeroDivisionError

        def agrees(self, one, other, options):
            raise ZeroDivisionError

    class Boastful(Broken):
        name = "boastful"

        def grade(self, answer, reference, options):
            return Grade(1.5)

    for kind in ("broken", "boastful"):
        with pytest.raises(GraderFailed):
            grade(Spec(kind), text("a"), text("a"), (Broken(), Boastful()))
    with pytest.raises(GraderFailed):
        agree(Spec("broken"), text("a"), text("a"), (Broken(),))
