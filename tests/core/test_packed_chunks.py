import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.security.allocations import least_peak
from tfspark.package import load
from tfspark.saved_model.archive import unpack
from tfspark.saved_model.chunks import ChunkReader, ChunkWriter
from tfspark.saved_model.files import digest_of


@given(writes=st.lists(st.binary(max_size=40)), size=st.integers(1, 50))
def test_chunks_are_full_except_the_last_and_read_as_they_were_written(writes, size):
    writer = ChunkWriter(size, bytes)
    for content in writes:
        assert writer.write(content) == len(content)
    writer.finish()
    assert all(len(chunk) == size for chunk in writer.sent[:-1])
    assert all(0 < len(chunk) <= size for chunk in writer.sent[-1:])
    assert io.BufferedReader(ChunkReader(writer.sent)).read() == b"".join(writes)


@pytest.mark.parametrize("chunks", [[], [b""], [b"", b"ab", b"", b"c"]])
def test_empty_chunks_do_not_end_the_stream(chunks):
    assert ChunkReader(chunks).read() == b"".join(chunks)


@pytest.mark.parametrize("size", [1, 511, 512, 4096, 1 << 20])
def test_a_model_is_unpacked_from_chunks_of_any_size(make_model, tmp_path, size):
    found = load(make_model(shards=2, assets=["größe " + "x" * 120]))
    writer = ChunkWriter(size, bytes)
    found.pack(writer)
    writer.finish()
    assert b"".join(writer.sent) == found.pack_bytes()
    unpack(io.BufferedReader(ChunkReader(writer.sent)), tmp_path / "out", found.size)
    assert digest_of(tmp_path / "out") == found.digest


def test_a_chunk_is_asked_for_when_its_first_byte_is_needed():
    asked = []
    reader = io.BufferedReader(ChunkReader(asked.append(n) or bytes(1 << 20) for n in range(3)))
    assert asked == []
    reader.read(1 << 20)
    assert asked == [0]
    reader.read(1)
    assert asked == [0, 1]


def test_one_chunk_is_in_memory():
    size = 2 << 20
    kilobyte = bytes(1024)

    def write():
        writer = ChunkWriter(size, len)
        for _ in range(4 * size // 1024):
            writer.write(kilobyte)
        assert writer.sent == [size] * 4

    def read():
        reader = io.BufferedReader(ChunkReader(bytes(size) for _ in range(4)))
        while reader.read(64 << 10):
            pass

    assert least_peak(write) < 1.3 * size
    assert least_peak(read) < 1.3 * size
