"""Models on other file systems: opened with the operator's settings, looked at, then copied."""

from __future__ import annotations

import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from hostile_models import write_model

from tfspark.errors import (
    InvalidModelError,
    ModelNotFoundError,
    SignatureNotFoundError,
    UsageError,
)
from tfspark.package import load
from tfspark.saved_model.files import MOST_ENTRIES, MOST_LEVELS
from tfspark.spark.cluster import distribution, remote_model
from tfspark.spark.cluster.files import Entry, HadoopFiles

# --- without Spark --------------------------------------------------------------------------------


class FakeFiles:
    """A file system that lists what it is told, and notes what is copied from it."""

    def __init__(self, *entries):
        self.entries = entries
        self.copied = []
        self.looked_at = 0

    def qualified(self, uri):
        return uri

    def children(self, uri):
        return ["saved_model.pb"]

    def entries_below(self, uri):
        for entry in self.entries:
            self.looked_at += 1
            yield entry

    def copy_to_local(self, uri, target):
        target.write_text(uri)
        self.copied.append(uri)


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Let a remote URI be one of a fake, and copy into a folder of the test's own."""

    def fetch(files):
        @contextmanager
        def outside_cache(spark, uri):
            yield files

        monkeypatch.setattr(remote_model.HadoopFiles, "outside_cache", outside_cache)
        monkeypatch.setattr(remote_model, "driver_folder", lambda purpose: tmp_path / "copied")
        return remote_model.copy_to_driver(None, "far://away/model", None)

    return fetch


def entry(name, size=1, *, folder=False, link=False):
    return Entry(name, size, folder, link)


def test_the_files_that_were_listed_are_copied(serve):
    files = FakeFiles(
        entry("saved_model.pb"), entry("variables", folder=True), entry("variables/a")
    )
    local = serve(files)
    assert files.copied == ["far://away/model/saved_model.pb", "far://away/model/variables/a"]
    assert (local / "variables" / "a").read_text() == files.copied[-1]


def test_a_copy_is_called_what_the_user_called_the_model(monkeypatch, tmp_path):
    model = write_model(tmp_path / "away")

    class Remote(FakeFiles):
        def copy_to_local(self, uri, target):
            shutil.copyfile(model / uri.removeprefix("far://away/models/digits/1/"), target)

    @contextmanager
    def outside_cache(spark, uri):
        files = [path for path in model.rglob("*") if path.is_file()]
        yield Remote(*(entry(path.relative_to(model).as_posix()) for path in files))

    monkeypatch.setattr(remote_model.HadoopFiles, "outside_cache", outside_cache)
    monkeypatch.setattr(remote_model, "driver_folder", lambda purpose: tmp_path / "copied")
    spark = SimpleNamespace(_jsc=None)
    found = distribution.resolve(spark, "far://away/models/digits/1")
    assert (found.name, found.version) == ("digits", 1)
    assert "path far://away/models/digits/1" in found.describe()
    shutil.rmtree(tmp_path / "copied")
    with pytest.raises(SignatureNotFoundError, match="at far://away/models/digits/1 has no"):
        distribution.resolve(spark, "far://away/models/digits/1", signature="other")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([entry("variables", link=True)], "'variables', a link"),
        ([entry("variables", folder=True, link=True)], "'variables', a link"),
        ([entry("../outside")], "'../outside', a name that no model has"),
        ([entry("a/../../outside")], "a name that no model has"),
        ([entry("n" * 256)], "a name that no model has"),
        ([entry("/".join(["d"] * (MOST_LEVELS + 1)), folder=True)], "a name that no model has"),
        (
            [entry("saved_model.pb", 1 << 60)],
            "1152921504606846976 bytes, where the driver has room",
        ),
        ([entry("a", 1 << 62), entry("b", 1 << 62)], "9223372036854775808 bytes"),
    ],
)
def test_what_is_no_model_is_not_copied(serve, tmp_path, entries, words):
    files = FakeFiles(*entries)
    with pytest.raises(InvalidModelError, match="cannot be copied to the driver") as caught:
        serve(files)
    assert words in str(caught.value)
    assert files.copied == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("folder", [False, True])
