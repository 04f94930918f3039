#!/bin/sh
# Install the wheel of dist/ with Spark and TensorFlow into a new environment, run `tfspark demo` there,
# and remove the environment. Called by `make try-dist` with the path of uv; PYTHON chooses the Python.

set -eu
uv=$PWD/$1
wheel=$(ls "$PWD"/dist/tfspark-*.whl) || { echo "try-dist: there is no wheel; run make dist first" >&2; exit 2; }
place=$(mktemp -d "${TMPDIR:-/tmp}/tfspark-try-XXXXXX")
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
cd "$place"  # without the checkout on the path
unset PYTHONPATH SPARK_HOME

"$uv" venv --quiet --python "${PYTHON:-python3}" env
"$uv" pip install --quiet --python env/bin/python "$wheel[spark,tf-cpu,report,cli]"
env/bin/tfspark --version
env/bin/tfspark demo
env/bin/tfspark inspect tfspark-demo/model
[ -n "$(ls tfspark-demo/scored/*.html)" ]
env/bin/tfspark completion bash >/dev/null
echo "the wheel works: $(basename "$wheel")"
