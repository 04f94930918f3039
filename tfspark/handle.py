"""The picklable description of a model that Spark sends to workers. Driver and executor.

The driver makes a `ModelHandle` from a `ModelPackage` and pickles it into a Spark job. On the
executor the handle opens a live `Engine`. A `Source` gives a worker the path of the export dir.

Invariants: nothing live is pickled; a worker that has opened the model does not use its source
again; a process checks the digest of the files before it opens them, for every kind of source.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tfspark.cache import ENGINES, Key
from tfspark.engine import Engine, EngineOptions, choice_of, gpu, load_engine
from tfspark.engine_choice import EngineChoice
from tfspark.errors import (
    EngineError,
    ModelNotFoundError,
    TfsparkError,
    explain,
)
from tfspark.model_title import title_of
from tfspark.node_folder import check_digest
from tfspark.package import ModelPackage
from tfspark.signature import Signature
from tfspark.warmup import FILE, requests


class Source(Protocol):
    """Where a worker finds a model."""

    def locate(self, digest: str, size: int) -> Path:
        """Return the export dir on this machine; fetch or unpack it first if necessary.

        Args:
            digest: SHA-256 of the files, as the driver read them.
            size: Bytes of all files.
        """


@dataclass(frozen=True)
class PathSource:
    """A path that every worker can read: on a shared file system, or on a single machine."""

    path: str

    def locate(self, digest: str, size: int) -> Path:  # noqa: ARG002
        """Check that the model at the path is the one that the driver read; return the path."""
        folder = Path(self.path)
        if not folder.is_dir():
            raise ModelNotFoundError(
                explain(
                    f"A worker does not see the model folder {folder}.",
                    expected="a path that every machine of the cluster sees",
                    hint='leave out distribute="path" (--distribute path), so that Spark sends '
                    "the model.",
                )
            )
        check_digest(folder, digest)
        return folder


@dataclass(frozen=True)
class ModelHandle:
    """A picklable name for a model that a worker can open.

    Attributes:
        name: Name of the model in errors and reports.
        version: Its version number, if it has one.
        digest: SHA-256 of its files; identifies the model.
        size: Bytes of its files.
        tags: Its tag set.
        signature: The signature to call.
        source: Where a worker finds the files.
        options: The engine and its settings.
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
        """Make a handle; without a source, workers read the path of the package.

        Raises:
            ForbiddenOperationError: When the model has operations that are not allowed.
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

    def with_choice(self, choice: EngineChoice) -> ModelHandle:
        """Return the handle with a chosen engine."""
        options = replace(self.options, name=choice.engine, fallback=choice.fallback)
        return replace(self, options=options)

    @property
    def title(self) -> str:
        """Name, version and digest of the model, for messages."""
        return title_of(self)

    def open(self, gpus: Collection[str] = ()) -> Engine:
        """Return the live engine of this process; load the model and warm it up on first use.

        Args:
            gpus: Addresses of the GPUs that the model must use; if empty, TensorFlow chooses.

        Raises:
            ModelNotFoundError: When the source does not exist.
            InvalidModelError: When the files have another digest, or the warm-up file is broken.
            EngineError: When the engine cannot load the model, the model refuses a warm-up request,
                or a GPU does not exist.
        """
        key = self._key(gpus)

        def load() -> Engine:
            if gpus:
                gpu.show(gpus)
            folder = self.source.locate(self.digest, self.size)
            try:
                engine = load_engine(str(folder), self.tags, self.signature, key.options)
            except TfsparkError as error:  # its message names only a folder of the node's cache
                raise type(error)(f"model {self.title}: {error}") from error
            self._warm_up(engine, folder)
            return engine

        return ENGINES.get(key, load)

    def choice(self, gpus: Collection[str] = ()) -> EngineChoice | None:
        """Return the engine that runs the model in this process; `None` if it is not open."""
        key = self._key(gpus)
        engine = ENGINES.live(key)
        return None if engine is None else choice_of(engine, key.options)

    def _key(self, gpus: Collection[str]) -> Key:
        options = replace(self.options, gpu=bool(gpus), digest=self.digest)
        return Key(self.digest, self.tags, self.signature, options)

    def _warm_up(self, engine: Engine, folder: Path) -> None:
        """Run the warm-up requests of the export dir, as TensorFlow Serving does."""
        for number, request in enumerate(requests(folder, self.signature)):
            try:
                engine.run(request.inputs)
            except EngineError as error:
                engine.close()
                problem = f"Model {self.title} refuses its own warm-up request {number}: {error}"
                raise EngineError(
                    explain(problem, hint=f"export it again, or remove {FILE}.")
                ) from error