def test_entries_are_counted_while_they_are_listed(serve, folder):
    files = FakeFiles(*(entry(str(number), folder=folder) for number in range(3 * MOST_ENTRIES)))
    with pytest.raises(InvalidModelError, match=f"more than {MOST_ENTRIES} entries"):
        serve(files)
    assert files.looked_at == MOST_ENTRIES + 1
    assert files.copied == []


class BasePath(FakeFiles):
    """A base path with some folders, and with files that are named like versions."""

    names = ()

    def children(self, uri):
        return [*self.names, "7"]

    def folders(self, uri):
        return list(self.names)


def test_a_remote_version_folder_is_chosen_by_the_rule_of_local_ones(serve):
    files = BasePath(entry("saved_model.pb"))
    files.names = ("1", "10", "9", "old")
    serve(files)
    assert files.copied == ["far://away/model/10/saved_model.pb"]
    files.names = ("1", "01")
    with pytest.raises(InvalidModelError, match=r"Version 1 of the model .* exists twice"):
        serve(files)
    files.names = ("old",)
    with pytest.raises(ModelNotFoundError, match="There is no SavedModel at far://away/model"):
        serve(files)


def test_what_the_jvm_raises_is_said_in_our_words(serve):
    class Denied(FakeFiles):
        def children(self, uri):
            raise RuntimeError(
                "An error occurred while calling o1.x.\n: AccessControlException: no"
            )

    with pytest.raises(ModelNotFoundError, match="far://away/model cannot be read"):
        serve(Denied())


def test_the_folders_of_the_driver_are_private():
    folder = remote_model.driver_folder("test")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    shutil.rmtree(folder)


# --- with Spark's file systems --------------------------------------------------------------------


@pytest.fixture
def models(tmp_path):
    """A good and an evil model under the same name in two folders."""
    for name in ("good", "evil"):
        path = write_model(tmp_path / name / "model" / "1")
        (path / "assets" / "note").write_text(name)
    return tmp_path


def mount(configuration, name, folder):
    configuration.set(f"fs.viewfs.mounttable.{name}.link./models", Path(folder).as_uri())


def test_a_file_system_that_somebody_else_opened_is_not_used(spark, models):
    """Hadoop's cache does not look at the configuration; a user of SQL may be there first."""
    name = uuid4().hex
    uri = f"viewfs://{name}/models/model"
    operators = spark._jsc.hadoopConfiguration()
    users = spark._jvm.org.apache.hadoop.conf.Configuration(operators)
    mount(users, name, models / "evil")
    spark._jvm.org.apache.hadoop.fs.Path(uri).getFileSystem(users)
    mount(operators, name, models / "good")
    HadoopFiles(spark, uri).copy_to_local(f"{uri}/1/assets/note", models / "note")
    assert (models / "note").read_text() == "evil"  # by the cache
    found = distribution.resolve(spark, uri)
    assert found.digest == load(models / "good" / "model").digest


def test_the_file_system_is_closed_after_use(spark, models):
    name = uuid4().hex
    mount(spark._jsc.hadoopConfiguration(), name, models / "good")
    uri = f"viewfs://{name}/models/model"
    with HadoopFiles.outside_cache(spark, uri) as files:
        names = [one.name for one in files.entries_below(f"{uri}/1")]
        assert "variables/variables.index" in names
        own = files._fs
    with HadoopFiles.outside_cache(spark, uri) as files:
        assert not own.equals(files._fs)
    assert HadoopFiles(spark, uri).children(uri) == ["1"]  # that of the cache is open


def test_a_file_system_that_spark_does_not_have(spark):
    with pytest.raises(UsageError, match="no file system for 'nofs://host/model'"):
        distribution.resolve(spark, "nofs://host/model")
