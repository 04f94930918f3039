"""A JDBC client of Thrift servers: Hive's driver, in a JVM with Spark's jars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.java_gateway import launch_gateway

Execute = Callable[[str], list[str]]


class Jdbc:
    """The driver; as a context manager, it ends its JVM."""

    def __init__(self) -> None:
        self._gateway: Any = launch_gateway()

    @contextmanager
    def connect(self, address: str, user: str = "anonymous") -> Iterator[Execute]:
        """Connect to a server; yield a function that executes a statement in this session.

        The function returns the first column of the result as text. For a statement that the
        server refuses, it raises `RefusedError` with the server's message.
        """
        jvm = self._gateway.jvm
        login = jvm.java.util.Properties()
        login.setProperty("user", user)
        connection = jvm.org.apache.hive.jdbc.HiveDriver().connect(address, login)

        def execute(text: str) -> list[str]:
            statement = connection.createStatement()
            try:
                return list(_texts(statement)) if statement.execute(text) else []
            except Py4JJavaError as error:
                raise RefusedError(error.java_exception.getMessage()) from error
            finally:
                statement.close()

        try:
            yield execute
        finally:
            connection.close()

    def __enter__(self) -> Jdbc:
        return self

    def __exit__(self, *_: object) -> None:
        self._gateway.shutdown()
        self._gateway.proc.stdin.close()
        self._gateway.proc.wait()


class RefusedError(Exception):
    """The server refuses a statement."""


def _texts(statement: Any) -> Iterator[str]:
    results = statement.getResultSet()
    while results.next():
        yield results.getString(1)
