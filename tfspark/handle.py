"""What crosses the wire in place of a model, and how a worker opens it.

In comes a `ModelPackage` on the driver; the `ModelHandle` made of it is pickled into a Spark job
and gives a live `Engine` on the executor. A `Source` says where a worker finds the export dir.

Invariants: nothing live is pickled; a worker that has the model open does not touch its source
again; bytes are unpacked once per node, into a folder named by digest, under a lock, by a rename;
whatever the source, the files have the driver's digest when a process opens them.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tfspark.cache import ENGINES
from tfspark.engine import Engine, EngineOptions, gpu, load_engine
from tfspark.errors import (
    EngineError,
    InvalidModelError,
    ModelNotFoundError,
    TfsparkError,
    explain,
)
from tfspark.package import ModelPackage
from tfspark.saved_model.archive import unpack
from tfspark.saved_model.files import digest_of, size_of
from tfspark.signature import Signature
from tfspark.warmup import FILE, requests

_log = logging.getLogger(__name__)


class Source(Protocol):
    """Where a worker finds a model."""

    def locate(self, digest: str, size: int) -> Path:
        """Return the export dir on this machine, bringing it here first if need be.

        Args:
            digest: SHA-256 of the files, as the driver read them.
            size: Bytes of all files.
        """


@dataclass(frozen=True)
class PathSource:
    """A path that every worker sees: a shared file system, or one machine."""

    path: str

    def locate(self, digest: str, size: int) -> Path:  # noqa: ARG002
        """Return the path, after checking that the model there is still the driver's."""
        folder = Path(self.path)
        if not folder.is_dir():
            raise ModelNotFoundError(
                explain(
                    f"A worker does not see the model folder {folder}.",
                    expected="a path that every machine of the cluster sees",
                    hint='leave distribute="path" out, so that Spark carries the model.',
                )
            )
        check_digest(folder, digest)
        return folder


@dataclass(frozen=True)
class ModelHandle:
    """A picklable name for a model that a worker can open.

    Attributes:
        name: What errors and reports call the model.
        version: Its version number, if it has one.
        digest: SHA-256 of its files; the identity.
        size: Bytes of its files.
        tags: Its tag set.
        signature: The signature to call.
        source: Where a worker finds the files.
        options: How to run it.
    """

    name: str
    version: int | None
    digest: str
    size: int
    tags: tuple[str, ...]
    signature: Signature
    source: Source
    options: EngineOptions

    @classmethod
    def of(
        cls,
        package: ModelPackage,
        source: Source | None = None,
        options: EngineOptions | None = None,
    ) -> ModelHandle:
        """Make a handle; without a source, workers read the package's own path.

        Raises:
            ForbiddenOperationError: When the model touches more than its tensors.
        """
        package.check_operations()
        return cls(
            name=package.name,
            version=package.version,
            digest=package.digest,
            size=package.size,
            tags=package.tags,
            signature=package.signature,
            source=source or PathSource(package.path),
            options=options or EngineOptions(),
        )

    @property
    def title(self) -> str:
        """The model in words, for messages."""
        version = "" if self.version is None else f" version {self.version}"
        return f"{self.name}{version} ({self.digest[:12]})"

    def open(self, gpus: Collection[str] = ()) -> Engine:
        """Return the live engine of this process, loading and warming the model on first use.

        Args:
            gpus: Addresses of the GPUs that the model has to run on; none leaves it to TensorFlow.

        Raises:
            ModelNotFoundError: When the source is not there.
            InvalidModelError: When the files are not the driver's, or its warm-up requests broken.
            EngineError: When the engine cannot load it, it refuses a warm-up request, or there is
                no such GPU.
        """
        options = replace(self.options, gpu=bool(gpus))
        key = (self.digest, self.tags, self.signature, options)

        def load() -> Engine:
            if gpus:
                gpu.show(gpus)
            folder = self.source.locate(self.digest, self.size)
            try:
                engine = load_engine(str(folder), self.tags, self.signature, options)
            except TfsparkError as error:  # the folder is one of this node's cache
                raise type(error)(f"model {self.title}: {error}") from error
            self._warm_up(engine, folder)
            return engine

        return ENGINES.get(key, load)

    def _warm_up(self, engine: Engine, folder: Path) -> None:
        """Run the requests that the export dir brings along, as TensorFlow Serving does."""
        for number, request in enumerate(requests(folder, self.signature)):
            try:
                engine.run(request.inputs)
            except EngineError as error:
                engine.close()
                problem = f"Model {self.title} refuses its own warm-up request {number}: {error}"
                raise EngineError(
                    explain(problem, hint=f"export it again, or remove {FILE}.")
                ) from error


