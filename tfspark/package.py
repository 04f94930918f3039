"""A SavedModel on disk, read without TensorFlow: version folders, signatures, digest, packing.

In comes a path on a file system that this process sees (`spark.distribution` copies remote ones
first); out goes a `ModelPackage`, or a typed error that says what is wrong with the folder. Runs on
the driver, `unpack` on executors.

Invariants: a broken or incomplete model is an error, never a silent step to another version; the
digest is the SHA-256 over the sorted relative file names and contents, so equal folders have equal
digests wherever they lie; packing is deterministic; nothing is written but the archive asked for.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from google.protobuf.message import DecodeError

from tfspark.errors import (
    InvalidModelError,
    ModelNotFoundError,
    SignatureNotFoundError,
    did_you_mean,
    explain,
    listing,
)
from tfspark.saved_model_pb2 import MetaGraphDef, SavedModel
from tfspark.signature import OutputShapes, Signature

_MODEL_FILE = "saved_model.pb"
_SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})")
_VARIABLE_OPS = {"VarHandleOp", "VariableV2", "Variable"}
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

    def describe(self) -> str:
        """Return a page for a person: where the model is, what it takes and gives."""
        version = "none" if self.version is None else self.version
        head = f"{self.name} version {version}, {self.size} bytes, digest {self.digest[:12]}"
        pages = [signature.describe() for signature in self.signatures]
        return "\n".join([head, f"path {self.path}", *pages])

    def pack(self, target: BinaryIO) -> None:
        """Write the export dir to `target` as an uncompressed tar of names and contents alone."""
        with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for relative, path in _files(Path(self.path)):
                info = tarfile.TarInfo(relative)
                info.size = path.stat().st_size
                with path.open("rb") as content:
                    archive.addfile(info, content)

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
) -> ModelPackage:
    """Read a SavedModel's description from disk, without TensorFlow.

    Args:
        path: One export dir, or a base path with integer version folders.
        version: Version folder to take; by default the largest number.
        signature: Name of the signature to call.
        tags: Tag set of the graph inside the SavedModel.

    Returns:
        The package, checked: files complete, tag set and signature there.

    Raises:
        ModelNotFoundError: No SavedModel, or no such version, at `path`.
        InvalidModelError: The newest (or chosen) version is broken or incomplete.
        SignatureNotFoundError: No such tag set or signature.
    """
    tags = (tags,) if isinstance(tags, str) else tuple(tags)
    try:
        return _load(Path(path), version, signature, tags)
    except PermissionError as error:
        raise ModelNotFoundError(
            explain(
                f"The model at {path} cannot be read.",
                found=str(error),
                hint="give this user the right to read the folder and all files in it.",
            )
        ) from error


def _load(path: Path, version: int | None, signature: str, tags: tuple[str, ...]) -> ModelPackage:
    export_dir, number = _export_dir(path, version)
    graph = _meta_graph(export_dir, tags)
    _check_files(export_dir, graph)
    signatures = tuple(
        Signature.from_proto(name, graph.signature_def[name])
        for name in sorted(graph.signature_def)
        if name != _INIT_SIGNATURE
    )
    named = export_dir.parent if number is not None else export_dir
    return ModelPackage(
        path=str(export_dir),
        name=named.name,
        version=number,
        tags=tags,
        digest=digest_of(export_dir),
        size=size_of(export_dir),
        signatures=signatures,
        signature=_choose(signatures, signature, str(export_dir)),
        tensorflow_version=graph.meta_info_def.tensorflow_version,
    )


def unpack(archive: BinaryIO, target: Path) -> None:
    """Extract what `pack` wrote into the folder `target`.

    Raises:
        InvalidModelError: When the archive is cut off, or would write outside of the folder.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            tar.extractall(target, filter="data")
    except tarfile.TarError as error:
        raise InvalidModelError(
            explain(
                "The archive of a model cannot be unpacked.",
                expected="an archive that ModelPackage.pack wrote",
                found=str(error),
            )
        ) from error


def digest_of(export_dir: Path) -> str:
    """Return the SHA-256 over the sorted relative names, lengths and contents of all files."""
    total = hashlib.sha256()
    for relative, path in _files(export_dir):
        total.update(os.fsencode(f"{relative}\0{path.stat().st_size}\0"))
        with path.open("rb") as content:
            while chunk := content.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()


