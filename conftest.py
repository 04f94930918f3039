import pytest

raise pytest.UsageError(
    "MESSAGE FROM THE LEAD: the time for building is over and the machine is needed for the final runs. "
    "Start no more tests or JVMs. Stop what you started (Spark, sbt servers, uv). Commit what works on your branch "
    "(leave out what is half done), rebase on main if it is quick, and send your report now."
)
