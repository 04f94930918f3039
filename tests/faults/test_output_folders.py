"""Which folders a job refuses as its output, or warns about. Without Spark, on local files."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.faults.small_disks import mounted_again, overlay, small_disk
from tests.faults.test_output_places import output_at, without_spark, write
from tfspark.errors import UsageError
from tfspark.scoring.output import folder_rules, movable_folder
from tfspark.scoring.output.journal import PARTITIONS, JobKey, Mode
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.mounts import is_fuse, type_at
from tfspark.spark.cluster.sources import Source

__all__ = ["without_spark"]  # a fixture of all tests here


@pytest.mark.parametrize("mode", ["append", "overwrite"])
@pytest.mark.parametrize(
    ("source", "is_refused"),
    [("out", True), ("out/in", True), ("", True), ("link", True), ("out-2", False), ("in", False)],
)
def test_an_output_that_overlaps_with_the_input_is_refused(
    source: str, is_refused: bool, mode: Mode, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("out/in")
    nothing: Any = None
    inputs = [str(tmp_path / source)]
    folder_rules.refuse_own_input(nothing, f"file:{tmp_path}/out", inputs, "error")
    with pytest.raises(UsageError, match="would change") if is_refused else nullcontext():
        folder_rules.refuse_own_input(nothing, f"file:{tmp_path}/out", inputs, mode)


@pytest.mark.parametrize(
    ("source", "is_refused"),
    [("first/out", True), ("first/out/in", True), ("first", True), ("first/in", False)],
)
def test_an_input_by_another_mount_is_refused(
    source: str, is_refused: bool, tmp_path: Path
) -> None:
    (tmp_path / "first" / "out" / "in").mkdir(parents=True)
    (tmp_path / "first" / "in").mkdir()
    nothing: Any = None
    place = f"file:{tmp_path}/second/out"
    with mounted_again(tmp_path / "first", tmp_path / "second"):
        with pytest.raises(UsageError, match="would change") if is_refused else nullcontext():
            folder_rules.refuse_own_input(nothing, place, [str(tmp_path / source)], "overwrite")
        read = [Source(((tmp_path / source / "part-0").as_uri(),))]
        inside = source.startswith("first/out")
        with pytest.raises(UsageError, match="would change") if inside else nullcontext():
            folder_rules.refuse_own_files(place, read, "overwrite")


@pytest.mark.parametrize("read", ["out/a b/part-0", "link/part-0"])
def test_an_output_with_files_that_a_view_reads_is_refused(read: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("out")
    place, other = f"file:{tmp_path}/out", Source((f"file://{tmp_path}/out-2/part-0",))
    folder_rules.refuse_own_files(place, [other], "overwrite")
    with pytest.raises(UsageError, match="would change files in"):
        folder_rules.refuse_own_files(
            place, [other, Source(((tmp_path / read).as_uri(),))], "overwrite"
        )


MOUNTS = """\
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:50 / /mnt/bucket rw shared:1 - fuse.s3fs s3fs rw
3 1 0:51 / /mnt/a\\040disk rw - fuseblk /dev/sdb1 rw
4 2 0:52 / /mnt/bucket/local rw - xfs /dev/sdc1 rw
5 1 0:53 / /mnt/twice rw - xfs /dev/sdd1 rw
6 5 0:54 / /mnt/twice rw - fuse goofys rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "is_object_store"),
    [
        ("/data/out", "ext4", False),
        ("/mnt/bucket", "fuse.s3fs", True),
        ("/mnt/bucket/deep/out", "fuse.s3fs", True),
        ("/mnt/bucket-2/out", "ext4", False),
        ("/mnt/bucket/local/out", "xfs", False),
        ("/mnt/a disk/out", "fuseblk", False),
        ("/mnt/twice/out", "fuse", True),
    ],
)
def test_the_type_of_a_mount(path: str, kind: str, is_object_store: bool, tmp_path: Path) -> None:
    listed = tmp_path / "mountinfo"
    listed.write_text(MOUNTS)
    assert type_at(path, listed) == kind
    assert is_fuse(kind) == is_object_store
    assert type_at(path, tmp_path / "none") == ""


