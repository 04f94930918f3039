"""The job sets bad rows aside: good and bad rows together are the input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import batch_score
from tfspark.errors import RowError, UsageError
from tfspark.scoring.bad_row_limit import NO_LIMIT, Limit
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.split_frame import SplitFrame

FLOATS = pa.list_(pa.float32())
REASON = {"code": "WRONG_SHAPE", "column": "features"}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two files of ten rows each; every fifth row is bad, and one is null."""
    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(2):
        ids = range(10 * part, 10 * part + 10)
        features = [None if at == 3 else [1.0] if at % 5 == 1 else [float(at), 1.0] for at in ids]
        table = pa.table(
            {
                "id": pa.array(ids, pa.int64()),
                "features": pa.array(features, FLOATS),
                "name": [str(at) for at in ids],
            }
        )
        pq.write_table(table, folder / f"{part}.parquet")
    return folder


def run(score: Any, mixed: Path, tmp_path: Path, *flags: object) -> Any:
    places = ("--output", tmp_path / "out", "--bad-rows", tmp_path / "bad")
    return score("--input", mixed, *places, "--keep", "id", *flags)


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_good_and_bad_rows_are_the_input(
    path: str, score: Any, mixed: Path, tmp_path: Path
) -> None:
    ended = run(score, mixed, tmp_path, "--path", path)
    report = ended.report
    assert report["path"] == path
    counts = (report["rows_in"], report["rows_out"], report["bad_rows"], report["null_rows"])
    assert counts == (20, 16, 4, 1)
    assert report["bad_rows_output"] == str(tmp_path / "bad")
    assert "scored 16 rows in" in ended.stdout
    assert "(1 null, 4 bad)" in ended.stdout
    good, bad = (pq.read_table(tmp_path / name).sort_by("id") for name in ("out", "bad"))
    assert good.schema.names == ["id", "outputs"]
    assert bad.schema.names == ["id", "features", "name", "_reason", "_input_file"]
    assert bad["id"].to_pylist() == [1, 6, 11, 16]
    assert bad["name"].to_pylist() == ["1", "6", "11", "16"]
    assert all(REASON.items() <= reason.items() for reason in bad["_reason"].to_pylist())
    files = [Path(name).name for name in bad["_input_file"].to_pylist()]
    assert files == ["0.parquet", "0.parquet", "1.parquet", "1.parquet"]
    assert sorted([*good["id"].to_pylist(), *bad["id"].to_pylist()]) == list(range(20))
    assert (tmp_path / "bad" / "_SUCCESS").is_file()


def test_clean_rows_leave_an_empty_folder(score: Any, rows: Path, tmp_path: Path) -> None:
    report = score(
        "--input", rows, "--output", tmp_path / "out", "--bad-rows", tmp_path / "bad"
    ).report
    assert (report["rows_out"], report["bad_rows"]) == (5, 0)
    bad = pq.read_table(tmp_path / "bad")
    assert bad.num_rows == 0
    assert bad.schema.names == ["id", "features", "_reason", "_input_file"]


def test_every_row_may_be_bad(score: Any, tmp_path: Path) -> None:
    source = tmp_path / "all.parquet"
    pq.write_table(pa.table({"features": pa.array([[1.0]] * 5, FLOATS)}), source)
    flags = ("--output", tmp_path / "out", "--bad-rows", tmp_path / "bad")
    report = score("--input", source, *flags).report
    assert (report["rows_in"], report["rows_out"], report["bad_rows"]) == (5, 0, 5)
    assert pq.read_table(tmp_path / "out").schema.names == ["features", "outputs"]
    assert pq.read_table(tmp_path / "bad").num_rows == 5


