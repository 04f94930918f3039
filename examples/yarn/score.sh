#!/usr/bin/env bash
# Score on YARN. The nodes need neither tfspark nor TensorFlow: the driver and the executors run in the environment of
# the archive. The model, the input and the output are on HDFS; you do not have to copy the model to the nodes.
#
# In cluster mode, the exit code of spark-submit is 0 or 1. The exit code of the job is in the log of the application.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Build the archive once, on the operating system of the nodes. Run `make env-archive` again when tfspark changes.
[[ -e dist/environment.tar.gz ]] || make env-archive

spark-submit \
    --master yarn --deploy-mode cluster --num-executors 4 --executor-cores 2 \
    --archives dist/environment.tar.gz#environment \
    --conf spark.pyspark.python=./environment/bin/python \
    jobs/batch_score.py \
    --model hdfs:///models/price --input hdfs:///homes --output hdfs:///prices --mode overwrite
