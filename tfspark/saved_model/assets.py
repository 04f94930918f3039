"""The assets that a graph lists: files of the export dir that tables and others read. Driver."""

from __future__ import annotations

from tfspark.saved_model_pb2 import AssetFileDef, MetaGraphDef

_COLLECTION = "saved_model_assets"


def assets_of(graph: MetaGraphDef) -> list[AssetFileDef]:
    """Return the assets of a graph; exports of TensorFlow 1 list them in a collection."""
    if graph.asset_file_def or _COLLECTION not in graph.collection_def:
        return list(graph.asset_file_def)
    listed = graph.collection_def[_COLLECTION].any_list.value
    return [
        one.asset if one.HasField("asset") else AssetFileDef.FromString(one.value) for one in listed
    ]
