"""An input file as tasks, or as problems that say what is wrong with which line. Pure.

A problem names lines and fields and quotes nothing of what stands in them.
"""

from __future__ import annotations

import msgspec

from freehold.batches.types import Problem, Task

MOST_PROBLEMS = 100
_CUSTOM_ID = 512


class _Line(msgspec.Struct):
    custom_id: str
    url: str
    body: msgspec.Raw
    method: str = "POST"


class _Body(msgspec.Struct):
    model: str
    stream: bool | None = None


class Read(msgspec.Struct, frozen=True):
    """What a file holds. `model` is empty where lines name different ones; with problems, tasks are not to be run."""

    tasks: tuple[Task, ...]
    problems: tuple[Problem, ...]
    model: str


_line = msgspec.json.Decoder(_Line).decode
_body = msgspec.json.Decoder(_Body).decode


def read(content: bytes, endpoint: str, most_lines: int) -> Read:
    """The tasks of a batch for `endpoint`. Empty lines are passed over; numbers count every line."""
    tasks: list[Task] = []
    problems: list[Problem] = []
    models: set[str] = set()
    seen: set[str] = set()
    for number, raw in enumerate(content.split(b"\n"), 1):
        if not raw.strip():
            continue
        if len(tasks) >= most_lines:
            problems.append(Problem("too_many_tasks", f"a batch has at most {most_lines} lines", number))
            break
        found = _task(number, raw, endpoint, seen)
        if isinstance(found, Problem):
            problems.append(found)
            if len(problems) >= MOST_PROBLEMS:
                break
        else:
            tasks.append(found[0])
            models.add(found[1])
    if not tasks and not problems:
        problems.append(Problem("empty_file", "the input file holds no lines"))
    return Read(tuple(tasks), tuple(problems), models.pop() if len(models) == 1 else "")


def _task(number: int, raw: bytes, endpoint: str, seen: set[str]) -> tuple[Task, str] | Problem:
    try:
        line = _line(raw)
        body = _body(line.body)
    except msgspec.ValidationError as error:
        return Problem("invalid_request", f"the line is no request: {_without_content(error)}", number)
    except (msgspec.DecodeError, RecursionError):
        return Problem("invalid_json_line", "the line is not JSON", number)
    except UnicodeDecodeError:
        return Problem("invalid_json_line", "the line is not UTF-8", number)
    if not 0 < len(line.custom_id) <= _CUSTOM_ID:
        return Problem("invalid_custom_id", f"it has 1 to {_CUSTOM_ID} characters", number, "custom_id")
    if line.custom_id in seen:
        return Problem("duplicate_custom_id", "an earlier line has the same", number, "custom_id")
    seen.add(line.custom_id)
    if line.method != "POST":
        return Problem("invalid_method", "only POST is run", number, "method")
    if line.url != endpoint:
        return Problem("mismatched_endpoint", f"the batch is for {endpoint}", number, "url")
    if body.stream:
        return Problem("invalid_request", "answers of a batch are not streamed", number, "body.stream")
    return Task(number, line.custom_id, bytes(line.body)), body.model


def _without_content(error: msgspec.ValidationError) -> str:
    """What kind of value was expected where: msgspec quotes no values but for enums, which there are none of here."""
    return str(error)
