import io
import os
import shutil
import tarfile

import pytest

from tfspark.errors import InvalidModelError
from tfspark.package import load
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


@pytest.mark.parametrize(
    "evil",
    [
        member("../outside"),
        member("a/../../outside"),
        member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0),
        member("link", type=tarfile.SYMTYPE, linkname="../outside", size=0),
        member("pipe", type=tarfile.FIFOTYPE, size=0),
    ],
    ids=lambda info: f"{info.name} {info.linkname}".strip(),
)
def test_an_archive_that_reaches_outside_is_refused(tmp_path, evil):
    with pytest.raises(InvalidModelError, match="archive of a model cannot be unpacked"):
        unpack(archive(evil), tmp_path / "out", 1000)
    assert not (tmp_path / "outside").exists()


def test_an_archive_cut_off_is_refused(make_model, tmp_path):
    packed = load(make_model()).pack_bytes()
    with pytest.raises(InvalidModelError, match="cannot be unpacked"):
        unpack(io.BytesIO(packed[:700]), tmp_path / "out", len(packed))
