"""Arrays at aligned addresses."""

import numpy as np
import pyarrow as pa
import pytest

from tfspark import aligned
from tfspark.columns import columns_of
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.tensors.encode import encode

SHAPES = [(), (0,), (3,), (5, 7), (2, 0)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["bool", "float16", "int64"])
def test_a_copy_is_aligned_and_equal(shape, dtype):
    values = np.ones(shape, np.int32)
    copied = aligned.copy(values, dtype)
    assert not copied.size or copied.ctypes.data % aligned.ALIGNMENT == 0
    assert copied.flags.c_contiguous
    assert copied.flags.writeable
    np.testing.assert_array_equal(copied, values.astype(dtype), strict=True)


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.int8()])
def test_tensors_of_stacked_and_of_converted_columns_are_aligned(kind):
    table = pa.record_batch({name: pa.array(range(100), kind) for name in "abc"})
    signature = Signature(
        "serve",
        (TensorSpec("x", "float32", (None, 3)), TensorSpec("z", "float64", (None,))),
        (TensorSpec("y", "float32", (None,)),),
    )
    binding = bind(signature, columns_of(table.schema), feed={"x": ["a", "b", "c"], "z": "a"})
    chunks = {name: [table[name]] for name in binding.columns}
    (group,) = encode(binding.inputs, chunks)
    for tensor in group.inputs.values():
        assert tensor.ctypes.data % aligned.ALIGNMENT == 0
    np.testing.assert_array_equal(group.inputs["x"], np.tile(np.arange(100.0)[:, None], 3))
