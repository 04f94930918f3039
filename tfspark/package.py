"""A SavedModel as the library knows it: where it is, what it takes and gives, what identifies it.

`load` reads a local path and returns a `ModelPackage`, or raises a typed error that says what is
wrong with the folder; `spark.distribution` copies remote models first. `lint` lists operations that
touch more than tensors. Driver only; no TensorFlow.

Invariants: a broken or incomplete model is an error, never a silent step to another version;
nothing is written but the archive asked for.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from tfspark.errors import (
    ForbiddenOperationError,
    ModelNotFoundError,
    SignatureNotFoundError,
    TfsparkError,
    did_you_mean,
    explain,
    explain_all,
    listing,
)
from tfspark.operations import Finding, findings_of
from tfspark.saved_model import archive, export_dir
from tfspark.saved_model.digest_pin import check_pin
from tfspark.saved_model.files import digest_of_files, files, size_of
from tfspark.saved_model.graph_file import graph_of, read
from tfspark.saved_model.graph_shapes import completed, is_open
from tfspark.saved_model.missing import check_complete
from tfspark.saved_model.other_objects import refuse
from tfspark.signature import OutputShapes, Signature

# The most findings that a message lists; it gives the number of the others.
_MOST_LISTED = 10

# TensorFlow's own signature for the initialisation of tables; not one that a user calls.
_INIT_SIGNATURE = "__saved_model_init_op"


@dataclass(frozen=True)
class ModelPackage:
    """One export dir of a SavedModel and the signature chosen from it.

    Attributes:
        path: The export dir that holds `saved_model.pb`.
        name: What reports and errors call it: the last folder name of the base path.
        version: The number of its version folder, or `None` for a bare export dir.
        tags: Its tag set.
        digest: SHA-256 in hexadecimal; names the model in caches, archives and reports.
        size: Bytes of all files.
        signatures: All signatures, sorted by name.
        signature: The chosen one.
        tensorflow_version: The TensorFlow that wrote it, or an empty string.
        findings: Operations that touch more than tensors and are not allowed; see `lint`.
        allowed: Names of the operations that are allowed; see `allowing`.
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
    allowed: tuple[str, ...] = ()

    def select(self, signature: str) -> ModelPackage:
        """Return the same model with another of its signatures chosen.

        Raises:
            SignatureNotFoundError: When the model has no such signature.
        """
        return replace(self, signature=_choose(self.signatures, signature, self.path))

    def with_output_shapes(self, shapes: OutputShapes) -> ModelPackage:
        """Return the same model with output shapes that the SavedModel leaves open.

        Args:
            shapes: Output of the chosen signature → shape of one row; see
                `Signature.with_output_shapes`.

        Raises:
            UsageError: When something given is not a shape.
            BindingError: With every output that there is not, or whose own shape is another.
        """
        chosen = self.signature.with_output_shapes(shapes)
        signatures = tuple(chosen if one == self.signature else one for one in self.signatures)
        return replace(self, signatures=signatures, signature=chosen)

    def allowing(self, operations: Collection[str]) -> ModelPackage:
        """Return the same model with some operations allowed.

        Args:
            operations: Names of operations, such as `ReadFile`.
        """
        left = tuple(one for one in self.findings if one.op not in operations)
        return replace(self, findings=left, allowed=(*self.allowed, *operations))

    def check_operations(self) -> None:
        """Refuse a model with operations that touch more than tensors and are not allowed.

        Raises:
            ForbiddenOperationError: Lists the first ten of these operations and counts the others.
        """
        if not self.findings:
            return
        listed = [str(one) for one in self.findings[:_MOST_LISTED]]
        if len(self.findings) > _MOST_LISTED:
            listed.append(f"… and {len(self.findings) - _MOST_LISTED} more")
        names = sorted({one.op for one in self.findings})[:_MOST_LISTED]
        raise ForbiddenOperationError(
            explain_all(
                f"The model at {self.path} may do more than compute",
                listed,
                hint=f"if you trust the model, allow these operations with allow_ops={names} "
                f"(--allow-ops {','.join(names)}); tfspark.lint(model) lists all of them.",
            )
        )

    def check_digest(self, sha256: str) -> None:
        """Refuse a model with another digest.

        Args:
            sha256: The expected `digest`, 64 hexadecimal digits.

        Raises:
            UsageError: When `sha256` is not a digest.
            InvalidModelError: When the model has another digest.
        """
        check_pin(self.path, self.digest, sha256)

    def describe(self) -> str:
        """Return a page for a person: where the model is, what it takes and gives."""
        version = "none" if self.version is None else self.version
        head = f"{self.name} version {version}, {self.size} bytes, digest {self.digest[:12]}"
        pages = [signature.describe() for signature in self.signatures]
        return "\n".join([head, f"path {self.path}", *pages])

    def pack(self, target: BinaryIO) -> None:
        """Write the export dir to `target` as an uncompressed tar of names and contents alone."""
        archive.pack(Path(self.path), target)

    def pack_bytes(self) -> bytes:
        """Return the archive that `pack` writes."""
        buffer = io.BytesIO()
        self.pack(buffer)
        return buffer.getvalue()


