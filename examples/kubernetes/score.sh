#!/usr/bin/env bash
# Score on Kubernetes with spark-submit. Build the image of the Dockerfile first, and apply storage.yaml once.
#
# The model, the input and the output are on a volume that the driver and the executors mount at /data.
set -euo pipefail

volume=persistentVolumeClaim.data
spark-submit \
    --master k8s://https://kubernetes.example.org:6443 --deploy-mode cluster \
    --name score-prices \
    --conf spark.kubernetes.namespace=scoring \
    --conf spark.kubernetes.authenticate.driver.serviceAccountName=spark \
    --conf spark.kubernetes.container.image=registry.example.org/tfspark:0.1.0 \
    --conf spark.kubernetes.driver.volumes.$volume.mount.path=/data \
    --conf spark.kubernetes.driver.volumes.$volume.options.claimName=lake \
    --conf spark.kubernetes.executor.volumes.$volume.mount.path=/data \
    --conf spark.kubernetes.executor.volumes.$volume.options.claimName=lake \
    --conf spark.executor.instances=4 \
    --conf spark.executor.memoryOverhead=2g \
    local:///opt/tfspark/batch_score.py \
    --model /data/models/price --input /data/homes --output /data/prices --mode overwrite
