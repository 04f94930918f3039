import io
import os
import shutil
import tarfile
from random import Random

import pytest

from tfspark.errors import InvalidModelError
from tfspark.package import load
from tfspark.saved_model import archive as model_archive
from tfspark.saved_model.archive import unpack
from tfspark.saved_model.files import digest_of, size_of


def test_linked_folders_count_as_folders(make_model, tmp_path):
    path = make_model()
    (path / "variables").rename(tmp_path / "store")
    (path / "variables").symlink_to(tmp_path / "store", target_is_directory=True)
    found = load(path)
    unpack(io.BytesIO(found.pack_bytes()), tmp_path / "out", found.size)
    assert (tmp_path / "out" / "variables" / "variables.index").is_file()
    assert not (tmp_path / "out" / "variables").is_symlink()
    assert digest_of(tmp_path / "out") == found.digest


def test_packing_and_unpacking_keeps_digest_and_size(make_model, tmp_path):
    path = make_model(shards=2, assets=["größe " + "x" * 120 + ".txt"])
    (path / "assets" / os.fsdecode(b"\xff.bin")).write_bytes(b"no text in this name")
    found = load(path)
    unpack(io.BytesIO(found.pack_bytes()), tmp_path / "out", found.size)
    assert digest_of(tmp_path / "out") == found.digest
    assert size_of(tmp_path / "out") == found.size
    assert load(tmp_path / "out").signatures == found.signatures


def test_packing_depends_on_names_and_contents_alone(make_model, tmp_path):
    found = load(make_model())
    copy = shutil.copytree(found.path, tmp_path / "copy")
    os.utime(copy / "saved_model.pb", (0, 0))
    (copy / "saved_model.pb").chmod(0o600)
    assert load(copy).pack_bytes() == found.pack_bytes()


def archive(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return io.BytesIO(buffer.getvalue())


def member(name, **fields):
    info = tarfile.TarInfo(name)
    for field, value in {"size": 1, **fields}.items():
        setattr(info, field, value)
    return info


LINK = {"type": tarfile.SYMTYPE, "size": 0}


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ([member("../outside")], "not a name inside"),
        ([member("a/../../outside")], "not a name inside"),
        ([member("/outside")], "not a name inside"),
        ([member("")], "not a name inside"),
        ([member(".")], "not a name inside"),
        ([member("link", linkname="/etc/passwd", **LINK)], "not a file"),
        ([member("link", linkname="..", **LINK), member("link/outside")], "not a file"),
        ([member("link", linkname="a", type=tarfile.LNKTYPE, size=0)], "not a file"),
        ([member("pipe", type=tarfile.FIFOTYPE, size=0)], "not a file"),
        ([member("disk", type=tarfile.BLKTYPE, size=0)], "not a file"),
        ([member("folder", type=tarfile.DIRTYPE, size=0)], "not a file"),
        ([member("a"), member("a")], "'a' twice"),
        ([member("a"), member("a/b")], "'a/b' twice"),
        ([member("a/b"), member("a")], "'a' twice"),
        ([member("a", size=600), member("b", size=600)], "more than the model has, from 'b' on"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_archive_of_anything_but_files_of_the_model_is_refused(tmp_path, members, found):
    folder = tmp_path / "in" / "out"
    with pytest.raises(InvalidModelError, match="archive of a model cannot be unpacked") as caught:
        unpack(archive(*members), folder, 1000)
    assert found in str(caught.value)
    assert not list(tmp_path.rglob("outside"))
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_an_archive_of_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(model_archive, "MOST_ENTRIES", 3)
    members = [member(str(number), size=0) for number in range(4)]
    unpack(archive(*members[:3]), tmp_path / "three", 0)
    with pytest.raises(InvalidModelError, match="more than the model has, from '3' on"):
        unpack(archive(*members), tmp_path / "four", 0)


def test_an_archive_is_read_once_from_front_to_back(make_model, tmp_path):
    class Stream(io.RawIOBase):
        """Bytes that can only be read forward."""

        def __init__(self, content):
            self.content = io.BytesIO(content)

        def read(self, size=-1):
            return self.content.read(size)

        def seek(self, *args):
            raise AssertionError("went back")

    found = load(make_model(assets=["a"]))
    unpack(Stream(found.pack_bytes()), tmp_path / "out", found.size)
    assert digest_of(tmp_path / "out") == found.digest


def test_a_damaged_archive_is_refused_or_gives_other_bytes(make_model, tmp_path):
    """The digest is checked later; damage must not raise other errors or leave the folder."""
    found = load(make_model(assets=["a"]))
    packed = found.pack_bytes()
    random = Random(1)
    for number in range(300):
        damaged = bytearray(packed[: random.randrange(1, len(packed))] if number % 3 else packed)
        for _ in range(random.randrange(1, 4)):
            damaged[random.randrange(min(len(damaged), 2048))] = random.randrange(256)
        try:
            unpack(io.BytesIO(damaged), tmp_path / "in" / str(number), found.size)
        except InvalidModelError:
            continue
    assert [path.name for path in tmp_path.iterdir() if path.name != "model"] == ["in"]


@pytest.mark.parametrize("length", [0, 100, 512, 700, 1000])
def test_an_archive_cut_off_is_refused(make_model, tmp_path, length):
    found = load(make_model())
    packed = found.pack_bytes()
    with pytest.raises(InvalidModelError, match="cannot be unpacked"):
        unpack(io.BytesIO(packed[:length]), tmp_path / "out", found.size)
