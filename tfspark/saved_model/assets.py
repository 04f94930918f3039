"""The assets that a graph lists: files of the export dir, such as vocabularies. Driver."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from tfspark.errors import InvalidModelError, explain
from tfspark.saved_model_pb2 import AssetFileDef, CollectionDef, MetaGraphDef

_COLLECTION = "saved_model_assets"


def assets_of(graph: MetaGraphDef) -> list[AssetFileDef]:
    """Return the assets that TensorFlow's loaders feed.

    Old exports of TensorFlow 1 list them in a collection. Loaders ignore the collection when the
    graph itself lists an asset.

    Raises:
        InvalidModelError: When the collection contains anything but assets.
    """
    if graph.asset_file_def or _COLLECTION not in graph.collection_def:
        return list(graph.asset_file_def)
    return list(map(_asset, graph.collection_def[_COLLECTION].any_list.value))


def _asset(listed: CollectionDef.Any) -> AssetFileDef:
    if listed.HasField("asset"):
        return listed.asset
    try:
        return AssetFileDef.FromString(listed.value)
    except DecodeError as error:
        problem = f"The collection {_COLLECTION!r} of the model is broken."
        hint = "export the model again."
        raise InvalidModelError(explain(problem, found=str(error), hint=hint)) from error
