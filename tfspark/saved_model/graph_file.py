"""Reads the graph of a tag set from `saved_model.pb` or `saved_model.pbtxt`.

Reads the file once. Returns the `MetaGraphDef`, or raises a typed error that describes the problem
of the file. Driver only.

Invariants: if both files exist, `saved_model.pb` is read, as in TensorFlow; a file that is cut off
is an error; the graph comes from the same bytes as the digest. Protobuf parses text in Python,
which takes 0.5 s for each MB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from tfspark.errors import InvalidModelError, SignatureNotFoundError, explain, listing
from tfspark.saved_model_pb2 import MetaGraphDef, SavedModel

BINARY, TEXT = "saved_model.pb", "saved_model.pbtxt"
NAMES = frozenset((BINARY, TEXT))
_CHUNKED = "saved_model.cpb"  # if it is there, only some versions of TensorFlow read it

_HINT = "export it again; tfspark never uses an older version in its place."

# The size limit of a protobuf message, and therefore of a graph that TensorFlow can load.
_MOST_BYTES = (1 << 31) - 1

# Finds the type of the message inside an `Any` in text; `_ANY_FIELDS` gives the field for it.
_ANY = re.compile(r"""\[type\.googleapis\.com/([\w.]+)\]|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")
_ANY_FIELDS = {"tensorflow.AssetFileDef": "asset"}


@dataclass(frozen=True)
class GraphFile:
    """The content of a file with a graph, read once.

    Attributes:
        path: The file, for messages.
        content: Its bytes, from which both the graph and the digest are taken.
    """

    path: Path
    content: bytes

    @property
    def name(self) -> str:
        """The relative name in the export dir."""
        return self.path.name


def has_graph(folder: Path) -> bool:
    """Whether a folder is an export dir."""
    return any((folder / name).is_file() for name in NAMES)


def check_size(export_dir: Path) -> None:
    """Refuse a graph file that is too large for a protocol buffer, before it is read.

    Raises:
        InvalidModelError: When the file is too large.
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


def read(export_dir: Path, listed: Mapping[str, Path]) -> GraphFile:
    """Read the file that TensorFlow would read.

    Args:
        export_dir: The folder, for messages.
        listed: Relative name → path of every file of the folder. The digest must cover the same
            files; otherwise somebody could add another graph file in between.

    Raises:
        InvalidModelError: When there is no such file, or a graph in chunks.
    """
    if _CHUNKED in listed:
        raise InvalidModelError(
            explain(
                f"{export_dir} holds {_CHUNKED}, a graph in chunks, which tfspark cannot read.",
                expected=BINARY,
                hint="export it again without experimental_image_format, into an empty folder.",
            )
        )
    for name in (BINARY, TEXT):
        if name in listed:
            with listed[name].open("rb") as file:
                return GraphFile(listed[name], file.read())
    raise InvalidModelError(
        explain(f"{export_dir} holds no {BINARY}.", expected=str(export_dir / BINARY), hint=_HINT)
    )


def graph_of(file: GraphFile, tags: tuple[str, ...]) -> MetaGraphDef:
    """Return the graph of a tag set.

    Raises:
        InvalidModelError: When the file is broken.
        SignatureNotFoundError: When no graph has the tag set.
    """
    graphs = _parse(file).meta_graphs
    if not graphs:
        raise InvalidModelError(
            explain(f"{file.path} holds no graph.", found=f"{len(file.content)} bytes", hint=_HINT)
        )
    fitting = [graph for graph in graphs if set(graph.meta_info_def.tags) == set(tags)]
    if len(fitting) == 1:
        return fitting[0]
    export_dir = file.path.parent
    if fitting:
        problem = f"The model at {export_dir} has {len(fitting)} graphs with one tag set."
        raise InvalidModelError(explain(problem, found=listing(tags), hint=_HINT))
    raise SignatureNotFoundError(
        explain(
            f"The model at {export_dir} has no graph with the tag set {listing(tags)}.",
            found="; ".join(
                listing(graph.meta_info_def.tags)
                if graph.meta_info_def.tags
                else "no tags: tags=()"
                for graph in graphs
            ),
            hint="name one of these with tags=(…) (--tags).",
        )
    )


def tag_sets(file: GraphFile) -> list[tuple[str, ...]]:
    """Return the tag set of each graph, in the order of the file.

    Raises:
        InvalidModelError: When the file is broken.
    """
    return [tuple(graph.meta_info_def.tags) for graph in _parse(file).meta_graphs]


def _parse(file: GraphFile) -> SavedModel:
    try:
        if file.name == BINARY:
            return _without_text_fields(SavedModel.FromString(file.content))
        text = _ANY.sub(_field_of_any, file.content.decode())
        return text_format.Parse(text, SavedModel(), allow_unknown_field=True)
    except (DecodeError, text_format.ParseError, ValueError, RecursionError) as error:
        raise InvalidModelError(
            explain(
                f"{file.path} is not a whole SavedModel.",
                expected="a SavedModel protocol buffer",
                found=f"{len(file.content)} bytes that do not parse; the file may be cut off",
                hint=_HINT,
            )
        ) from error


def _field_of_any(found: re.Match[str]) -> str:
    """Return the field that reads the message inside an `Any`; quoted text is not changed."""
    return _ANY_FIELDS.get(found[1], "other") if found[1] else found[0]


def _without_text_fields(model: SavedModel) -> SavedModel:
    """Remove fields that exist only for text files; TensorFlow ignores them in a binary file."""
    for graph in model.meta_graphs:
        for collection in graph.collection_def.values():
            for message in collection.any_list.value if collection.HasField("any_list") else ():
                message.ClearField("asset")
    return model
