"""Forms: what is accepted can be read in one way only, and what is not named stays byte for byte."""

from __future__ import annotations

import email.parser
import email.policy
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.errors import BadRequest
from freehold.gateway.forms import Form, declared_boundary, with_field

MARK = b"--b\r\n"


def part(name: str, content: bytes, more: str = "") -> bytes:
    return MARK + f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


contents = st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"\r\n", b"--", b"\r\n--", b"--c", b"\r\n\r\n"]))
names = st.text("abcdefgh_[]", min_size=1, max_size=8)


@settings(max_examples=80, deadline=None)
@given(fields=st.lists(st.tuples(names, contents), max_size=6), model=st.text(max_size=20))
def test_a_form_is_cut_as_the_standard_library_cuts_it(fields, model) -> None:
    fields = [(name, one) for name, one in fields if b"--b" not in one]
    whole = body(*(part(name, one, '; filename="f"') for name, one in fields), part("model", b"route"))
    form = Form(whole)
    assert [(one.name, whole[one.start : one.end]) for one in form.parts] == [*fields, ("model", b"route")]
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    parsed = parser.parsebytes(b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + whole)
    assert len(parsed.get_payload()) == len(form.parts)
    changed = with_field(whole, "model", model) if "--b" not in model else whole
    assert changed == whole or changed == whole.replace(
        b"\r\n\r\nroute\r\n", b"\r\n\r\n" + model.encode("utf-8", "surrogatepass") + b"\r\n"
    )


@settings(max_examples=150, deadline=None)
@given(
    noise=st.lists(
        st.one_of(st.binary(max_size=12), st.sampled_from([MARK, b"--b--", b"\r\n", part("model", b"m")])), max_size=6
    )
)
def test_noise_raises_our_error_and_no_other(noise) -> None:
    with suppress(BadRequest):
        with_field(b"".join(noise), "model", "m")


GOOD = part("model", b"m")


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"{}",
        b"preamble\r\n" + body(GOOD),
        body(GOOD)[:-4],
        body(GOOD) + b"epilogue",
        body(part("file", b"x--by", '; filename="f"')),
        body(part("file", b"x\n--b\n", '; filename="f"')),
        body(MARK + b"no head\r\n"),
        body(MARK + b'Content-Disposition: form-data; name="a"; name="b"\r\n\r\nx\r\n'),
        body(MARK + b"Content-Disposition: form-data; name*=utf-8''model\r\n\r\nx\r\n"),
        body(MARK + b'Content-Disposition: attachment; name="model"\r\n\r\nx\r\n'),
        body(
            MARK + b'Content-Disposition: form-data; name="a"\r\ncontent-disposition: form-data; name="b"\r\n\r\nx\r\n'
        ),
        body(MARK + b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n'),
        body(MARK + b'Content-Disposition: form-data; name="a"\n\nx\r\n\r\n\r\n'),
        body(*([GOOD] * 65)),
        body(part("_charset_", b"utf-16")),
        body(
            MARK + b'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nx\r\n'
        ),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(wrong) -> None:
    with pytest.raises(BadRequest):
        Form(wrong)


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'Multipart/Form-Data;boundary="a b"', b"a b"),
        (b"multipart/form-data; boundary=abc; charset=utf-8", b"abc"),
        (b"multipart/mixed; boundary=abc", b""),
        (b"application/json", b""),
        (b"multipart/form-data", b""),
    ],
)
def test_the_declared_boundary(kind, boundary) -> None:
    assert declared_boundary(kind) == boundary


def test_a_text_that_would_forge_a_part_is_not_put_in() -> None:
    with pytest.raises(BadRequest):
        with_field(body(GOOD), "model", "x\r\n--b\r\n")


@pytest.mark.parametrize("charset", ["utf-8", '"UTF-8"', "us-ascii"])
def test_a_field_may_say_that_it_is_plain(charset) -> None:
    told = f'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset={charset}\r\n\r\nx\r\n'
    assert Form(body(MARK + told.encode())).one("a") == "x"


def test_files_are_told_apart_and_never_read_as_texts() -> None:
    form = Form(body(GOOD, part("file", b"\xff\xfe", '; filename="a.wav"')))
    assert form.one("model") == "m" and form.parts[1].files == ("a.wav",) and form.kind.endswith(b"boundary=b")
    with pytest.raises(BadRequest):
        form.one("file")
    with pytest.raises(BadRequest):
        Form(body(GOOD, GOOD)).one("model")
