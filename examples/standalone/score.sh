#!/usr/bin/env bash
# Score on a standalone cluster of Spark. The workers need no tfspark: their Python comes in an archive.
#
# The driver runs here, with `tfspark` and PySpark in its Python. The model, the input and the output are on a disk
# that all machines see at the same path, such as NFS. Change them, and the master, in score.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Build the archive once, on the operating system of the workers. Run `make env-archive` again when tfspark changes.
[[ -e dist/environment.tar.gz ]] || make env-archive

# Each executor unpacks the archive into `environment` in its working folder.
PYSPARK_PYTHON=./environment/bin/python tfspark score --config examples/standalone/score.toml
