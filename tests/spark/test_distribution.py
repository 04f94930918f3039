import os
import pickle
import shutil
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from pickle import PicklingError
from uuid import uuid4

import pytest
from google.protobuf import text_format
from pyspark.sql import functions as sf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tfspark import load, predict, predict_rdd, predict_udf
from tfspark.errors import (
    EngineError,
    InvalidModelError,
    ModelNotFoundError,
    SignatureNotFoundError,
    UsageError,
)
from tfspark.package import ModelPackage
from tfspark.saved_model.files import digest_of
from tfspark.spark.cluster import distribution

WAYS = ["auto", "broadcast", "archive", "path"]
ANSWERS = [3.0, 4.0, 9.0]


@pytest.fixture
def fresh(linear, tmp_path):
    """The linear model with a different digest, which no worker has seen."""
    base = Path(shutil.copytree(linear, tmp_path / "fresh"))
    (base / "1" / "assets.extra").mkdir()
    (base / "1" / "assets.extra" / "note").write_text(uuid4().hex)
    return base


def outputs(df):
    return [row.outputs for row in df.collect()]


@pytest.mark.parametrize("how", WAYS)
def test_every_way_brings_the_same_model(spark, points, fresh, how):
    again = predict_udf(fresh, distribute=how)("features").alias("outputs")
    rdd = spark.sparkContext.parallelize([[1, 2], [3, 5], [7, 8]], 2)
    assert outputs(predict(points, fresh, distribute=how)) == ANSWERS
    assert outputs(points.select(again)) == ANSWERS
    assert predict_rdd(rdd, fresh, distribute=how).collect() == ANSWERS


@pytest.mark.parametrize("how", ["broadcast", "archive"])
def test_threads_send_a_model_once(spark, fresh, how, monkeypatch):
    sent = []
    pack = ModelPackage.pack
    monkeypatch.setattr(ModelPackage, "pack", lambda *args: sent.append(how) or pack(*args))
    package = load(fresh)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: distribution.distribute(spark, package, how), range(8)))
    assert sent == [how]


@pytest.mark.parametrize("how", ["auto", "broadcast"])
def test_one_broadcast_per_model_and_context(spark, points, fresh, linear, how, monkeypatch):
    sent = []
    send = spark.sparkContext.broadcast
    monkeypatch.setattr(spark.sparkContext, "broadcast", lambda data: sent.append(1) or send(data))
    for _ in range(2):
        predict(points, fresh, distribute=how)
        predict_udf(load(fresh), distribute=how)
        predict_rdd(spark.sparkContext.parallelize([[1, 2]]), fresh / "1", distribute=how)
    assert len(sent) == 1


def test_one_archive_per_model_and_context(spark, points, fresh, monkeypatch):
    sent = []
    send = spark.sparkContext.addArchive
    monkeypatch.setattr(
        spark.sparkContext, "addArchive", lambda path: sent.append(path) or send(path)
    )
    for session in (spark, spark.newSession()):
        predict(points, fresh, distribute="archive")
        predict_udf(fresh, distribute="archive", spark=session)
    assert [Path(path).name for path in sent] == [f"{load(fresh).digest}.tar"]


def test_a_small_model_is_pickled_for_a_session_without_a_jvm(fresh, tmp_path, monkeypatch):
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path))
    package = load(fresh)
    source = pickle.loads(pickle.dumps(distribution.distribute(object(), package)))
    assert isinstance(source, distribution.PickledSource)
    assert len(repr(source)) < 100
    assert digest_of(source.locate(package.digest, package.size)) == package.digest


