"""Loads the description of a SavedModel: path, version, signatures, digest. Driver.

`load` reads a local path or a URI of MLflow and returns a `ModelPackage`, or raises a typed error
about the folder. `spark.cluster.remote_model` copies models of other file systems to a local path
first. `lint` lists operations that do more than compute. No TensorFlow.

Invariants: a broken or incomplete model is an error; another version is never used silently; the
model's files are not changed.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

from tfspark.errors import SignatureNotFoundError, did_you_mean, explain, listing
from tfspark.mlflow_models import MlflowModel, download, is_mlflow_uri
from tfspark.model_page import page_of
from tfspark.model_title import title_of
from tfspark.operations import Finding, findings_of, random_operations, refuse_findings
from tfspark.options import SERVING_DEFAULT
from tfspark.saved_model import archive, export_dir
from tfspark.saved_model.digest_pin import check_pin
from tfspark.saved_model.file_state import State, state_of
from tfspark.saved_model.files import digest_of_files, files, size_of
from tfspark.saved_model.graph_file import graph_of, read
from tfspark.saved_model.missing import check_complete
from tfspark.saved_model.other_objects import refuse
from tfspark.saved_model.read_errors import reading
from tfspark.saved_model.signatures import signatures_of
from tfspark.signature import OutputShapes, Signature


@dataclass(frozen=True)
class ModelPackage:
    """One export dir of a SavedModel, with one selected signature.

    Attributes:
        path: The export dir that holds `saved_model.pb`.
        name: Name in reports and errors: the last folder name of the base path.
        version: The number of its version folder; `None` for an export dir without one.
        tags: Its tag set.
        digest: SHA-256 in hexadecimal; identifies the model in caches, archives and reports.
        size: Bytes of all files.
        signatures: All signatures, sorted by name.
        signature: The selected signature.
        tensorflow_version: Version of the TensorFlow that wrote it, or an empty string.
        findings: Operations that do more than compute and are not allowed; see `lint`.
        random: Random operations that run when a signature runs, such as `RandomUniform`.
        allowed: Names of the operations that are allowed; see `allowing`.
        source: URI of the export dir, or of the version in MLflow's registry, when `path` is the
            driver's copy of it; otherwise empty.
    """

    path: str
    name: str
    version: int | None
    tags: tuple[str, ...]
    digest: str
    size: int
    signatures: tuple[Signature, ...]
    signature: Signature
    tensorflow_version: str
    findings: tuple[Finding, ...] = ()
    random: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    source: str = ""

    @property
    def place(self) -> str:
        """The export dir, as the user knows it; for messages and reports."""
        return self.source or self.path

    def select(self, signature: str) -> ModelPackage:
        """Return the same model with another selected signature.

        Raises:
            SignatureNotFoundError: When the model has no such signature.
        """
        return replace(self, signature=_choose(self.signatures, signature, self.place))

    def with_output_shapes(self, shapes: OutputShapes) -> ModelPackage:
        """Return the same model with output shapes that the SavedModel leaves open.

        Args:
            shapes: Output of the selected signature → shape of one row; see
                `Signature.with_output_shapes`.

        Raises:
            UsageError: When something given is not a shape.
            BindingError: Lists every unknown output and every output with another shape.
        """
        chosen = self.signature.with_output_shapes(shapes)
        signatures = tuple(chosen if one == self.signature else one for one in self.signatures)
        return replace(self, signatures=signatures, signature=chosen)

    def allowing(self, operations: Collection[str]) -> ModelPackage:
        """Return the same model with some operations allowed.

        Args:
            operations: Names of operations, such as `ReadFile`.
        """
        left = tuple(finding for finding in self.findings if finding.op not in operations)
        return replace(self, findings=left, allowed=(*self.allowed, *operations))

    def check_operations(self) -> None:
        """Refuse a model with operations that do more than compute and are not allowed.

        Raises:
            ForbiddenOperationError: Lists the first ten of these operations and counts the others.
        """
        refuse_findings(self.findings, self.place)

    def check_digest(self, sha256: str) -> None:
        """Refuse a model with another digest.

        Args:
            sha256: The expected `digest`, 64 hexadecimal digits.

        Raises:
            UsageError: When `sha256` is not a digest.
            InvalidModelError: When the model has another digest.
        """
        check_pin(self.place, self.digest, sha256)

    def describe(self) -> str:
        """Return a readable page: version, digest, path, inputs and outputs."""
        version = "none" if self.version is None else self.version
        head = f"{self.name} version {version}, {self.size} bytes, digest {self.digest[:12]}"
        pages = [signature.describe() for signature in self.signatures]
        return "\n".join([head, f"path {self.place}", *pages])

    def _repr_html_(self) -> str:
        return page_of(title_of(self), self.place, self.signature)

    def pack(self, target: BinaryIO | io.RawIOBase) -> None:
        """Write the export dir to `target` as an uncompressed tar with only names and contents."""
        archive.pack(Path(self.path), target)

    def pack_bytes(self) -> bytes:
        """Return the archive that `pack` writes."""
        buffer = io.BytesIO()
        self.pack(buffer)
        return buffer.getvalue()


def load(
    path: str | Path,
    version: int | None = None,
    signature: str = SERVING_DEFAULT,
    tags: Sequence[str] = ("serve",),
    sha256: str | None = None,
) -> ModelPackage:
    """Read a SavedModel's description from disk, without TensorFlow.

    Args:
        path: One export dir, or a base path with integer version folders. With the extra `mlflow`,
            also a URI of MLflow: `models:/name@alias`, `models:/name/3` or `runs:/run/path`.
        version: Version folder to take; by default the largest number.
        signature: Name of the signature to call.
        tags: Tag set of the graph inside the SavedModel.
        sha256: The digest that the model must have, see `ModelPackage.digest`; by default any.

    Returns:
        The package; its files are complete, and the tag set and the signature exist.

    Raises:
        UsageError: When `path` is not a path, for example a live model.
        ModelNotFoundError: When `path` has no SavedModel, or not this version.
        InvalidModelError: When the newest (or given) version is broken or incomplete, or has
            another digest.
        SignatureNotFoundError: When the model has no such tag set or signature.
    """
    if is_mlflow_uri(path):
        model = download(path, version, is_pinned=sha256 is not None)
        return _load_registered(model, signature, _tag_set(tags), sha256)
    refuse(path)
    with reading(path):
        return _load(Path(path), version, signature, _tag_set(tags), sha256)


def _load_registered(
    model: MlflowModel, signature: str, tags: tuple[str, ...], sha256: str | None
) -> ModelPackage:
    """Load a model of MLflow; name and version are those of the registry."""
    with reading(model.uri):
        package = _load(model.folder, None, signature, tags, sha256)
    return replace(package, name=model.name, version=model.version, source=model.uri)


def lint(
    model: str | Path | ModelPackage,
    version: int | None = None,
    tags: Sequence[str] = ("serve",),
) -> list[Finding]:
    """List the operations of a model that do more than compute, without running it.

    Every operation that is not on tfspark's allow-list is listed. Nodes of functions and of graphs
    inside constants count too, even when no signature runs them. Operations that can open only the
    model's own checkpoint and assets are not listed.

    Args:
        model: An export dir, a base path, or a loaded `ModelPackage`.
        version: Version folder to take; by default the largest number. Ignored for a package.
        tags: Tag set of the graph; by default `serve`. Ignored for a package.

    Returns:
        One `Finding` for each such node; an empty list when the model only computes. An empty
        list says nothing about the time and memory of a model, or about bugs in TensorFlow.

    Raises:
        TfsparkError: When the model does not exist or is broken, as for `load`.
    """
    if isinstance(model, ModelPackage):
        return list(model.findings)
    if is_mlflow_uri(model):
        return list(load(model, version, tags=tags).findings)
    refuse(model)
    with reading(model):
        folder, _ = export_dir.find(Path(model), version)
        graph = graph_of(read(folder, dict(files(folder))), _tag_set(tags))
        check_complete(folder, graph)
        return list(findings_of(graph))


def _tag_set(tags: Sequence[str]) -> tuple[str, ...]:
    return (tags,) if isinstance(tags, str) else tuple(tags)


def _load(
    path: Path, version: int | None, signature: str, tags: tuple[str, ...], sha256: str | None
) -> ModelPackage:
    """Return a package; read the files only if they have changed since the last time."""
    folder, number = export_dir.find(path, version)
    listed = tuple(files(folder))
    state = state_of(listed)
    read_model = _read if state is None else partial(_read_once, state)
    return read_model(listed, folder, number, signature, tags, sha256)


def _read(
    listed: tuple[tuple[str, Path], ...],
    folder: Path,
    number: int | None,
    signature: str,
    tags: tuple[str, ...],
    sha256: str | None,
) -> ModelPackage:
    file = read(folder, dict(listed))
    digest = digest_of_files(listed, {file.name: file.content})
    if sha256 is not None:
        check_pin(str(folder), digest, sha256)
    graph = graph_of(file, tags)
    check_complete(folder, graph)
    signatures = signatures_of(graph)
    return ModelPackage(
        path=str(folder),
        name=(folder if number is None else folder.parent).name,
        version=number,
        tags=tags,
        digest=digest,
        size=size_of(folder),
        signatures=signatures,
        signature=_choose(signatures, signature, str(folder)),
        tensorflow_version=graph.meta_info_def.tensorflow_version,
        findings=findings_of(graph),
        random=random_operations(graph),
    )


@lru_cache(maxsize=16)
def _read_once(_: State, *model: Any) -> ModelPackage:
    return _read(*model)


_SAVE_AGAIN = (
    "load it with tf.saved_model.load, and save it again with "
    "tf.saved_model.save(loaded, path, signatures={'serving_default': …})."
)


def _choose(signatures: Sequence[Signature], name: str, path: str) -> Signature:
    for signature in signatures:
        if signature.name == name:
            return signature
    names = [signature.name for signature in signatures]
    choose = f'name one with signature="…" (--signature).{did_you_mean(name, names)}'
    raise SignatureNotFoundError(
        explain(
            f"The model at {path} has no signature {name!r}.",
            found=listing(names),
            hint=choose if names else _SAVE_AGAIN,
        )
    )
