"""The file with the graph of a SavedModel, binary or text, and the graph of one tag set in it.

Reads the `MetaGraphDef` of a tag set, or raises a typed error that says what is wrong with the
file. Driver only.

Invariants: where both files are there, `saved_model.pb` is read, as by TensorFlow; a file that is
cut off is an error. From a text file, `graph_of` reads what every model needs and `whole_graph_of`
what only shapes ask for, because protobuf's own reader of text is slow (see `message_text`).
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from tfspark.errors import InvalidModelError, SignatureNotFoundError, explain, listing
from tfspark.saved_model.message_text import without
from tfspark.saved_model_pb2 import MetaGraphDef, SavedModel

BINARY, TEXT = "saved_model.pb", "saved_model.pbtxt"
NAMES = frozenset((BINARY, TEXT))

_HINT = "export it again; a broken version is never passed over for an older one."

# What a message of protobuf, and so TensorFlow's loader, can hold.
_MOST_BYTES = (1 << 31) - 1

# What only shapes ask for, or nothing at all; most of a text.
_LEFT_OUT = {"attr", "library", "object_graph_def", "collection_def", "stripped_op_list"}


def has_graph(folder: Path) -> bool:
    """Whether a folder is an export dir."""
    return any((folder / name).is_file() for name in NAMES)


def check_size(export_dir: Path) -> None:
    """Refuse a graph that no protocol buffer can be, before anything of it is read.

    Raises:
        InvalidModelError: When its file is larger.
    """
    for file in (export_dir / name for name in sorted(NAMES)):
        if file.is_file() and file.stat().st_size > _MOST_BYTES:
            raise InvalidModelError(
                explain(
                    f"{file} is not a whole SavedModel.",
                    expected=f"a protocol buffer of at most {_MOST_BYTES} bytes",
                    found=f"{file.stat().st_size} bytes",
                    hint=_HINT,
                )
            )


def graph_of(export_dir: Path, tags: tuple[str, ...]) -> MetaGraphDef:
    """Read the graph of a tag set; from a text file without attributes and functions.

    Raises:
        InvalidModelError: When there is no such file, or it is broken.
        SignatureNotFoundError: When no graph has the tag set.
    """
    return _of_tags(export_dir, tags, _LEFT_OUT)


def whole_graph_of(export_dir: Path, tags: tuple[str, ...]) -> MetaGraphDef:
    """Read the graph of a tag set with the attributes of its nodes and with its functions."""
    return _of_tags(export_dir, tags, ())


def _of_tags(export_dir: Path, tags: tuple[str, ...], left_out: Collection[str]) -> MetaGraphDef:
    file = _file(export_dir)
    graphs = _parse(file, left_out).meta_graphs
    if not graphs:
        raise InvalidModelError(
            explain(f"{file} holds no graph.", found=f"{file.stat().st_size} bytes", hint=_HINT)
        )
    for graph in graphs:
        if set(graph.meta_info_def.tags) == set(tags):
            return graph
    raise SignatureNotFoundError(
        explain(
            f"The model at {export_dir} has no graph with the tag set {listing(tags)}.",
            found="; ".join(listing(graph.meta_info_def.tags) for graph in graphs),
            hint="name one of these with tags=(…) (--tags).",
        )
    )


def _file(export_dir: Path) -> Path:
    """Return the file that TensorFlow would read."""
    for name in (BINARY, TEXT):
        if (export_dir / name).is_file():
            return export_dir / name
    raise InvalidModelError(
        explain(f"{export_dir} holds no {BINARY}.", expected=str(export_dir / BINARY), hint=_HINT)
    )


def _parse(file: Path, left_out: Collection[str]) -> SavedModel:
    content = file.read_bytes()
    try:
        if file.name == BINARY:
            return SavedModel.FromString(content)
        text = content.decode()
        text = without(text, left_out) if left_out else text
        return text_format.Parse(text, SavedModel(), allow_unknown_field=True)
    except (DecodeError, text_format.ParseError, ValueError, RecursionError) as error:
        raise InvalidModelError(
            explain(
                f"{file} is not a whole SavedModel.",
                expected="a SavedModel protocol buffer",
                found=f"{len(content)} bytes that do not parse; the file may be cut off",
                hint=_HINT,
            )
        ) from error