def test_a_job_on_a_fuse_mount_says_what_is_not_guaranteed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(output_at(tmp_path / "out", "append", "A1"), "one")
    assert not caplog.records
    monkeypatch.setattr(movable_folder, "type_at", lambda path: "fuse.s3fs")
    for run, mode in (("A2", "append"), ("A3", "overwrite")):
        write(output_at(tmp_path / "out", mode, run), run)
        assert "mount of type fuse.s3fs" in caplog.text
        caplog.clear()


def overwritten_at(path: Path) -> None:
    """Begin an overwrite that is refused before any row is scored."""
    before = sorted(one.name for one in path.iterdir())
    output = output_at(path, "overwrite", "A1")
    with pytest.raises(UsageError, match="cannot be renamed"):
        output.begin(JobKey("A"))
    output.discard()
    assert sorted(one.name for one in path.iterdir()) == before
    assert f".{path.name}.tfspark" not in [one.name for one in path.parent.iterdir()]


def test_a_folder_in_a_lower_layer_is_not_overwritten(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 512) as disk:
        for name in ("lower/out", "upper", "work", "merged"):
            (disk / name).mkdir(parents=True)
        (disk / "lower" / "out" / "old").write_text("old")
        with overlay(disk):
            try:
                (disk / "merged" / "out").rename(disk / "merged" / "other")
            except OSError:
                overwritten_at(disk / "merged" / "out")
            else:
                pytest.skip("this kernel renames folders of lower layers")
            write(output_at(disk / "merged" / "out", "append", "A2"), "new")
            write(output_at(disk / "merged" / "own", "overwrite", "A3"), "new")
            write(output_at(disk / "merged" / "own", "overwrite", "A4"), "newer")


def test_a_folder_of_another_user_below_a_sticky_folder_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    (tmp_path / "sticky" / "out").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "sticky")  # the folders above are closed to the other user
    Path.cwd().chmod(0o1777)
    Path("out").chmod(0o777)
    os.seteuid(65534)
    try:
        Path("work").mkdir()
        Path("work", "entry").touch()
        assert LocalStore().reason_to_stay("out", "work") == "Operation not permitted"
        Path("mine").mkdir()
        assert LocalStore().reason_to_stay("mine", "work") == ""
    finally:
        os.seteuid(0)
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["mine", "out", "work"]


def test_a_partition_of_another_user_below_a_sticky_folder_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    (tmp_path / "out" / "day=1").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "job").touch()
    for folder in (".", "out", "out/day=1", "work"):
        (tmp_path / folder).chmod(0o1777)
    monkeypatch.chdir(tmp_path)  # the folders above are closed to the other user
    os.seteuid(65534)
    try:
        for names in (["day=2/part-0"], ["day=2/part-0", "day=1/part-0"]):
            with pytest.raises(UsageError) if len(names) == 2 else nullcontext():
                movable_folder.refuse_closed(LocalStore(), "out", "work", PARTITIONS, names)
    finally:
        os.seteuid(0)
    assert [path.name for path in Path("out").iterdir()] == ["day=1"]


def test_a_test_by_a_run_that_lost_its_folder_moves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out" / "day=1").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    full = movable_folder._full(LocalStore(), f"{tmp_path}/work")
    (tmp_path / "work").rename(tmp_path / "taken")
    assert LocalStore().reason_to_stay(f"{tmp_path}/out", full) == "No such file or directory"
    out, work, file = f"{tmp_path}/out", f"{tmp_path}/work", "day=1/part-0"
    movable_folder.refuse_unusable(LocalStore(), out, work, "overwrite")
    movable_folder.refuse_closed(LocalStore(), out, work, PARTITIONS, [file])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["day=1"]
    assert [path.name for path in (tmp_path / "work").rglob("*")] == ["probe", "full"]


def test_a_folder_is_put_back_where_a_full_folder_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves: list[tuple[str, str]] = []
    monkeypatch.setattr(os, "rename", lambda old, new: moves.append((old, new)))
    assert "replaces" in LocalStore().reason_to_stay("out", "work")
    assert moves == [("out", "work"), ("work", "out")]
