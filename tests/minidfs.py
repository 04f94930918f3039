"""An HDFS on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import hadoop_jars

# The mini cluster uses assertions of JUnit.
TESTING = (
    "org.junit.jupiter:junit-jupiter-api:5.10.2",
    "org.junit.platform:junit-platform-commons:1.10.2",
    "org.opentest4j:opentest4j:1.3.0",
)
MANAGER = "org.apache.hadoop.test.MiniDFSClusterManager"


@contextmanager
def minidfs(folder: Path) -> Iterator[str]:
    """Start a name node and a data node; yield the URI of the file system."""
    hadoop_jars.fetch(*TESTING)
    details = folder / "details.json"
    options = ("-format", "-datanodes", "1", "-writeDetails", details)
    with hadoop_jars.running(folder, details, MANAGER, *options):
        yield f"hdfs://127.0.0.1:{json.loads(details.read_text())['namenode_port']}"
