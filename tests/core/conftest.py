"""SavedModels for the tests of the core: protocol buffers written by hand, and real models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tfspark.saved_model_pb2 import MetaGraphDef, SavedModel, TensorInfo

FLOAT = 1

# A busy machine is not an error of the code under test.
settings.register_profile("core", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("core")


def _tensor_info(
    name: str, dtype: int = FLOAT, shape: Sequence[int] | None = (-1, 2)
) -> TensorInfo:
    info = TensorInfo(name=name, dtype=dtype)
    info.tensor_shape.SetInParent()
    if shape is None:
        info.tensor_shape.unknown_rank = True
    for size in shape or ():
        info.tensor_shape.dim.add(size=size)
    return info


def _meta_graph(
    tags: Sequence[str] = ("serve",),
    signatures: Sequence[str] = ("serving_default",),
    variables: bool = True,
    assets: Sequence[str] = (),
) -> MetaGraphDef:
    graph = MetaGraphDef()
    graph.meta_info_def.tags.extend(tags)
    graph.meta_info_def.tensorflow_version = "2.21.0"
    graph.graph_def.node.add(name="x", op="Placeholder")
    if variables:
        graph.saver_def.SetInParent()
    for name in signatures:
        signature = graph.signature_def[name]
        signature.inputs["inputs"].CopyFrom(_tensor_info("x:0"))
        signature.outputs["outputs"].CopyFrom(_tensor_info("y:0", shape=(-1, 1)))
    for asset in assets:
        graph.asset_file_def.add(filename=asset)
    return graph


def _write_saved_model(
    folder: Path, *graphs: MetaGraphDef, shards: int = 1, assets: Sequence[str] = ()
) -> Path:
    """Write an export dir with all its files; the variables have no real values."""
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    model = SavedModel(meta_graphs=graphs or [_meta_graph(assets=assets)])
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    (folder / "variables" / "variables.index").write_bytes(b"index")
    for shard in range(shards):
        name = f"variables.data-{shard:05d}-of-{shards:05d}"
        (folder / "variables" / name).write_bytes(bytes([shard]) * 8)
    for asset in assets:
        (folder / "assets" / asset).write_text(asset)
    return folder


@pytest.fixture
def tensor_info() -> Callable[..., TensorInfo]:
    """Build a `TensorInfo`; a shape of `None` is an unknown rank, -1 an unknown dimension."""
    return _tensor_info


@pytest.fixture
def meta_graph() -> Callable[..., MetaGraphDef]:
    """Build a `MetaGraphDef` with signatures `inputs` (None, 2) → `outputs` (None, 1)."""
    return _meta_graph


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Write `<tmp>/<name>/<version>` and return that export dir."""

    def make(*graphs: MetaGraphDef, where: str = "model/1", **options: object) -> Path:
        return _write_saved_model(tmp_path / where, *graphs, **options)

    return make


@pytest.fixture(scope="session")
def linear_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export dir of a real SavedModel of 2*x0 - x1 + 3."""
    from tfspark.testing import save_linear

    return save_linear(tmp_path_factory.mktemp("real") / "linear" / "1")
