"""The assets that a graph lists: files of the export dir, such as vocabularies. Driver."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from tfspark.errors import InvalidModelError, explain
from tfspark.saved_model_pb2 import AssetFileDef, CollectionDef, MetaGraphDef

_COLLECTION = "saved_model_assets"


def assets_of(graph: MetaGraphDef) -> list[AssetFileDef]:
    """Return the assets of a graph; exports of TensorFlow 1 list them in a collection.

    Raises:
        InvalidModelError: When the collection contains anything but assets.
    """
    named = _COLLECTION in graph.collection_def
    collection = graph.collection_def[_COLLECTION].any_list.value if named else ()
    return [*graph.asset_file_def, *map(_asset, collection)]


def _asset(listed: CollectionDef.Any) -> AssetFileDef:
    if listed.HasField("asset"):
        return listed.asset
    try:
        return AssetFileDef.FromString(listed.value)
    except DecodeError as error:
        problem = f"The collection {_COLLECTION!r} of the model is broken."
        hint = "export the model again."
        raise InvalidModelError(explain(problem, found=str(error), hint=hint)) from error