@pytest.mark.parametrize("limit", ["3", "19%", "0"])
def test_too_many_bad_rows_publish_nothing(
    limit: str, end_of: Any, linear: Path, mixed: Path, tmp_path: Path
) -> None:
    places = ("--output", tmp_path / "out", "--bad-rows", tmp_path / "bad")
    flags = ("--model", linear, "--input", mixed, *places, "--max-bad-rows", limit)
    ended = end_of(batch_score.main, *flags)
    assert ended.code == 65
    assert "4 of 20 rows" in ended.error
    assert f"at most {limit}" in ended.error
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_existing_folder_is_refused_in_the_words_of_bad_rows(
    end_of: Any, linear: Path, mixed: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad").mkdir()
    pq.write_table(pa.table({"other": [1]}), tmp_path / "bad" / "0.parquet")
    flags = ("--model", linear, "--input", mixed, "--bad-rows", tmp_path / "bad")
    flags = (*flags, "--output", tmp_path / "out")
    there = end_of(batch_score.main, *flags)
    assert there.code == 73
    assert f"The folder for bad rows exists: {tmp_path / 'bad'}." in there.error
    assert "choose another --bad-rows, or --mode overwrite, or --mode append" in there.error
    other = end_of(batch_score.main, *flags, "--mode", "append")
    assert other.code == 65
    assert "choose another --bad-rows, or --mode overwrite" in other.error
    assert "--keep" not in other.error


def test_bad_rows_of_a_table_go_to_a_folder(
    end_of: Any, linear: Path, mixed: Path, tmp_path: Path, tables: str, spark: Any
) -> None:
    flags = ("--model", linear, "--input", mixed, "--bad-rows", tmp_path / "bad")
    ended = end_of(batch_score.main, *flags, "--output-table", f"{tables}.good")
    assert ended.code == 0, ended.error
    assert (ended.report["rows_in"], ended.report["bad_rows"]) == (20, 4)
    assert spark.table(f"{tables}.good").columns == ["id", "features", "name", "outputs"]
    assert spark.table(f"{tables}.good").count() == 16
    assert pq.read_table(tmp_path / "bad").num_rows == 4


def test_no_rows_stay_on_the_disks_of_workers(
    end_of: Any, linear: Path, mixed: Path, tmp_path: Path, spark: Any, monkeypatch: Any
) -> None:
    def fail(frame: SplitFrame) -> int:
        plan = frame.good._jdf.queryExecution().executedPlan().toString()
        assert "InMemoryTableScan" in plan  # the rows are not scored again
        raise OSError("no space")

    kept = spark._jsparkSession.sharedState().cacheManager()
    places = ("--output", tmp_path / "out", "--bad-rows", tmp_path / "bad", "--path", "spark")
    flags = ("--model", linear, "--input", mixed, *places)
    assert end_of(batch_score.main, *flags, "--dry-run").code == 0
    assert kept.isEmpty()
    monkeypatch.setattr(SplitFrame, "stage_bad", fail)
    assert end_of(batch_score.main, *flags).code == 74
    assert kept.isEmpty()


def test_the_only_text_column_still_feeds_a_model_of_text(
    end_of: Any, tmp_path: Path, save_echo: Path
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text\na\nb\n")
    places = ("--output", tmp_path / "out", "--bad-rows", tmp_path / "bad")
    flags = ("--model", save_echo, "--input", source, "--input-format", "csv")
    ended = end_of(batch_score.main, *flags, *places)
    assert ended.code == 0, ended.error
    assert (ended.report["rows_out"], ended.report["bad_rows"]) == (2, 0)
    assert pq.read_table(tmp_path / "bad").schema.names == ["text", "_reason", "_input_file"]


@pytest.fixture
def save_echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that returns its only input, a text."""
    import tensorflow as tf

    from tfspark.testing import save_function

    spec = tf.TensorSpec((None,), tf.string, name="x")
    base = tmp_path_factory.mktemp("models") / "echo"
    return save_function(base, lambda x: {"y": tf.identity(x)}, spec)


def test_an_append_adds_to_both_folders(score: Any, mixed: Path, tmp_path: Path) -> None:
    run(score, mixed, tmp_path)
    run(score, mixed, tmp_path, "--mode", "append", "--max-bad-rows", "20%")
    assert pq.read_table(tmp_path / "out").num_rows == 32
    assert pq.read_table(tmp_path / "bad").num_rows == 8


@pytest.mark.parametrize("was_there", [False, True])
def test_bad_rows_are_withdrawn_when_the_output_cannot_be_shown(
    was_there: bool,
    end_of: Any,
    score: Any,
    linear: Path,
    mixed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if was_there:
        run(score, mixed, tmp_path)
    shown = PathOutput.publish

    def publish(output: PathOutput) -> None:
        if type(output) is PathOutput:
            raise OSError("disk full")
        shown(output)

    monkeypatch.setattr(PathOutput, "publish", publish)
    places = ("--output", tmp_path / "out", "--bad-rows", tmp_path / "bad", "--mode", "append")
    ended = end_of(batch_score.main, "--model", linear, "--input", mixed, *places)
    assert ended.code != 0
    assert (tmp_path / "bad").exists() == was_there
    if was_there:
        assert pq.read_table(tmp_path / "bad").num_rows == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--bad-rows", "{out}"], "Bad rows need a folder that is not the output's"),
        (["--bad-rows", "{out}/bad"], "Bad rows need a folder that is not the output's"),
        (["--max-bad-rows", "3"], "--max-bad-rows has no effect"),
    ],
)
def test_what_cannot_be_is_refused_before_a_task(
    flags: list[str], message: str, end_of: Any, linear: Path, mixed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    given = [flag.format(out=out) for flag in flags]
    ended = end_of(batch_score.main, "--model", linear, "--input", mixed, "--output", out, *given)
    assert (ended.code, ended.spark_jobs) == (2, 0)
    assert message in ended.error


@pytest.mark.parametrize("name", ["_reason", "_INPUT_FILE", "outputs"])
def test_the_names_of_added_columns_must_be_free(
    name: str, end_of: Any, linear: Path, tmp_path: Path
) -> None:
    source = tmp_path / "taken.parquet"
    pq.write_table(pa.table({"features": pa.array([[1.0, 2.0]], FLOATS), name: ["x"]}), source)
    places = ("--output", tmp_path / "out", "--bad-rows", tmp_path / "bad", "--keep", "features")
    ended = end_of(batch_score.main, "--model", linear, "--input", source, *places)
    assert (ended.code, ended.spark_jobs) == (65, 0)
    assert name in ended.error


# --- the limit ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bad"), [("3", 3), ("0", 0), ("1000000", 20), ("10%", 2), ("12.5%", 2), ("100%", 20)]
)
def test_a_limit_is_a_number_or_a_share(text: str, bad: int) -> None:
    limit = Limit.of(text)
    assert str(limit) == text
    limit.check(bad, 20)
    if bad < 20:
        with pytest.raises(RowError, match=f"{bad + 1} of 20 rows"):
            limit.check(bad + 1, 20)
    NO_LIMIT.check(20, 20)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "%", "many"])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Limit.of(text)
