"""The engine that runs a model in OpenVINO; the workers need no TensorFlow. Executor.

`engine.load` reads an export dir with OpenVINO's TensorFlow frontend. It accepts only models whose
results equal TensorFlow's: `operations` checks the graph, and `conversion` checks the converted
model. `compiled` keeps compiled models on the node.
"""

from tfspark.engine.openvino.engine import OpenVinoEngine, load
from tfspark.engine.openvino.operations import check

__all__ = ["OpenVinoEngine", "check", "load"]
