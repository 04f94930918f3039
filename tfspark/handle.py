"""The picklable description of a model that Spark sends to workers, and how a worker opens it.

The driver makes a `ModelHandle` from a `ModelPackage`. The handle is pickled into a Spark job, and
opens a live `Engine` on the executor. A `Source` says where a worker finds the export dir.

Invariants: nothing live is pickled; a worker that has the model open does not use its source
again; for every source, the files have the driver's digest when a process opens them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tfspark.cache import ENGINES
from tfspark.engine import Engine, EngineOptions, gpu, load_engine
from tfspark.errors import (
    EngineError,
    ModelNotFoundError,
    TfsparkError,
    explain,
)
from tfspark.node_folder import check_digest
from tfspark.package import ModelPackage
from tfspark.signature import Signature
from tfspark.warmup import FILE, requests


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
            ForbiddenOperationError: When the model touches more than tensors.
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
