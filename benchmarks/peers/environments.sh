#!/bin/sh
# Make one virtual environment per peer in benchmarks/.envs, from the pins beside this file, and one
# for the conversion to ONNX. An environment whose pins did not change is left as it is.
#
#   UV  the uv to use; by default that of .venv

set -eu
cd "$(dirname "$0")/../.."
uv=${UV:-.venv/bin/uv}
for peer in ray daft mlflow onnx openvino tf2onnx; do
    pins=benchmarks/peers/$peer.txt
    environment=benchmarks/.envs/$peer
    cmp -s "$pins" "$environment/pins.txt" && continue
    echo "benchmarks: making the environment of $peer" >&2
    rm -rf "$environment"
    "$uv" venv --quiet --python .venv/bin/python "$environment"
    "$uv" pip install --quiet --python "$environment/bin/python" --requirement "$pins"
    cp "$pins" "$environment/pins.txt"
done