def test_a_large_model_is_broadcast_in_chunks(points, fresh, tmp_path, monkeypatch):
    monkeypatch.setattr(distribution, "CHUNK", 4096)
    monkeypatch.setenv("TFSPARK_CACHE_DIR", str(tmp_path))  # of the driver
    package = load(fresh)
    assert outputs(predict(points, fresh)) == ANSWERS
    source = distribution.distribute(points.sparkSession, package)
    assert len(source.chunks) == -(-len(package.pack_bytes()) // 4096) > 1
    assert digest_of(source.locate(package.digest, package.size)) == package.digest
    assert not any(hasattr(chunk, "_value") for chunk in source.chunks)  # kept in memory


def test_a_forgotten_model_keeps_no_chunk(spark, fresh, monkeypatch):
    monkeypatch.setattr(distribution, "CHUNK", 4096)
    package = load(fresh)
    chunks = [weakref.ref(chunk) for chunk in distribution.distribute(spark, package).chunks]
    assert all(chunk() is not None for chunk in chunks)
    distribution.forget(spark, package)
    assert all(chunk() is None for chunk in chunks)  # so that Spark removes its blocks


def test_a_chunk_that_is_lost_on_the_way(points, fresh, refusal, monkeypatch):
    monkeypatch.setattr(distribution, "CHUNK", 4096)
    scored = predict(points, fresh)
    source = distribution.distribute(points.sparkSession, load(fresh))
    Path(source.chunks[1]._path).unlink()  # local workers read the driver's file
    assert "The packed model did not reach this worker" in refusal(scored)


def test_a_chunk_that_is_changed_on_the_way(points, fresh, refusal, monkeypatch):
    monkeypatch.setattr(distribution, "CHUNK", 4096)
    scored = predict(points, fresh)
    source = distribution.distribute(points.sparkSession, load(fresh))
    note = (fresh / "1" / "assets.extra" / "note").read_bytes()
    files = [Path(chunk._path) for chunk in source.chunks]
    (file,) = (file for file in files if note in file.read_bytes())
    file.write_bytes(file.read_bytes().replace(note, note.upper()))
    assert "is not the one that the driver read" in refusal(scored)


@pytest.mark.parametrize(
    ("encrypted", "chunk", "kind"),
    [
        ("true", 4096, distribution.ArchiveSource),
        ("true", 1 << 20, distribution.BroadcastSource),
        ("false", 4096, distribution.BroadcastSource),
    ],
)
def test_encryption_would_load_all_chunks_at_once(
    spark, fresh, monkeypatch, encrypted, chunk, kind
):
    monkeypatch.setattr(distribution, "CHUNK", chunk)
    settings = {"spark.io.encryption.enabled": encrypted}
    monkeypatch.setattr(spark.conf, "get", settings.get)
    assert isinstance(distribution.distribute(spark, load(fresh)), kind)


def test_a_broadcast_that_fails_leaves_nothing_and_can_be_sent_again(spark, fresh, monkeypatch):
    monkeypatch.setattr(distribution, "CHUNK", 4096)
    sent = []
    send = spark.sparkContext.broadcast

    def fill_the_disk(chunk):
        if len(sent) == 2:
            raise PicklingError("Could not serialize broadcast: OSError: No space left on device")
        sent.append(send(chunk))
        return sent[-1]

    monkeypatch.setattr(spark.sparkContext, "broadcast", fill_the_disk)
    with pytest.raises(EngineError, match=r"cannot broadcast.*\n.*\n.*No space left on device"):
        distribution.distribute(spark, load(fresh))
    assert [Path(chunk._path).exists() for chunk in sent] == [False, False]
    monkeypatch.setattr(spark.sparkContext, "broadcast", send)
    assert isinstance(distribution.distribute(spark, load(fresh)), distribution.BroadcastSource)


def test_a_session_without_a_jvm_sends_no_broadcast(fresh):
    with pytest.raises(UsageError, match="Connect session cannot broadcast"):
        distribution.distribute(object(), load(fresh), "broadcast")


def test_it_is_unpacked_once_into_a_folder_named_by_digest(points, fresh):
    digest = load(fresh).digest
    assert outputs(predict(points, fresh)) == ANSWERS
    cache = Path(os.environ["TFSPARK_CACHE_DIR"])
    assert digest_of(cache / digest) == digest
    assert [one.name for one in cache.glob(f"{digest}*") if one.is_dir()] == [digest]


def test_a_worker_process_loads_a_model_once(points, fresh, tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class NotingSource:
        path: str
        notes: str

        def locate(self, digest, size):
            with Path(self.notes).open("a") as notes:
                notes.write(f"{os.getpid()}\n")
            return Path(self.path)

    notes = tmp_path / "loads"
    source = NotingSource(load(fresh).path, str(notes))
    monkeypatch.setattr("tfspark.spark.model_loading.distribute", lambda *_: source)
    one, two = predict_udf(fresh), predict_udf(fresh, kind="pandas")
    for _ in range(2):
        df = points.repartition(5).select(one("features").alias("y"), two("features"), "features")
        assert df.where(one("features") == sf.col("y")).count() == 3
        assert sorted(outputs(predict(points, fresh))) == ANSWERS
    loads = Counter(notes.read_text().splitlines())
    assert set(loads.values()) == {1}


def test_a_path_that_workers_do_not_see(points, fresh, refusal):
    scored = predict(points, fresh, distribute="path")
    shutil.rmtree(fresh)
    assert "A worker does not see the model folder" in refusal(scored)


def test_a_model_that_changed_since_the_driver_read_it(points, fresh, refusal):
    scored = predict(points, fresh, distribute="path")
    (fresh / "1" / "assets.extra" / "note").write_text("other")
    assert "is not the one that the driver read" in refusal(scored)


def test_an_archive_whose_files_changed_on_the_node(fresh, tmp_path, monkeypatch):
    package = load(fresh)
    source = distribution.ArchiveSource(f"{package.digest}.tar")
    monkeypatch.setattr(distribution.SparkFiles, "getRootDirectory", lambda: str(tmp_path))
    folder = Path(shutil.copytree(package.path, tmp_path / source.name))
    assert source.locate(package.digest, package.size) == folder
    note = folder / "assets.extra" / "note"
    note.write_text("x" * note.stat().st_size)
    with pytest.raises(InvalidModelError, match="is not the one that the driver read"):
        source.locate(package.digest, package.size)


# --- the location of a model ----------------------------------------------------------------------


@pytest.fixture
def remote(spark, fresh):
    """The URI of the fresh model on a file system that only Spark can read."""
    name = uuid4().hex
    configuration = spark._jsc.hadoopConfiguration()
    configuration.set(f"fs.viewfs.mounttable.{name}.link./models", fresh.parent.as_uri())
    return f"viewfs://{name}/models/fresh"


@pytest.mark.parametrize("suffix", ["", "/", "/1"])
def test_a_remote_model(points, remote, suffix):
    assert outputs(predict(points, remote + suffix)) == ANSWERS
    assert (
        outputs(points.select(predict_udf(remote + suffix)("features").alias("outputs"))) == ANSWERS
    )


def test_a_remote_version_and_the_newest(spark, points, remote, fresh):
    shutil.copytree(fresh / "1", fresh / "10")
    (fresh / "9").mkdir()
    assert distribution.resolve(spark, remote).version == 10
    assert distribution.resolve(spark, remote, version=1).version == 1
    assert distribution.resolve(spark, remote).digest == load(fresh).digest


def test_a_remote_model_is_copied_once_until_it_changes(spark, remote, fresh):
    first = distribution.resolve(spark, remote)
    assert distribution.resolve(spark, remote).path == first.path
    (Path(first.path) / "saved_model.pb").unlink()
    again = distribution.resolve(spark, remote)
    assert (again.path != first.path, again.digest) == (True, first.digest)
    note = fresh / "1" / "assets.extra" / "note"
    note.write_text("x" * note.stat().st_size)
    assert distribution.resolve(spark, remote).digest != first.digest


@pytest.mark.parametrize("suffix", ["", "/1"])
def test_a_remote_model_of_text(points, remote, fresh, suffix):
    file = fresh / "1" / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    file.with_suffix(".pbtxt").write_text(text_format.MessageToString(model))
    file.unlink()
    assert outputs(predict(points, remote + suffix)) == ANSWERS


def test_a_broken_newest_remote_version_is_no_step_back(points, remote, fresh):
    (fresh / "2").mkdir()
    (fresh / "2" / "saved_model.pb").write_bytes(b"\x01")
    with pytest.raises(InvalidModelError):
        predict(points, remote)


@pytest.mark.parametrize(
    ("suffix", "options", "error", "message"),
    [
        ("", {"version": 7}, ModelNotFoundError, "version 7|not the version asked for"),
        ("-nothing", {}, ModelNotFoundError, "no SavedModel at viewfs://"),
        ("", {"signature": "other"}, SignatureNotFoundError, "no signature 'other'"),
        ("", {"tags": ["train"]}, SignatureNotFoundError, "tag set 'train'"),
    ],
)
def test_what_is_not_there_is_said_at_the_call(points, remote, suffix, options, error, message):
    with pytest.raises(error, match=message):
        predict(points, remote + suffix, **options)


def test_a_file_system_that_spark_does_not_have(points):
    with pytest.raises(UsageError, match="no file system"):
        predict(points, "nofs://host/models")


def test_a_path_a_uri_or_a_package(points, fresh):
    for model in (fresh, str(fresh), fresh / "1", fresh.as_uri(), f"file:{fresh}", load(fresh)):
        assert distribution.resolve(points.sparkSession, model).digest == load(fresh).digest
    assert outputs(predict(points, load(fresh))) == ANSWERS


def test_a_package_may_choose_another_signature(spark, pair):
    package = load(pair, signature="double")
    df = spark.range(2).toDF("x")
    assert predict(df, package).columns == ["x", "twice"]
    assert predict(df, load(pair), signature="double").columns == ["x", "twice"]


def test_a_relative_path(points, fresh, monkeypatch):
    monkeypatch.chdir(fresh.parent)
    assert outputs(predict(points, "fresh", distribute="path")) == ANSWERS
