"""Messages on a pipe arrive whole or not at all."""

import io

from hypothesis import given
from hypothesis import strategies as st

from manyseeds.errors import ManyseedsError, RequestError, RunError
from manyseeds.processes.framing import read_messages, write_message

TEXTS = st.text(st.characters())  # lone surrogates included
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=6)


class Trickle:
    """A stream that hands out its bytes in pieces of some sizes, as a pipe may."""

    def __init__(self, content, sizes):
        self.stream, self.sizes = io.BytesIO(content), sizes

    def read(self, count):
        self.sizes.append(self.sizes.pop(0))
        return self.stream.read(min(count, self.sizes[0]))


def written(messages):
    stream = io.BytesIO()
    for message in messages:
        write_message(stream, message)
    return stream.getvalue()


@given(MESSAGES, st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_messages_arrive_as_they_were_sent_however_the_pipe_cuts_them(messages, sizes):
    assert list(read_messages(Trickle(written(messages), sizes))) == messages


@given(MESSAGES, st.data())
def test_a_writer_that_dies_anywhere_costs_only_the_message_it_was_writing(messages, data):
    content = written(messages)
    end = data.draw(st.integers(0, len(content)))
    lengths = [len(written(messages[:count])) for count in range(len(messages) + 1)]
    whole = sum(length <= end for length in lengths) - 1
    assert list(read_messages(io.BytesIO(content[:end]))) == messages[:whole]


def test_a_message_may_look_like_an_error():
    message = {"error": 2, "text": "no", "message": {}}
    assert list(read_messages(io.BytesIO(written([message])))) == [message]


def test_errors_arrive_as_errors_of_their_kind():
    class SpecialError(RequestError):
        pass

    errors = [RequestError("née"), SpecialError("two\nlines"), RunError(""), ManyseedsError("x")]
    arrived = list(read_messages(io.BytesIO(written(errors))))
    assert [type(error) for error in arrived] == [RequestError, RequestError, RunError, RunError]
    assert [str(error) for error in arrived] == ["née", "two\nlines", "", "x"]
