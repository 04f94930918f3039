"""Describes a SavedModel completely: all tag sets, signatures and operations. Driver.

`load` describes the tag set and the signature that score. This module describes all of them, for
people and programs. It needs neither TensorFlow nor Spark. The model may lack a signature or a tag
set that scoring needs; only a broken model is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfspark.mlflow_models import download, is_mlflow_uri
from tfspark.model_page import line_to_copy, sql_to_copy
from tfspark.operations import Finding, findings_of
from tfspark.options import SERVING_DEFAULT
from tfspark.saved_model import export_dir
from tfspark.saved_model.files import digest_of_files, files, size_of
from tfspark.saved_model.graph_file import graph_of, read, tag_sets
from tfspark.saved_model.other_objects import refuse
from tfspark.saved_model.read_errors import reading
from tfspark.saved_model.signatures import signatures_of
from tfspark.saved_model_pb2 import MetaGraphDef
from tfspark.signature import Signature, TensorSpec

FUNCTION = "tfpredict"


@dataclass(frozen=True)
class TaggedGraph:
    """The graph of one tag set.

    Attributes:
        tags: The tag set.
        signatures: Sorted by name.
        operations: Operation → number of its nodes, in the graph and its functions; the most
            frequent ones first.
        findings: Operations that do more than compute.
        tensorflow_version: Version of the TensorFlow that wrote it, or an empty string.
    """

    tags: tuple[str, ...]
    signatures: tuple[Signature, ...]
    operations: Mapping[str, int]
    findings: tuple[Finding, ...]
    tensorflow_version: str

    def as_json(self) -> dict[str, Any]:
        """Return the graph as a value for JSON."""
        return {
            "tags": list(self.tags),
            "tensorflow": self.tensorflow_version,
            "signatures": [_signature(one) for one in self.signatures],
            "operations": dict(self.operations),
            "findings": [asdict(one) for one in self.findings],
        }


@dataclass(frozen=True)
class Inspection:
    """A SavedModel with all its graphs.

    Attributes:
        path: The export dir, or the URI in MLflow's registry.
        name: Name in reports and errors.
        version: The number of its version folder; `None` without one.
        digest: SHA-256 in hexadecimal.
        size: Bytes of all files.
        file_count: Number of files.
        graphs: One for each tag set.
    """

    path: str
    name: str
    version: int | None
    digest: str
    size: int
    file_count: int
    graphs: tuple[TaggedGraph, ...]

    @property
    def usual_signature(self) -> Signature | None:
        """The signature that scoring uses by default, otherwise the first one."""
        signatures = [one for graph in self.graphs for one in graph.signatures]
        usual = [one for one in signatures if one.name == SERVING_DEFAULT]
        return next(iter([*usual, *signatures]), None)

    def to_copy(self) -> dict[str, str]:
        """Return a call in Python and a statement in SQL; empty without a signature."""
        signature = self.usual_signature
        if signature is None:
            return {}
        sql = {"sql": sql_to_copy(FUNCTION, signature)} if signature.name == SERVING_DEFAULT else {}
        return {"python": line_to_copy(self.path, signature), **sql}

    def as_json(self) -> dict[str, Any]:
        """Return everything as a value for JSON."""
        facts = {key: value for key, value in vars(self).items() if key != "graphs"}
        return {**facts, "graphs": [one.as_json() for one in self.graphs], **self.to_copy()}


def inspect(model: str, version: int | None = None) -> Inspection:
    """Describe a SavedModel.

    Args:
        model: An export dir, a base path (its newest version), or a URI of MLflow.
        version: Version folder to take.

    Raises:
        TfsparkError: When the model does not exist or is broken, as for `load`.
    """
    registered = download(model, version) if is_mlflow_uri(model) else None
    if registered is None:
        refuse(model)
    with reading(model):
        if registered is None:
            folder, number = export_dir.find(Path(model), version)
        else:
            folder, number = registered.folder, registered.version
        listed = files(folder)
        file = read(folder, dict(listed))
        graphs = [_graph(graph_of(file, tags)) for tags in tag_sets(file)]
        named = folder.parent if number is not None else folder
        return Inspection(
            path=registered.uri if registered else str(folder),
            name=registered.name if registered else named.name,
            version=number,
            digest=digest_of_files(listed, {file.name: file.content}),
            size=size_of(folder),
            file_count=len(listed),
            graphs=tuple(graphs),
        )


def _graph(graph: MetaGraphDef) -> TaggedGraph:
    return TaggedGraph(
        tags=tuple(sorted(graph.meta_info_def.tags)),
        signatures=signatures_of(graph),
        operations=dict(Counter(_operations(graph)).most_common()),
        findings=findings_of(graph),
        tensorflow_version=graph.meta_info_def.tensorflow_version,
    )


def _operations(graph: MetaGraphDef) -> Iterator[str]:
    yield from (node.op for node in graph.graph_def.node)
    for function in graph.graph_def.library.function:
        yield from (node.op for node in function.node_def)


def _signature(signature: Signature) -> dict[str, Any]:
    return {
        "name": signature.name,
        "inputs": _tensors(signature.inputs),
        "outputs": _tensors(signature.outputs),
    }


def _tensors(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    return [{**asdict(spec), "spark": spec.sql} for spec in specs]
