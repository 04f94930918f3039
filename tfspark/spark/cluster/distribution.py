"""Sends a model to the workers: by broadcast, archive, or a path that all of them see. Driver.

Chooses a `Source` for the `ModelHandle` of a `ModelPackage`; on a worker, the source fetches the
files to that machine. Remote models are copied to the driver first; see `remote_model`.

Invariants: only bytes are sent, never a live model; a model is broadcast once per SparkContext,
however many APIs use it; at most one chunk of it is in the memory of a Python process; a worker
process that has opened the model does not use its source again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from pickle import PicklingError
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from py4j.protocol import Py4JJavaError
from pyspark import SparkContext, SparkFiles
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from tfspark.errors import EngineError, ModelNotFoundError, TfsparkError, UsageError, explain
from tfspark.handle import PathSource, Source
from tfspark.mlflow_models import is_mlflow_uri
from tfspark.node_folder import check_digest, unpacked
from tfspark.options import SERVING_DEFAULT, Distribute
from tfspark.package import ModelPackage, load
from tfspark.saved_model.chunks import ChunkWriter
from tfspark.saved_model.other_objects import refuse
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import local_path
from tfspark.spark.cluster.remote_model import copy_to_driver, driver_folder
from tfspark.spark.cluster.session_kind import is_classic

# Each chunk is a broadcast of its own. While it is sent, Python and the JVM of the driver hold one
# chunk each; later Spark moves broadcasts to disk when its memory is full. Executors fetch the
# chunks one after another, in pieces of 4 MiB; with more pieces, more peers have one to give.
CHUNK = 256 << 20
# What is pickled into a function passes through the driver with every request of a Connect session
# and through each task.
PICKLE_LIMIT = 4 << 20

# The models that were sent before. Spark keeps them as long as the context or the Connect session.
_broadcasts: dict[SparkContext, dict[str, BroadcastSource]] = {}
_archives: WeakKeyDictionary[SparkContext | SparkSession, set[str]] = WeakKeyDictionary()
# Threads, such as those of a CrossValidator, send a model once.
_sending = Lock()


@dataclass(frozen=True)
class BroadcastSource:
    """A packed model in Spark broadcasts, which spread from executor to executor."""

    chunks: tuple[Any, ...]

    def locate(self, digest: str, size: int) -> Path:
        """Return the unpacked folder of this node; the first process there unpacks it."""
        return unpacked(digest, size, map(_content, self.chunks))


@dataclass(frozen=True)
class PickledSource:
    """The packed model inside the function that Spark pickles, which reaches every task."""

    archive: bytes = field(repr=False)

    def locate(self, digest: str, size: int) -> Path:
        """Return the unpacked folder of this node; the first process there unpacks it."""
        return unpacked(digest, size, [self.archive])


@dataclass(frozen=True)
class ArchiveSource:
    """The packed model as a Spark archive, which Spark unpacks for every executor."""

    name: str

    def locate(self, digest: str, size: int) -> Path:  # noqa: ARG002
        """Return the folder into which Spark unpacked the archive.

        Raises:
            ModelNotFoundError: When Spark did not deliver it.
            InvalidModelError: When its files have changed.
        """
        folder = Path(SparkFiles.getRootDirectory()) / self.name
        if not folder.is_dir():
            raise ModelNotFoundError(
                explain(
                    "The archive with the model did not reach this worker.",
                    expected=str(folder),
                    hint='use distribute="path" with a path that every machine sees. Archives do '
                    "not reach the tasks of a stream on Spark Connect.",
                )
            )
        check_digest(folder, digest)
        return folder


def _content(chunk: Any) -> bytes:
    """Read a chunk; Spark must not keep its value, or all chunks would be in memory."""
    content: bytes = chunk.value
    if hasattr(chunk, "_path"):  # the file from which Spark reads the value again
        vars(chunk).pop("_value", None)
    return content


def distribute(spark: SparkSession, package: ModelPackage, how: Distribute = "auto") -> Source:
    """Make a model available to the workers of a session.

    Args:
        spark: The session; a classic one can broadcast, a Connect one sends an archive.
        package: The model, on a path that this process sees.
        how: `auto` broadcasts; on Connect it pickles up to 4 MiB with the function and sends an
            archive beyond. `path` sends nothing.

    Returns:
        The source, with which a worker finds the files.

    Raises:
        UsageError: When `how` is `broadcast` on a Connect session.
        EngineError: When Spark cannot take the broadcast.
    """
    if how == "path":
        return PathSource(package.path)
    if how == "auto" and not is_classic(spark) and package.size <= PICKLE_LIMIT:
        return PickledSource(package.pack_bytes())
    if how == "auto":
        how = "broadcast" if _can_stream(spark, package) else "archive"
    if how == "archive":
        return _archive(spark, package)
    if not is_classic(spark):
        raise UsageError(
            explain(
                "A Spark Connect session cannot broadcast a model.",
                hint="leave distribute out, or use archive or path.",
            )
        )
    return broadcast(spark.sparkContext, package)


def check_stream(df: DataFrame, source: Source) -> None:
    """Refuse an archive for a stream on Connect, whose tasks it does not reach.

    Raises:
        UsageError: With a hint to the ways that work.
    """
    if isinstance(source, ArchiveSource) and not is_classic(df.sparkSession) and df.isStreaming:
        raise UsageError(
            explain(
                "On Spark Connect the archive of a model does not reach the tasks of a stream.",
                expected=f"a model of at most {PICKLE_LIMIT >> 20} MiB, or a path of all workers",
                hint='use distribute="path" with a path that every machine sees.',
            )
        )


def broadcast(context: SparkContext, package: ModelPackage) -> BroadcastSource:
    """Broadcast a packed model in chunks, once per context and digest.

    Raises:
        EngineError: When Spark cannot take a chunk, for example because the disk is full.
    """
    with _sending:
        for stopped in [context for context in _broadcasts if context._jsc is None]:
            del _broadcasts[stopped]
        known = _broadcasts.setdefault(context, {})
        if package.digest not in known:
            known[package.digest] = _broadcast(context, package)
        return known[package.digest]


def _broadcast(context: SparkContext, package: ModelPackage) -> BroadcastSource:
    writer = ChunkWriter(CHUNK, context.broadcast)
    try:
        package.pack(writer)
        writer.finish()
    except (OSError, PicklingError, Py4JJavaError) as error:
        for chunk in writer.sent:
            chunk.destroy()
        raise EngineError(
            explain(
                f"The driver cannot broadcast the model {package.place}.",
                expected=f"a disk of the driver with room for twice its {package.size} bytes",
                found=cause(error),
                hint="set spark.local.dir of the driver to a larger disk, or use "
                'distribute="path" with a path that every machine sees.',
            )
        ) from error
    return BroadcastSource(tuple(writer.sent))


def _can_stream(spark: SparkSession, package: ModelPackage) -> bool:
    """Whether a worker can read the chunks of a broadcast one by one.

    With encryption, Spark loads all broadcasts of a task into the memory of each worker.
    """
    if not is_classic(spark):
        return False
    encrypted = spark.conf.get("spark.io.encryption.enabled", "false")
    return encrypted != "true" or package.size <= CHUNK


def forget(spark: SparkSession, package: ModelPackage) -> None:
    """Let Spark remove the broadcasts of a model when no query uses them any more.

    Archives and artifacts stay until the session ends; Spark cannot remove them.
    """
    if is_classic(spark):
        _broadcasts.get(spark.sparkContext, {}).pop(package.digest, None)


def _archive(spark: SparkSession, package: ModelPackage) -> ArchiveSource:
    """Send a packed model as one of Spark's archives, named by digest, once per session."""
    name = f"{package.digest}.tar"
    with _sending:
        sent = _archives.setdefault(spark.sparkContext if is_classic(spark) else spark, set())
        if name not in sent:
            folder = driver_folder("archive")
            with (folder / name).open("wb") as target:
                package.pack(target)
            _add_archive(spark, str(folder / name))
            sent.add(name)
    return ArchiveSource(name)