def unpacked(digest: str, size: int, archive: Callable[[], bytes]) -> Path:
    """Return the node's folder with the model of a digest, unpacking it when it is not there.

    Args:
        digest: Names the folder and is checked after unpacking.
        size: Bytes of all files.
        archive: Gives the packed bytes; called only by the process that unpacks.

    Returns:
        The export dir, with the files of that digest: what lost files to a cleaner of temporary
        folders, or was edited, is unpacked again. It appears whole, by a rename, or not at all.

    Raises:
        InvalidModelError: When the bytes are not those of the digest.
        EngineError: When the bytes do not arrive, or the node has no room or right to unpack them.
    """
    root = cache_root()
    folder = root / digest
    if _is_whole(folder, digest, size):
        return folder
    try:
        with _locked(root / f"{digest}.lock"):
            if not _is_whole(folder, digest, size):
                _replace(folder, digest, size, archive)
    except OSError as error:
        raise _unusable(root, error) from error
    return folder


def _is_whole(folder: Path, digest: str, size: int) -> bool:
    """Whether the files of a folder are those of the digest."""
    try:
        return size_of(folder) == size and digest_of(folder) == digest
    except (OSError, InvalidModelError):  # another process replaces it, or it is no model any more
        return False


def _replace(folder: Path, digest: str, size: int, archive: Callable[[], bytes]) -> None:
    """Unpack beside the folder and rename; the caller holds the lock, so nobody else does."""
    if folder.exists():
        _log.warning("The model in %s has changed since it was unpacked; unpacking again", folder)
    for left_behind in folder.parent.glob(f"{digest}.*/"):  # by a process that was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{digest}.", dir=folder.parent))
    try:
        unpack(_received(archive), aside, size)
        check_digest(aside, digest)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _received(archive: Callable[[], bytes]) -> io.BytesIO:
    try:
        return io.BytesIO(archive())
    except OSError as error:
        problem = "The packed model did not reach this worker."
        raise EngineError(explain(problem, found=str(error))) from error


def check_digest(folder: Path, digest: str) -> None:
    """Refuse a folder whose files are not those of the digest.

    Raises:
        InvalidModelError: When they are not.
    """
    if digest_of(folder) != digest:
        raise InvalidModelError(
            explain(
                f"The model at {folder} is not the one that the driver read.",
                expected=f"digest {digest[:12]}",
                hint="it changed during the job; export to a new version folder instead.",
            )
        )


def cache_root() -> Path:
    """Return this node's folder for unpacked models: `TFSPARK_CACHE_DIR`, else one in the temp dir.

    Raises:
        EngineError: When the folder cannot be made, or another user owns it, who could put other
            models there.
    """
    default = Path(tempfile.gettempdir()) / f"tfspark-{os.getuid()}"
    root = Path(os.environ.get("TFSPARK_CACHE_DIR") or default)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = root.stat().st_uid
    except OSError as error:
        raise _unusable(root, error) from error
    if owner != os.getuid():
        raise _unusable(root, f"a folder of the user with the number {owner}")
    return root


def _unusable(root: Path, found: object) -> EngineError:
    return EngineError(
        explain(
            f"A worker cannot keep models in its cache folder {root}.",
            expected="a folder of its own with room for the model",
            found=str(found),
            hint="name one in the environment variable TFSPARK_CACHE_DIR of the executors.",
        )
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
