"""The direct path gives what the way through Spark gives, or leaves the job to it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from jobs import batch_score
from tfspark.data_files.footers import MAX_FOOTERS, read_footers
from tfspark.data_files.listing import DataFile, list_files
from tfspark.data_files.splits import cut, plan_splits
from tfspark.file_systems import open_filesystem
from tfspark.scoring import direct, direct_input

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.timezone.utc)


def wide(count: int, start: int = 0) -> pa.Table:
    """Rows with a null, and columns of many types beside the features."""
    ids = range(start, start + count)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "features": pa.array(
                [None if one % 5 == 4 else [one, 1.0] for one in ids], pa.list_(pa.float32())
            ),
            "name": [f"röw {one}" for one in ids],
            "price": pa.array([Decimal(one) / 4 for one in ids], pa.decimal128(12, 2)),
            "day": [NOON.date()] * count,
            "at": pa.array([NOON] * count, pa.timestamp("us", "UTC")),
            "nested": [{"a": one, "b": [one, None]} for one in ids],
            "flag": [one % 2 == 0 for one in ids],
        }
    )


def written(folder: Path) -> pa.Table:
    return pq.read_table(folder).sort_by("id")


@pytest.mark.parametrize("kind", ["parquet", "orc"])
def test_both_paths_write_the_same_rows(
    kind: str, spark: SparkSession, score: Any, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for part in range(3):
        table = wide(7, 7 * part)
        if kind == "parquet":
            pq.write_table(table, source / f"{part}.parquet", row_group_size=3)
        else:
            pa.orc.write_table(table.drop_columns(["nested", "at", "day"]), source / f"{part}.orc")
    reports = {}
    for path in ("spark", "direct"):
        flags = ("--input", source, "--input-format", kind, "--path", path)
        reports[path] = score(*flags, "--output", tmp_path / path).report
    through_spark, directly = (spark.read.parquet(str(tmp_path / one)) for one in reports)
    assert_df_equality(directly, through_spark, ignore_row_order=True)
    assert (tmp_path / "direct" / "_SUCCESS").is_file()
    for path, report in reports.items():
        assert report["path"] == path
        assert (report["rows_in"], report["rows_out"], report["null_rows"]) == (21, 21, 4)


MOMENTS = [
    datetime.datetime(2026, 1, 2, 3, 4, 5, 678901),
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime.datetime(1901, 1, 1),
    None,
]


def instants(spark: SparkSession, kind: str, folder: Path, **options: str) -> None:
    """Write timestamps as Spark does when it is told how."""
    setting = "spark.sql.parquet.outputTimestampType"
    rows = [([float(one), 1.0], moment, one) for one, moment in enumerate(MOMENTS)]
    df = spark.createDataFrame(rows, "features array<float>, at timestamp, id int")
    spark.conf.set(setting, kind)
    try:
        df.coalesce(1).write.parquet(str(folder), **options)
    finally:
        spark.conf.unset(setting)


@pytest.mark.parametrize("kind", ["INT96", "TIMESTAMP_MICROS"])
def test_instants_that_spark_wrote_go_direct(
    kind: str, spark: SparkSession, score: Any, tmp_path: Path
) -> None:
    instants(spark, kind, tmp_path / "in")
    for path in ("auto", "spark"):
        flags = ("--input", tmp_path / "in", "--path", path)
        done = score(*flags, "--output", tmp_path / path)
        assert done.report["path"] == {"auto": "direct"}.get(path, path)
    directly, through_spark = (spark.read.parquet(str(tmp_path / one)) for one in ("auto", "spark"))
    assert_df_equality(directly, through_spark, ignore_row_order=True)
    assert [row["at"] for row in directly.orderBy("id").collect()] == MOMENTS


def test_instants_that_spark_reads_otherwise_go_through_it(
    spark: SparkSession, score: Any, tmp_path: Path
) -> None:
    nested = "features array<float>, at struct<a: timestamp>"
    df = spark.createDataFrame([([1.0, 2.0], (MOMENTS[0],))], nested)
    spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    df.write.parquet(str(tmp_path / "nested"))
    spark.conf.set("spark.sql.parquet.int96RebaseModeInWrite", "LEGACY")
    df.select("features", "at.a").write.parquet(str(tmp_path / "julian"))
    spark.conf.unset("spark.sql.parquet.int96RebaseModeInWrite")
    spark.conf.unset("spark.sql.parquet.outputTimestampType")
    for name in ("nested", "julian"):
        done = score("--input", tmp_path / name, "--output", tmp_path / f"{name}-scored")
        assert done.report["path"] == "spark"


@pytest.mark.parametrize(
    ("megabytes", "slots", "splits"),
    [(1, 2, 2), (300, 2, 4), (300, 4, 4), (700, 4, 8), (3, 16, 10)],
)
def test_splits_fill_all_slots_in_every_wave(megabytes: int, slots: int, splits: int) -> None:
    size = megabytes * 2**20 // 10
    files = [DataFile(f"{name}.csv", size) for name in range(10)]
    planned = plan_splits(cut(files, [], "csv"), slots)
    assert len(planned) == splits
    assert [piece.file for split in planned for piece in split] == files


def test_rows_stay_in_the_order_of_files_and_row_groups(score: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for part in range(4):
        pq.write_table(wide(10, 10 * part), source / f"{part}.parquet", row_group_size=3)
    score("--input", source, "--output", tmp_path / "out", "--path", "direct")
    files = sorted((tmp_path / "out").glob("part-*.parquet"))
    ids = [one for file in files for one in pq.read_table(file)["id"].to_pylist()]
    assert ids == list(range(40))


def as_csv(folder: Path) -> tuple[object, ...]:
    plain = wide(3).select(["id"]).append_column("x", pa.array([1.0, 2.0, 3.0]))
    pa.csv.write_csv(plain, folder / "rows.csv")
    return ("--input", folder, "--input-format", "csv", "--feed", "inputs=x,x", "--narrow")


def as_partitions(folder: Path) -> tuple[object, ...]:
    (folder / "year=2026").mkdir()
    pq.write_table(wide(3), folder / "year=2026" / "rows.parquet")
    return ("--input", folder)


def as_glob(folder: Path) -> tuple[object, ...]:
    pq.write_table(wide(3), folder / "rows.parquet")
    return ("--input", folder / "*.parquet")


def as_options(folder: Path) -> tuple[object, ...]:
    pq.write_table(wide(3), folder / "rows.parquet")
    return ("--input", folder, "--option", "mergeSchema=true")


def as_stream(folder: Path) -> tuple[object, ...]:
    """Write a folder of a stream, with a file of a micro-batch that was not committed."""
    spark = SparkSession.active()
    rows = folder.with_name("rows")
    rows.mkdir()
    pq.write_table(wide(3), rows / "0.parquet")
    kept = "id bigint, features array<float>"
    stream = spark.readStream.schema(kept).parquet(str(rows))
    writer = stream.writeStream.option("checkpointLocation", str(folder.with_name("log")))
    writer.trigger(availableNow=True).start(str(folder)).awaitTermination()
    pq.write_table(wide(5), folder / "part-of-a-failed-attempt.parquet")
    return ("--input", folder)


def as_old_spark(folder: Path) -> tuple[object, ...]:
    noted = wide(3).replace_schema_metadata({"org.apache.spark.version": "2.4.8"})
    pq.write_table(noted, folder / "rows.parquet")
    return ("--input", folder)


def as_stale_schema(folder: Path) -> tuple[object, ...]:
    spark = SparkSession.active()
    spark.createDataFrame([(1, 2, [1.0, 2.0])] * 3, "a int, b int, features array<float>").coalesce(
        1
    ).write.parquet(str(folder.with_name("whole")))
    table = pq.read_table(folder.with_name("whole"))
    pq.write_table(table.drop_columns(["b"]), folder / "rows.parquet")
    return ("--input", folder)


def as_names_by_case(folder: Path) -> tuple[object, ...]:
    pq.write_table(wide(3), folder / "0.parquet")
    later = wide(3)
    pq.write_table(later.append_column("ID", later["id"]), folder / "1.parquet")
    return ("--input", folder, "--keep", "id")


def as_hidden_file(folder: Path) -> tuple[object, ...]:
    pq.write_table(wide(3), folder / "_rows.parquet")
    return ("--input", folder / "_rows.parquet")


@pytest.mark.parametrize(
    "kind",
    [as_csv, as_partitions, as_glob, as_options, as_stream, as_old_spark, as_stale_schema],
)
def test_what_spark_reads_otherwise_goes_through_spark(
    kind: Any, score: Any, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    flags = kind(source)
    report = score(*flags, "--output", tmp_path / "out").report
    assert (report["path"], report["rows_out"]) == ("spark", 3)


def test_names_that_differ_by_case_in_a_later_file_are_spark_s_error(
    end_of: Any, linear: Path, tmp_path: Path
) -> None:
    for kind in (as_names_by_case, as_hidden_file):
        source = tmp_path / kind.__name__
        source.mkdir()
        ended = end_of(
            batch_score.main, "--model", linear, *kind(source), "--output", tmp_path / "out"
        )
        assert ended.code != 0
        assert not (tmp_path / "out").exists()


def test_dots_and_bytes_in_orc_files_are_read_by_spark(score: Any, tmp_path: Path) -> None:
    features = pa.array([[1.0, 2.0]] * 2, pa.list_(pa.float32()))
    dotted = tmp_path / "dotted"
    dotted.mkdir()
    struct = pa.array([{"x": 1}] * 2)
    table = pa.table({"s.x": [2.5, 3.5], "features": features, "s": struct})
    pa.orc.write_table(table, dotted / "rows.orc")
    flags = ("--input", dotted, "--input-format", "orc", "--output", tmp_path / "out")
    assert score(*flags).report["path"] == "spark"
    assert pq.read_table(tmp_path / "out")["s.x"].to_pylist() == [2.5, 3.5]
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name, kind in (("0", pa.string()), ("1", pa.binary())):
        table = pa.table({"s": pa.array(["ab", "c"], pa.string()).cast(kind), "features": features})
        pa.orc.write_table(table, mixed / f"{name}.orc")
    flags = ("--input", mixed, "--input-format", "orc", "--output", tmp_path / "out2")
    assert score(*flags).report["path"] == "spark"
    assert sorted(pq.read_table(tmp_path / "out2")["s"].to_pylist()) == ["61 62", "63", "ab", "c"]


def test_unknown_extensions_and_encryption_go_through_spark(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = SimpleNamespace(
        path="auto",
        source=SimpleNamespace(table="", format="parquet", options={}, path="rows"),
        target=SimpleNamespace(format="parquet", options={}, partition_by=()),
    )
    values = {"spark.sql.extensions": "io.tfspark.TfSparkExtensions"}
    fake = SimpleNamespace(conf=SimpleNamespace(get=lambda name, other: values.get(name, other)))
    encrypts = [False]
    monkeypatch.setattr(direct_input, "set_on_classic", lambda _: [])
    monkeypatch.setattr(direct_input, "decrypts", lambda _: encrypts[0])
    check: Any = direct_input.check_session
    check(fake, job)
    encrypts[0] = True
    with pytest.raises(direct_input.NotDirectError, match="encrypted files"):
        check(fake, job)
    values["spark.sql.extensions"] += ",com.acme.RowFilters"
    with pytest.raises(direct_input.NotDirectError, match=r"com\.acme\.RowFilters may change"):
        check(fake, job)


def test_csv_goes_direct_when_asked(score: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    flags = as_csv(source)
    report = score(*flags, "--output", tmp_path / "out", "--path", "direct").report
    assert report["path"] == "direct"
    assert written(tmp_path / "out")["outputs"].to_pylist() == [4.0, 5.0, 6.0]


def with_type(table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, table[name].cast(kind))


def test_a_later_file_may_be_narrower_and_write_names_in_another_case(
    score: Any, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    pq.write_table(wide(2), source / "0.parquet")
    later = with_type(wide(2, 2), "id", pa.int16())
    pq.write_table(
        later.rename_columns([name.upper() for name in later.schema.names]), source / "1.parquet"
    )
    flags = ("--input", source, "--mode", "overwrite", "--output", tmp_path / "out")
    score(*flags, "--path", "direct")
    directly = written(tmp_path / "out").drop_columns(["at"])  # which Spark writes as INT96
    score(*flags, "--path", "spark")
    assert directly.equals(written(tmp_path / "out").drop_columns(["at"]))
    assert directly["id"].to_pylist() == [0, 1, 2, 3]


def test_a_later_file_of_a_wider_type_is_refused_not_rounded(
    end_of: Any, linear: Path, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    pq.write_table(wide(2), source / "0.parquet")
    doubles = with_type(wide(2, 2), "features", pa.list_(pa.float64()))
    pq.write_table(doubles, source / "1.parquet")
    flags = ("--model", linear, "--input", source, "--output", tmp_path / "out")
    ended = end_of(batch_score.main, *flags, "--path", "direct")
    assert ended.code == 65
    assert f"column 'features' of {source / '1.parquet'}" in ended.error
    assert [one.name for one in tmp_path.iterdir()] == ["in"]


def test_no_rows_leave_an_output_with_columns(score: Any, tmp_path: Path) -> None:
    pq.write_table(wide(1).slice(0, 0), tmp_path / "in.parquet")
    report = score("--input", tmp_path / "in.parquet", "--output", tmp_path / "out").report
    assert (report["path"], report["rows_in"], report["rows_out"]) == ("direct", 0, 0)
    assert written(tmp_path / "out").schema.names == [*wide(1).schema.names, "outputs"]


def test_files_of_lost_attempts_are_not_published(
    score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(wide(6), tmp_path / "in.parquet")
    run_splits = direct.run_splits

    def run_twice(*given: Any) -> Any:
        run_splits(*given)
        return run_splits(*given)

    monkeypatch.setattr(direct, "run_splits", run_twice)
    score("--input", tmp_path / "in.parquet", "--output", tmp_path / "out", "--path", "direct")
    assert written(tmp_path / "out")["id"].to_pylist() == list(range(6))


def test_more_files_than_footers_are_read_are_dealt_out_whole(tmp_path: Path) -> None:
    for part in range(MAX_FOOTERS + 3):
        pq.write_table(wide(2, part), tmp_path / f"{part:04d}.parquet", row_group_size=1)
    filesystem, path = open_filesystem(tmp_path.as_uri())
    files = list_files(filesystem, path)
    footers = read_footers(filesystem, files, "parquet")
    assert len(footers) == MAX_FOOTERS
    splits = plan_splits(cut(files, footers, "parquet"), 2)
    assert [piece.file for split in splits for piece in split] == files
    assert all(piece.row_groups is None for split in splits for piece in split)
    assert len(splits) == 2