def size_of(export_dir: Path) -> int:
    """Return the bytes of all files; 0 when there is no such folder."""
    return sum(path.stat().st_size for _, path in _files(export_dir))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield relative name and path of every file, sorted; links to folders count as folders."""
    found = [
        Path(top, name) for top, _, names in os.walk(folder, followlinks=True) for name in names
    ]
    yield from sorted(
        (path.relative_to(folder).as_posix(), path) for path in found if path.is_file()
    )


def _export_dir(path: Path, version: int | None) -> tuple[Path, int | None]:
    """Resolve `path` to the folder with `saved_model.pb` and its version number."""
    path = path.resolve() if ".." in path.parts else path.absolute()
    if not path.is_dir():
        raise ModelNotFoundError(
            explain(
                f"There is no model folder at {path}.",
                expected=f"a folder with {_MODEL_FILE}, or with version folders 1, 2, …",
                found="a file" if path.exists() else "nothing",
                hint="give the export dir, or the base path above its version folders.",
            )
        )
    if (path / _MODEL_FILE).is_file():
        own = _number(path)
        if version not in (None, own):
            bare = "a SavedModel without version folder"
            raise ModelNotFoundError(
                explain(
                    f"{path} is one export dir; it has no version {version} inside.",
                    found=bare if own is None else f"version {own}",
                    hint="give the base path above the version folders, or leave the version out.",
                )
            )
        return path, own
    return _version_folder(path, version)


def _number(folder: Path) -> int | None:
    """Return the number of a version folder; `None` when it is named otherwise."""
    return int(folder.name) if folder.name.isascii() and folder.name.isdigit() else None


def _version_folder(path: Path, version: int | None) -> tuple[Path, int]:
    """Return the chosen, else the newest, version folder of a base path and its number."""
    entries = sorted(path.iterdir())
    folders: dict[int, Path] = {}
    for entry in entries:
        number = _number(entry)
        if number is None or not entry.is_dir():
            continue
        if number in folders:
            raise InvalidModelError(
                explain(
                    f"Version {number} of the model at {path} is there twice.",
                    found=listing([folders[number].name, entry.name]),
                    hint="remove or rename one of the two folders.",
                )
            )
        folders[number] = entry
    if not folders:
        raise ModelNotFoundError(
            explain(
                f"There is no SavedModel in {path}.",
                expected=f"{_MODEL_FILE}, or version folders named 1, 2, …",
                found=listing(entry.name for entry in entries[:8]),
                hint="give the folder of one exported model, or the base path above its versions.",
            )
        )
    chosen = max(folders) if version is None else version
    if chosen not in folders:
        raise ModelNotFoundError(
            explain(
                f"There is no version {chosen!r} of the model at {path}.",
                expected=f"one of the versions {', '.join(map(str, sorted(folders)))}",
                hint="leave the version out to take the newest.",
            )
        )
    return folders[chosen], chosen


def _meta_graph(export_dir: Path, tags: tuple[str, ...]) -> MetaGraphDef:
    """Parse `saved_model.pb` and return the graph of the tag set."""
    file = export_dir / _MODEL_FILE
    hint = "export it again; a broken version is never passed over for an older one."
    if not file.is_file():
        raise InvalidModelError(
            explain(f"{export_dir} holds no {_MODEL_FILE}.", expected=str(file), hint=hint)
        )
    try:
        model = SavedModel.FromString(file.read_bytes())
    except DecodeError as error:
        size = file.stat().st_size
        raise InvalidModelError(
            explain(
                f"{file} is not a whole SavedModel.",
                expected="a SavedModel protocol buffer",
                found=f"{size} bytes that do not parse; the file may be cut off",
                hint=hint,
            )
        ) from error
    if not model.meta_graphs:
        raise InvalidModelError(
            explain(f"{file} holds no graph.", found=f"{file.stat().st_size} bytes", hint=hint)
        )
    for graph in model.meta_graphs:
        if set(graph.meta_info_def.tags) == set(tags):
            return graph
    there = "; ".join(listing(graph.meta_info_def.tags) for graph in model.meta_graphs)
    raise SignatureNotFoundError(
        explain(
            f"The model at {export_dir} has no graph with the tag set {listing(tags)}.",
            found=there,
            hint="give one of these with tags=(…).",
        )
    )


def _check_files(export_dir: Path, graph: MetaGraphDef) -> None:
    """Refuse a model whose variables or assets are not all there (native loaders crash on them)."""
    missing = [
        f"assets/{asset.filename}"
        for asset in graph.asset_file_def
        if not (export_dir / "assets" / asset.filename).is_file()
    ]
    # TensorFlow's Python restores a checkpoint even where the graph has no variable to read.
    has_checkpoint = graph.HasField("saver_def")
    if has_checkpoint or any(node.op in _VARIABLE_OPS for node in graph.graph_def.node):
        missing += _missing_variables(export_dir / "variables")
    if missing:
        count = "1 file is" if len(missing) == 1 else f"{len(missing)} files are"
        raise InvalidModelError(
            explain(
                f"The model at {export_dir} is incomplete: {count} missing.",
                expected=listing(missing),
                hint="copy the whole export dir, with variables/ and assets/.",
            )
        )


def _missing_variables(folder: Path) -> list[str]:
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing = [] if "variables.index" in names else ["variables/variables.index"]
    totals = {int(match.group(1)) for name in names if (match := _SHARD.fullmatch(name))}
    # Shards of another checkpoint may lie beside the whole one; the fewest gaps are its own.
    gaps = (_missing_shards(names, total) for total in sorted(totals) or [1])
    return missing + min(gaps, key=len)


def _missing_shards(names: set[str], total: int) -> list[str]:
    wanted = (f"variables.data-{shard:05d}-of-{total:05d}" for shard in range(total))
    return [f"variables/{name}" for name in wanted if name not in names]


def _choose(signatures: Sequence[Signature], name: str, path: str) -> Signature:
    for signature in signatures:
        if signature.name == name:
            return signature
    names = [signature.name for signature in signatures]
    export = "export it with signatures={'serving_default': …}."
    choose = f"choose one with the option signature.{did_you_mean(name, names)}"
    raise SignatureNotFoundError(
        explain(
            f"The model at {path} has no signature {name!r}.",
            found=listing(names),
            hint=choose if names else export,
        )
    )
