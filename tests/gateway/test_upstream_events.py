"""Server-sent events however the network cuts them, and chunks of which no more than two fields change."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.asking.chunk_editing import ChunkEditor
from gateway.asking.sse import Event, EventReader, EventTooLarge

texts = st.text(st.characters(exclude_characters="\r\n\ufeff", codec="utf-8"), max_size=8)
ends = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def streams(draw):
    """The bytes of a stream: events, names, comments and fields that nobody knows, each line with an end of its own."""
    fields = st.sampled_from(["data:", "data: ", "data", "event: error", ": keep alive", ":", "id: 7", "strange", ""])
    lines = draw(st.lists(st.tuples(fields, texts, ends), max_size=12))
    return (draw(st.sampled_from(["", "\ufeff"])) + "".join("".join(line) for line in lines)).encode()


def read_all(chunks, max_bytes=10**6):
    reader = EventReader(max_bytes=max_bytes)
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()


@given(streams(), st.sets(st.integers(0, 200), max_size=8))
@example(b"data: {}\n\ndata: [DONE]\n\n", {10})
@example(b"\xef\xbb\xbfdata: a\r\n\r\ndata: b\r\rdata: c", {1, 11, 12, 13})
def test_any_cutting_of_a_stream_gives_the_same_events(content, cuts):
    bounds = [0, *sorted(cut for cut in cuts if cut <= len(content)), len(content)]

    pieces = [content[start:end] for start, end in pairwise(bounds)]

    assert read_all(pieces) == read_all([content])
    assert read_all([bytes([byte]) for byte in content]) == read_all([content])


@given(st.lists(st.lists(texts, min_size=1, max_size=3), max_size=4), ends, st.booleans())
def test_events_that_were_written_are_read(all_lines, end, has_comments):
    written = b""
    for lines in all_lines:
        written += f": hello{end}{end}".encode() if has_comments else b""
        written += "".join(f"data: {line}{end}" for line in lines).encode() + end.encode()

    assert read_all([written]) == [Event("\n".join(lines).encode()) for lines in all_lines]


def test_a_letter_of_several_bytes_may_be_cut_in_two():
    content = "data: 世界 \u2028 ü\n\n".encode()

    assert read_all([content[:7], content[7:]]) == [Event("世界 \u2028 ü".encode())]


def test_the_last_event_needs_no_empty_line_behind_it():
    assert read_all([b"data: a\n\ndata: [DONE]"]) == [Event(b"a"), Event(b"[DONE]")]


@pytest.mark.parametrize(
    "chunks",
    [[b"data: " + b"x" * 101], [b"x" * 60] * 2, [b"data: " + b"x" * 40 + b"\n"] * 3, [b"data: x\n"] * 60],
)  # fmt: skip
def test_an_event_larger_than_allowed_is_refused_while_it_comes(chunks):
    with pytest.raises(EventTooLarge, match="100 bytes"):
        read_all(chunks, max_bytes=100)


def test_many_small_events_are_none_that_is_too_large():
    assert len(read_all([b"data: x\n\n" * 1000], max_bytes=100)) == 1000


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["model", "usage", '"model":"theirs"', ',"usage":null', "\ud83d", "世"]) | st.text(),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["model", "usage", "a", "b"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["model", "usage", "choices", "id", "new"]), values, max_size=5),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_chunk_changes_in_its_model_and_its_usage_alone(chunk, hides_usage, is_short, is_ascii):
    separators = (",", ":") if is_short else None
    data = json.dumps(chunk, separators=separators, ensure_ascii=is_ascii).encode(errors="surrogatepass")
    if b"\xed\xa0" in data:
        data = json.dumps(chunk, separators=separators).encode()
    editor = ChunkEditor('my "own"', hides_usage=hides_usage)

    edited = [editor.edited(data, chunk) for _ in range(2)]

    expected = {key: value for key, value in chunk.items() if not (hides_usage and key == "usage")}
    assert [json.loads(one) for one in edited] == [{**expected, "model": 'my "own"'}] * 2
    assert b"\n" not in edited[0]


def test_what_does_not_change_stays_byte_for_byte():
    data = b'{"choices":[{"logprob":-1.50e-1,"text":"\\u00fc"}],"usage":null,"model":"theirs"}'

    edited = ChunkEditor("mine", hides_usage=True).edited(data, json.loads(data))

    assert edited == b'{"choices":[{"logprob":-1.50e-1,"text":"\\u00fc"}],"model":"mine"}'


def test_a_chunk_of_several_lines_leaves_in_one():
    data = b'{"model":\n"theirs"}'

    assert ChunkEditor("mine", hides_usage=False).edited(data, json.loads(data)) == b'{"model":"mine"}'