def _add_archive(spark: SparkSession, path: str) -> None:
    if is_classic(spark):  # where Spark 3.5 has no artifacts
        spark.sparkContext.addArchive(path)
        return
    try:
        spark.addArtifacts(path, archive=True)
    except PySparkException as error:
        # Another Python object of the same session sent it; equal names have equal contents.
        if "DUPLICATED_ARTIFACT" not in str(error):
            raise


def resolve(
    spark: SparkSession | None,
    model: str | Path | ModelPackage,
    *,
    version: int | None = None,
    signature: str | None = None,
    tags: Sequence[str] = ("serve",),
    sha256: str | None = None,
) -> ModelPackage:
    """Return the package of a model given by path, URI or package.

    Args:
        spark: The session, whose file system reads a remote URI; may be `None` for a local path.
        model: A package, a local path, or a URI of any file system that Spark reads.
        version: Version folder; by default the newest. Ignored for a package.
        signature: Signature to call; by default `serving_default`, or the one that the package has
            selected.
        tags: Tag set. Ignored for a package.
        sha256: The digest that the model must have.

    Raises:
        UsageError: When the model is not a path, but a live model, for example.
        ModelNotFoundError: When the path does not exist.
        InvalidModelError: When the model is broken or incomplete.
        SignatureNotFoundError: When the model has no such tag set or signature.
    """
    if isinstance(model, ModelPackage):
        if sha256 is not None:
            model.check_digest(sha256)
        return model if signature is None else model.select(signature)
    if is_mlflow_uri(model):
        return load(model, version, signature or SERVING_DEFAULT, tags, sha256)
    refuse(model)
    local = local_path(str(model))
    if spark is not None and is_classic(spark) and (local is None or not local.exists()):
        copy = copy_to_driver(spark, str(model), version)
        if copy is not None:
            uri = str(model).rstrip("/")
            return _loaded(
                copy, uri, lambda: load(copy, version, signature or SERVING_DEFAULT, tags, sha256)
            )
    return load(local or Path(model), version, signature or SERVING_DEFAULT, tags, sha256)


def _loaded(copy: Path, uri: str, read: Callable[[], ModelPackage]) -> ModelPackage:
    """Load the driver's copy of a remote model; messages name the URI instead of the copy."""
    try:
        package = read()
    except TfsparkError as error:
        raise type(error)(str(error).replace(str(copy), uri)) from error
    return replace(package, source=package.path.replace(str(copy), uri))
