"""The IDX format: arrays survive a round trip, and other content is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from manyseeds.datasets import idx

byte_arrays = arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6))


@given(byte_arrays)
def test_decoding_undoes_encoding(values):
    decoded = idx.decode(idx.encode(values))
    assert decoded.shape == values.shape
    np.testing.assert_array_equal(decoded, values)


def test_the_format_is_the_published_one():
    content = bytes.fromhex("00000803 00000001 00000002 00000003 010203040506")
    np.testing.assert_array_equal(idx.decode(content), [[[1, 2, 3], [4, 5, 6]]])
    assert idx.encode(idx.decode(content)) == content


@given(byte_arrays, st.data())
def test_a_truncated_file_is_refused(values, data):
    content = idx.encode(values)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ValueError, match=r"IDX file"):
        idx.decode(content[:cut])


@given(byte_arrays, st.binary(min_size=1, max_size=9))
def test_surplus_bytes_are_refused(values, more):
    with pytest.raises(ValueError, match="wrong length"):
        idx.decode(idx.encode(values) + more)


@given(byte_arrays, st.integers(0, 2), st.integers(1, 255))
def test_another_magic_number_is_refused(values, place, change):
    content = bytearray(idx.encode(values))
    content[place] ^= change
    with pytest.raises(ValueError, match="not an IDX file of unsigned bytes"):
        idx.decode(bytes(content))


def test_a_file_without_axes_is_refused():
    with pytest.raises(ValueError, match="not an IDX file of unsigned bytes"):
        idx.decode(bytes.fromhex("00000800 07"))


def test_images_become_rows_of_features():
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    split = idx.examples(idx.encode(images), idx.encode(np.array([7, 9], np.uint8)))
    np.testing.assert_array_equal(split.inputs, images.reshape(2, 12))
    np.testing.assert_array_equal(split.labels, [7, 9])
