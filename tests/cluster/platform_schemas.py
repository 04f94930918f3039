"""Checks the examples with the clients of the platforms: `platform_schemas.py EXAMPLES POD`.

It runs in an environment of its own, which has these clients. POD is the file of the driver's pod
that spark-submit has created. It prints the name of each checked document, and ends with an error
at the first document that is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import kubernetes_validate
import yaml
from botocore.validate import ParamValidator
from databricks.sdk.service.jobs import JobSettings
from google.cloud.dataproc_v1 import Job
from google.protobuf import json_format

KUBERNETES = "1.33"
TEXT, WHOLE, FLAG, OBJECT = ({"type": name} for name in ("string", "integer", "boolean", "object"))
TEXTS = {"type": "array", "items": TEXT}
OBJECTS = {"type": "array", "items": OBJECT}


def closed(required: str, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object that allows no other properties."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required.split()}


# The fields of a SparkApplication of the operator, version v1beta2, that these examples may use.
POD = {
    **dict.fromkeys(("cores",), WHOLE),
    **dict.fromkeys(("coreLimit", "coreRequest", "image", "javaOptions", "memory"), TEXT),
    **dict.fromkeys(("memoryLimit", "memoryOverhead", "priorityClassName"), TEXT),
    **dict.fromkeys(("schedulerName", "serviceAccount"), TEXT),
    **dict.fromkeys(("annotations", "envVars", "labels", "nodeSelector", "template"), OBJECT),
    **dict.fromkeys(("env", "envFrom", "initContainers", "sidecars", "tolerations"), OBJECTS),
    "volumeMounts": {"type": "array", "items": closed("name mountPath", name=TEXT, mountPath=TEXT)},
}
CLAIM = closed("claimName", claimName=TEXT, readOnly=FLAG)
RESTART = closed(
    "",
    type={"enum": ["Never", "OnFailure", "Always"]},
    **dict.fromkeys(("onFailureRetries", "onFailureRetryInterval"), WHOLE),
    **dict.fromkeys(("onSubmissionFailureRetries", "onSubmissionFailureRetryInterval"), WHOLE),
)
SPEC = closed(
    "driver executor mainApplicationFile sparkVersion type",
    type={"enum": ["Java", "Python", "Scala", "R"]},
    mode={"enum": ["cluster", "client"]},
    pythonVersion={"enum": ["2", "3"]},
    **dict.fromkeys(("image", "imagePullPolicy", "mainApplicationFile", "sparkVersion"), TEXT),
    **dict.fromkeys(("hadoopConf", "nodeSelector", "sparkConf", "dynamicAllocation"), OBJECT),
    **dict.fromkeys(("retryInterval", "timeToLiveSeconds"), WHOLE),
    **dict.fromkeys(("suspend",), FLAG),
    arguments=TEXTS,
    imagePullSecrets=TEXTS,
    deps=closed("", **dict.fromkeys(("archives", "files", "jars", "packages", "pyFiles"), TEXTS)),
    restartPolicy=RESTART,
    volumes={"type": "array", "items": closed("name", name=TEXT, persistentVolumeClaim=CLAIM)},
    driver=closed("", **POD),
    executor=closed("", **POD, instances=WHOLE, deleteOnTermination=FLAG),
)
SPARK_APPLICATION = closed(
    "apiVersion kind metadata spec",
    apiVersion={"const": "sparkoperator.k8s.io/v1beta2"},
    kind={"const": "SparkApplication"},
    metadata=closed("name", name=TEXT, namespace=TEXT, labels=OBJECT, annotations=OBJECT),
    spec=SPEC,
)


def check_request_of_aws(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Refuse a request with unknown fields, wrong types or without required fields."""
    model = botocore.session.get_session().get_service_model(service)
    report = ParamValidator().validate(request, model.operation_model(operation).input_shape)
    assert not report.has_errors(), report.generate_report()


def check_job_of_databricks(settings: dict[str, Any]) -> None:
    """Refuse settings that the client does not know, because it would drop them."""
    kept = JobSettings.from_dict(settings).as_dict()
    assert kept == settings, f"known: {json.dumps(kept, indent=1)}"


def check_job_of_dataproc(job: dict[str, Any]) -> None:
    """Refuse fields that the message does not have."""
    json_format.ParseDict(job, Job.pb()())


def check_resource(resource: dict[str, Any]) -> None:
    """Refuse a resource of Kubernetes, or of the operator, with unknown fields."""
    if resource["kind"] == "SparkApplication":
        jsonschema.validate(resource, SPARK_APPLICATION)
    else:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def check_steps_of_emr(document: Any) -> None:
    """Check what `aws emr add-steps --steps` reads; its steps have another form than requests."""
    for step in document:
        assert step.pop("Type") == "CUSTOM_JAR"
        step["HadoopJarStep"] = {"Jar": step.pop("Jar"), "Args": step.pop("Args")}
    request = {"JobFlowId": "j-EXAMPLE", "Steps": document}
    check_request_of_aws("emr", "AddJobFlowSteps", request)


def check_all(examples: Path, pod: Path) -> Iterator[str]:
    """Check every document; yield its name."""
    for path in sorted(examples.rglob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        if path.parent.name == "databricks":
            check_job_of_databricks(document)
        elif path.parent.name == "dataproc":
            check_job_of_dataproc(document)
        elif path.name == "serverless.json":
            check_request_of_aws("emr-serverless", "StartJobRun", document)
        else:
            check_steps_of_emr(document)
        yield path.relative_to(examples).as_posix()
    for path in sorted(examples.rglob("*.yaml")):
        for resource in yaml.safe_load_all(path.read_text("utf-8")):
            check_resource(resource)
            yield f"{path.relative_to(examples).as_posix()} {resource['kind']}"
    check_resource(json.loads(pod.read_text("utf-8")))
    yield "pod"


if __name__ == "__main__":
    for name in check_all(Path(sys.argv[1]), Path(sys.argv[2])):
        print(name)