def load(
    path: str | Path,
    version: int | None = None,
    signature: str = "serving_default",
    tags: Sequence[str] = ("serve",),
    sha256: str | None = None,
) -> ModelPackage:
    """Read a SavedModel's description from disk, without TensorFlow.

    Args:
        path: One export dir, or a base path with integer version folders.
        version: Version folder to take; by default the largest number.
        signature: Name of the signature to call.
        tags: Tag set of the graph inside the SavedModel.
        sha256: The digest that the model must have; see `ModelPackage.digest`.

    Returns:
        The package, checked: files complete, tag set and signature there.

    Raises:
        UsageError: When `path` is no path, but a live model, say.
        ModelNotFoundError: No SavedModel, or no such version, at `path`.
        InvalidModelError: The newest (or chosen) version is broken or incomplete, or has another
            digest.
        SignatureNotFoundError: No such tag set or signature.
    """
    refuse(path)
    with _reading(path):
        return _load(Path(path), version, signature, _tag_set(tags), sha256)


def lint(
    model: str | Path | ModelPackage,
    version: int | None = None,
    tags: Sequence[str] = ("serve",),
) -> list[Finding]:
    """List the operations of a model that touch more than tensors, without running it.

    Every operation that is not on tfspark's allow-list is listed. Nodes of functions and of graphs
    inside constants count too, even when no signature runs them. Operations that can open only the
    model's own checkpoint and assets are not listed.

    Args:
        model: An export dir, a base path, or a loaded `ModelPackage`.
        version: Version folder to take; by default the largest number. Ignored for a package.
        tags: Tag set of the graph. Ignored for a package.

    Returns:
        One `Finding` for each such node; an empty list when the model only computes. An empty
        list says nothing about the time and memory of a model, or about bugs in TensorFlow.

    Raises:
        TfsparkError: When the model does not exist or is broken, as for `load`.
    """
    if isinstance(model, ModelPackage):
        return list(model.findings)
    refuse(model)
    with _reading(model):
        folder, _ = export_dir.find(Path(model), version)
        graph = graph_of(read(folder, dict(files(folder))), _tag_set(tags))
        check_complete(folder, graph)
        return list(findings_of(graph))


def _tag_set(tags: Sequence[str]) -> tuple[str, ...]:
    return (tags,) if isinstance(tags, str) else tuple(tags)


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    """Turn an error of the file system into one that names the model."""
    try:
        yield
    except TfsparkError:
        raise
    except OSError as error:
        raise ModelNotFoundError(
            explain(
                f"The model at {path} cannot be read.",
                found=str(error),
                hint="give this user the right to read the folder and all files in it.",
            )
        ) from error


def _load(
    path: Path,
    version: int | None,
    signature: str,
    tags: tuple[str, ...],
    sha256: str | None,
) -> ModelPackage:
    folder, number = export_dir.find(path, version)
    listed = files(folder)
    file = read(folder, dict(listed))
    digest = digest_of_files(listed, {file.name: file.content})
    if sha256 is not None:
        check_pin(str(folder), digest, sha256)
    graph = graph_of(file, tags)
    check_complete(folder, graph)
    signatures = tuple(
        Signature.from_proto(name, graph.signature_def[name])
        for name in sorted(graph.signature_def)
        if name != _INIT_SIGNATURE
    )
    if any(map(is_open, signatures)):
        signatures = completed(signatures, graph.graph_def)
    named = folder.parent if number is not None else folder
    return ModelPackage(
        path=str(folder),
        name=named.name,
        version=number,
        tags=tags,
        digest=digest,
        size=size_of(folder),
        signatures=signatures,
        signature=_choose(signatures, signature, str(folder)),
        tensorflow_version=graph.meta_info_def.tensorflow_version,
        findings=findings_of(graph),
    )


def _choose(signatures: Sequence[Signature], name: str, path: str) -> Signature:
    for signature in signatures:
        if signature.name == name:
            return signature
    names = [signature.name for signature in signatures]
    export = "export it with signatures={'serving_default': …}."
    choose = f'name one with signature="…" (--signature).{did_you_mean(name, names)}'
    raise SignatureNotFoundError(
        explain(
            f"The model at {path} has no signature {name!r}.",
            found=listing(names),
            hint=choose if names else export,
        )
    )
