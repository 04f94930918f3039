"""A YARN on this machine with two node managers, whose default file system is an HDFS."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import kill
from pathlib import Path

from tests import hadoop_jars
from tests.minidfs import minidfs

PROGRAM = Path(__file__).with_name("MiniYarn.java")
# The resource manager makes keys with them.
KEYS = tuple(f"org.bouncycastle:{name}-jdk18on:1.78.1" for name in ("bcprov", "bcpkix", "bcutil"))
MASTER = "org.apache.spark.deploy.yarn.ApplicationMaster"


@dataclass(frozen=True)
class Yarn:
    """A cluster.

    Attributes:
        conf: Folder for HADOOP_CONF_DIR.
        process: Process id of the resource manager and the node managers.
    """

    conf: Path
    process: int

    def kill_driver(self) -> None:
        """Kill the master of the running application; in cluster mode, this is the driver."""
        found = [pid for pid, command in _commands() if MASTER in command and self._is_below(pid)]
        assert found, "no application is running"
        for pid in found:
            kill(pid, signal.SIGKILL)

    def _is_below(self, pid: int) -> bool:
        while pid > 1:
            if pid == self.process:
                return True
            try:
                pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                return False
        return False


@contextmanager
def miniyarn(folder: Path) -> Iterator[Yarn]:
    """Start HDFS, a resource manager and two node managers."""
    hadoop_jars.fetch(*KEYS)
    conf, files = folder / "conf", folder / "hdfs"
    for one in (conf, files):
        one.mkdir()
    with minidfs(files) as uri:
        (conf / "core-site.xml").write_text(
            f"<configuration><property><name>fs.defaultFS</name><value>{uri}</value></property>"
            "</configuration>"
        )
        with hadoop_jars.running(folder, conf / "yarn-site.xml", PROGRAM, conf) as process:
            yield Yarn(conf, process)


def _commands() -> Iterator[tuple[int, str]]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield int(path.parent.name), path.read_text("utf-8", "replace").replace("\0", " ")
