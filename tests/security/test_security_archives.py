"""Archives that no driver packed: a worker refuses any of them and keeps no file."""

from __future__ import annotations

import contextlib
import io
import struct
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.allocations import least_peak
from tests.security.hostile_models import write_model
from tfspark.errors import InvalidModelError
from tfspark.node_folder import unpacked
from tfspark.package import load
from tfspark.saved_model import archive as archive_of_models
from tfspark.saved_model.archive import unpack
from tfspark.saved_model.files import LONGEST_NAME, LONGEST_PATH, MOST_LEVELS

pytestmark = pytest.mark.timeout(60)

GIB = 1 << 30
END = bytes(1024)


def header(name="x", *, kind=tarfile.REGTYPE, size=0, raw_size=None, mtime=None, **fields):
    """The 512 bytes before a member; numbers may have values that `tarfile` never writes."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for field, value in fields.items():
        setattr(info, field, value)
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT)[-512:])
    if raw_size is not None:
        block[124:136] = raw_size
    if mtime is not None:
        block[136:148] = mtime
    return bytes(checked(block))


def checked(block):
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return block


def before(content, *, kind=tarfile.XHDTYPE, size=None):
    """Records before a header, such as the records of a long name."""
    length = len(content) if size is None else size
    return header("././@PaxHeader", kind=kind, size=length) + content + bytes(-len(content) % 512)


def record(keyword, value):
    """One record, whose length counts its own digits."""
    rest = b" " + keyword + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def named(name):
    return before(record(b"path", name)) + header("x", size=1) + b"x" + bytes(511)


def base256(number):
    return b"\x80" + number.to_bytes(11, "big") if number >= 0 else struct.pack(">iq", -1, number)


def sparse(version):
    """A sparse file in one of the four forms of GNU tar."""
    holes = {
        "0.0": [(b"size", b"17592186044416"), (b"numblocks", b"1"), (b"offset", b"0")],
        "0.1": [(b"size", b"17592186044416"), (b"map", b"0,1")],
        "1.0": [(b"major", b"1"), (b"minor", b"0"), (b"realsize", b"17592186044416")],
    }[version]
    records = b"".join(record(b"GNU.sparse." + keyword, value) for keyword, value in holes)
    return before(records) + header("x", size=512) + b"1\n0\n1\n" + bytes(506)


def old_sparse():
    block = bytearray(header("x", kind=tarfile.GNUTYPE_SPARSE))
    block[386:398] = block[398:410] = b"00000000001\0"
    block[483:495] = base256(1 << 44)[:12]
    return bytes(checked(block))


NAN = b"nan".ljust(12, b"\0")
HOSTILE = {
    "a name outside": header("../outside", size=1) + bytes(512),
    "an absolute name": header("/tmp/outside", size=1) + bytes(512),
    "a name that climbs later": named(b"a/../../outside"),
    "a name with a NUL": named(b"a\0b"),
    "a name that is not plain": named(b"./a//b/"),
    "a component beyond Linux": named(b"n" * (LONGEST_NAME + 1)),
    "a path beyond Linux": named(b"/".join([b"n" * 200] * 21)),
    "too many levels": named(b"/".join([b"d"] * (MOST_LEVELS + 1))),
    "a link": header("x", kind=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": header("x", kind=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a device": header("x", kind=tarfile.CHRTYPE, devmajor=1, devminor=5),
    "a pipe": header("x", kind=tarfile.FIFOTYPE),
    "a file twice": header("a") * 2,
    "a file below a file": header("a") + header("a/b"),
    "sparse 0.0": sparse("0.0"),
    "sparse 0.1": sparse("0.1"),
    "sparse 1.0": sparse("1.0"),
    "sparse of old": old_sparse(),
    "a long name of 1 GiB": before(b"n" * 512, kind=tarfile.GNUTYPE_LONGNAME, size=GIB),
    "a long link of 1 GiB": before(b"n" * 512, kind=tarfile.GNUTYPE_LONGLINK, size=GIB),
    "records of 1 GiB": before(b"n" * 512, size=GIB),
    "global records": before(record(b"path", b"../outside"), kind=tarfile.XGLTYPE) + header("x"),
    "records of nothing": before(b""),
    "records for ever": before(b"0 path=x\n") + header("x"),
    "a record of a million digits": before(record(b"size", b"9" * 4000)) + header("x"),
    "an unknown record": before(record(b"LIBARCHIVE.xattr.x", b"y")) + header("x"),
    "a record twice": before(record(b"path", b"x") * 2) + header("x"),
    "16 TiB": header("x", raw_size=base256(1 << 44)) + bytes(512),
    "16 TiB by a record": before(record(b"size", b"17592186044416")) + header("x"),
    "a negative size": header("x", raw_size=base256(-1)) + bytes(512),
    "a size that is no number": header("x", raw_size=NAN) + bytes(512),
    "a time that is no number": header("x", mtime=NAN) + bytes(512),
    "a wrong checksum": header("x")[:148] + b"0" * 8 + header("x")[156:],
    "another format": b"PK\x03\x04" + bytes(1020),
}
CUT_OFF = (b"", header("x"), header("x", size=8) + b"1234", header("x")[:100])


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("content", [*HOSTILE.values(), *CUT_OFF], ids=(*HOSTILE, *"abcd"))
def test_a_hostile_archive_is_refused_with_little_memory_and_nothing_stays(root, content):
    archive = content if content in CUT_OFF else content + END

    def refused():
        with pytest.raises(InvalidModelError, match="archive of a model cannot be unpacked"):
            unpacked("d" * 64, 1000, lambda: archive)

    assert least_peak(refused) < 4 << 20
    assert [path.name for path in root.parent.rglob("*")] == ["cache", "d" * 64 + ".lock"]


@pytest.mark.parametrize("mtime", [base256((1 << 80) - 1), base256(-1 << 60)], ids=["huge", "old"])
def test_a_time_and_owner_are_not_used(tmp_path, mtime):
    content = header("x", mtime=mtime, uid=1 << 40, mode=0o7777, size=1) + b"x" + bytes(511)
    unpack(io.BytesIO(content + END), tmp_path / "out", 1)
    file = tmp_path / "out" / "x"
    assert file.read_bytes() == b"x"
    assert file.stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize("names", ["{}", "d{0}/e{0}/f"])
def test_too_many_members_are_refused(root, names, monkeypatch):
    monkeypatch.setattr(archive_of_models, "MOST_ENTRIES", 500)
    members = (header(names.format(number)) for number in range(501))
    archive = b"".join(members) + header("more") * 100_000
    with pytest.raises(InvalidModelError, match="more than the model has"):
        unpacked("d" * 64, 1000, lambda: archive)
    assert [path.name for path in root.iterdir()] == ["d" * 64 + ".lock"]


def test_the_longest_names_that_linux_takes_are_unpacked(tmp_path):
    packed = named("ü".encode() * 120 + b"/" + b"n" * LONGEST_NAME)
    unpack(io.BytesIO(packed + END), tmp_path / "out", 1)
    assert [len(path.name.encode()) for path in (tmp_path / "out").rglob("*")] == [240, 255]
    assert LONGEST_PATH > 240 + 255


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "cut", "copy"]),
        st.integers(0, 1 << 14),
        st.binary(min_size=1, max_size=512),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    path = write_model(tmp_path_factory.mktemp("packed") / "model" / "1")
    (path / "assets" / ("größe" * 30)).write_bytes(b"a name in records")
    package = load(path)
    return package.pack_bytes(), package.size


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits=EDITS, fixed=st.booleans())
def test_an_edited_archive_is_refused_or_stays_inside(packed, tmp_path, edits, fixed):
    content, size = packed
    for kind, where, new in edits:
        where %= len(content)
        end = {"set": where + len(new), "insert": where, "cut": where + len(new) * 8}.get(
            kind, where
        )
        new = {"cut": b"", "copy": content[where : where + 1024]}.get(kind, new)
        content = content[:where] + new + content[end:]
    if fixed:  # valid checksums, so that the rest is read
        blocks = (content[at : at + 512] for at in range(0, len(content), 512))
        content = b"".join(
            bytes(checked(bytearray(one))) if one[257:262] == b"ustar" and len(one) == 512 else one
            for one in blocks
        )
    target = tmp_path / "in" / str(len(list((tmp_path / "in").glob("*"))))
    with contextlib.suppress(InvalidModelError):
        unpack(io.BytesIO(content), target, size)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["in"])
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) <= size
