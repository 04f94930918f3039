"""TF_TString records that NumPy writes and reads, compared with the bytes of the strings."""

from __future__ import annotations

import ctypes

import numpy as np
import pyarrow as pa
import pytest

from tfspark.engine.tstring import address_of, borrowed_records, read_records, terminated

STRINGS = [b"x" * size for size in (*range(25), 100, 1 << 20)] + [b"\xff\xfe\x00", "é日本".encode()]


def small(value: bytes) -> bytes:
    return bytes([len(value) << 2]) + value.ljust(23, b"\0")


def large(value: bytes, address: int) -> bytes:
    words = [len(value) << 2 | 1, len(value) | 15, address]
    return np.array(words, dtype=np.uint64).tobytes()


def offset(value: bytes, distance: int) -> bytes:
    return np.array([len(value) << 2 | 2, distance, 1, 0, 0, 0], dtype=np.uint32).tobytes()


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_records_read_back_as_the_strings_they_point_at(kind):
    values = pa.array(STRINGS, kind)
    assert read_records(borrowed_records(terminated(values))).to_pylist() == STRINGS


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_records_of_a_slice_start_at_its_offset(kind):
    values = pa.array(STRINGS, kind).slice(3, 20)
    assert read_records(borrowed_records(terminated(values))).to_pylist() == STRINGS[3:23]


def test_records_have_the_layout_of_tensorflow():
    values = terminated(pa.array([b"ab", b"cde"], pa.binary()))
    records = borrowed_records(values)
    data = values.buffers()[2].address
    assert records.tolist() == [[2 << 2 | 1, 2, data], [3 << 2 | 1, 3, data + 3]]


def test_a_nul_follows_every_element():
    values = terminated(pa.array(STRINGS, pa.binary()).slice(2))
    for (head, _, address), value in zip(
        borrowed_records(values).tolist(), STRINGS[2:], strict=True
    ):
        assert ctypes.string_at(address, (head >> 2) + 1) == value + b"\0"


def test_no_elements_give_no_records_and_back():
    assert borrowed_records(terminated(pa.array([], pa.binary()))).shape == (0, 3)
    assert len(read_records(np.zeros((0, 3), dtype=np.uint64))) == 0


def test_empty_strings_need_no_data():
    values = pa.array([b"", b""], pa.binary())
    assert read_records(borrowed_records(terminated(values))).to_pylist() == [b"", b""]


@pytest.mark.parametrize("size", range(23))
def test_small_records_hold_up_to_22_bytes(size):
    value = bytes(range(1, size + 1))
    records = np.frombuffer(small(value) * 2, dtype=np.uint64).reshape(2, 3)
    assert read_records(records).to_pylist() == [value, value]


def test_every_type_of_record_reads_in_one_array():
    far = ctypes.create_string_buffer(b"far away" * 10)
    value = far.raw[:80]
    view = np.array([5 << 2 | 3, ctypes.addressof(far), 0], dtype=np.uint64).tobytes()
    block = (
        small(b"in")
        + large(value, ctypes.addressof(far))
        + offset(b"tail", 3 * 24)  # 72 bytes after its own record, behind the last one
        + view
        + large(b"", 0)
        + b"tail".ljust(24, b"\0")
    )
    records = np.frombuffer(block, dtype=np.uint64).reshape(-1, 3)[:5]
    assert read_records(records).to_pylist() == [b"in", value, b"tail", b"far a", b""]


def test_elements_may_overlap_and_come_in_any_order():
    block = ctypes.create_string_buffer(b"0123456789" * 5)
    start = ctypes.addressof(block)
    spans = [(30, 20), (0, 50), (5, 5), (0, 50)]
    words = [[size << 2 | 3, start + at, 0] for at, size in spans]
    found = read_records(np.array(words, dtype=np.uint64)).to_pylist()
    assert found == [block.raw[at : at + size] for at, size in spans]


def test_what_was_read_stays_when_the_records_change():
    data = bytearray(b"abcdef")
    view = (ctypes.c_char * 6).from_buffer(data)
    records = np.array([[6 << 2 | 3, ctypes.addressof(view), 0]], dtype=np.uint64)
    found = read_records(records)
    data[:] = b"??????"
    records[:] = 0
    assert found.to_pylist() == [b"abcdef"]


def test_many_random_strings_survive():
    random = np.random.default_rng(7)
    sizes = random.integers(0, 60, 5_000)
    strings = [random.bytes(size) for size in sizes]
    values = pa.array(strings, pa.binary())
    shuffled = random.permutation(len(strings))
    held = terminated(values)
    records = borrowed_records(held)[shuffled]
    assert read_records(records).to_pylist() == [strings[index] for index in shuffled]


def test_the_address_of_an_array_is_that_of_its_first_element():
    array = np.arange(10, dtype=np.int32)
    assert address_of(array[2:]) == array.ctypes.data + 8
