"""`tf_predict` for the clients of servers, Thrift and Connect: no user changes another's models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.bridge.conftest import MODELS, PATIENCE, Start, listens, served
from tests.bridge.jdbc import Jdbc, RefusedError
from tests.bridge.session import Session

CONNECT_PORT = 15002
LINEAR = MODELS / "linear"
ROOT = "viewfs://cluster/models"
MOUNT = "fs.viewfs.mounttable.cluster.link./models"
MOUNTED = f"{ROOT}/linear"
TOUCH = f"SELECT count(*) FROM text.`{MOUNTED}/1/fingerprint.pb`"
NO_DIGEST = "0" * 64
OPERATOR = {
    f"spark.hadoop.{MOUNT}": MODELS.as_uri(),
    "spark.tfspark.model.roots": f"{MODELS},{ROOT}",
    "spark.tfspark.model.linear": LINEAR,
    "spark.tfspark.model.mounted": MOUNTED,
    "spark.tfspark.model.pinned": LINEAR,
    "spark.tfspark.model.pinned.sha256": NO_DIGEST,
}
# Hadoop's cache separates users; without doAs, all JDBC users are the user of the server.
OF_THRIFT = {**OPERATOR, "spark.hadoop.hive.server2.enable.doAs": "false"}
TRUTH = [2.0, 4.0, 6.0]

pytestmark = pytest.mark.slow


def scores(model: str) -> str:
    return f"SELECT tf_predict('{model}', float(id), 1) AS y FROM range(3)"


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of models with another `linear`; the answers `x0 - x1` show that it ran."""
    folder = tmp_path_factory.mktemp("evil")
    shutil.copytree(MODELS / "fixed", folder / "linear")
    return folder.as_uri()


# --- Thrift ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def thrift(
    environment: dict[str, str],
    jar: Path,
    jdbc: Jdbc,
    evil: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of a Thrift server with the jar; an attacker was its first user."""
    words = (word for name, value in OF_THRIFT.items() for word in ("--conf", f"{name}={value}"))
    folder = tmp_path_factory.mktemp("thrift")
    with served(environment, folder, "--jars", jar, *words) as address:
        with jdbc.connect(address, "eve") as execute:
            execute(f"SET `{MOUNT}`={evil}")
            with suppress(RefusedError):  # the touch counts: that file system holds no such table
                execute(TOUCH)
        yield address


def test_thrift_server_answers_a_jdbc_client(thrift: str, jdbc: Jdbc) -> None:
    with jdbc.connect(thrift) as execute:
        assert execute(f"{scores('linear')} ORDER BY 1") == ["2.0", "4.0", "6.0"]
        execute(f"CREATE VIEW scored AS {scores('linear')}")
    with jdbc.connect(thrift) as execute:
        assert execute("SELECT sum(y) FROM scored") == ["12.0"]


def test_a_jdbc_user_changes_no_model_of_another(thrift: str, jdbc: Jdbc) -> None:
    with jdbc.connect(thrift, "bob") as execute:
        for model in ("mounted", MOUNTED):
            assert [float(y) for y in execute(f"{scores(model)} ORDER BY 1")] == TRUTH


# --- Connect --------------------------------------------------------------------------------------


ATTACK = """
from pyspark.errors import PySparkException

eve = spark.newSession()
eve.conf.set(MOUNT, EVIL)
try:
    eve.sql(TOUCH).collect()
except PySparkException as error:  # the touch counts: that file system holds no such table
    print("the touch of the attacker ends in", type(error).__name__)
answer(eve.conf.get(MOUNT) != spark.conf.get(MOUNT, None))
# A client that is open would wait for its server when the program ends.
eve.client.close()
"""


@pytest.fixture(scope="module")
def connect(start: Start, evil: str) -> Iterator[Session]:
    """A client of a Connect server with the jar; an attacker was its first user."""
    end = monotonic() + PATIENCE
    while listens(CONNECT_PORT):
        assert monotonic() < end, "another Connect server does not end"
        sleep(0.1)
    with start({"spark.remote": "local[2]", **OPERATOR}) as session:
        assert session.ask(f"MOUNT, EVIL, TOUCH = {(MOUNT, evil, TOUCH)!r}\n{ATTACK}")
        yield session


@pytest.mark.connect_server
def test_connect_clients_need_nothing(connect: Session) -> None:
    program = f"""
from pyspark.errors import AnalysisException
from pyspark.sql import functions as sf
df = spark.range(3).selectExpr("array(float(id), 1f) AS x")
y = sf.call_function("tf_predict", sf.lit({str(LINEAR)!r}), sf.col("x"))
rows = [row[0] for row in df.select(y).collect()]
try:
    df.select(sf.call_function("tf_predict", sf.lit("/etc"), sf.col("x"))).collect()
except AnalysisException as error:
    answer([rows, str(error).splitlines()[0]])
"""
    rows, refusal = connect.ask(program)
    assert rows == TRUTH
    assert refusal == "The model '/etc' may not be called from SQL."


REGISTER = """
import tfspark
from tfspark.errors import TfsparkError

def refusal(action):
    try:
        action()
    except TfsparkError as error:
        return str(error).splitlines()[0]

def register(name, model, **options):
    tfspark.register(spark, name, model, engine="jvm", **options)

def rows(text):
    return [row[0] for row in spark.sql(text).collect()]

linear, pair = PATHS
for _ in range(2):
    register("mine", linear)
register("one", pair, signature="single")
register("both", pair)
found = [
    rows("SELECT mine(array(float(id), 1f)) FROM range(3)"),
    rows("SELECT mine(float(id), 1) FROM range(3)"),
    rows("SELECT one(id) FROM range(3, 4)"),
    rows("SELECT both(id, array(1f, 2f)).sign FROM range(1)"),
]
found.append(rows("SELECT mine(double(id) / 4, 1D) FROM range(2)"))
fractions = "SELECT one(double(id)) FROM range(2)"
try:
    spark.sql(fractions).collect()
except Exception as error:
    found.append("whose values may have fractions" in str(error))
refused = [
    refusal(lambda: register("sum", linear)),
    refusal(lambda: register("root", OUTSIDE)),
]
register("whole", pair, signature="single", narrow=True)
found.append(rows(fractions.replace("one", "whole")))
register("named", pair, fetch={"sign": "s"})
found.append(rows("SELECT named(id, array(1f, 2f)) FROM range(1)"))
register("filled", linear, on_null=5)
found.append(rows("SELECT filled(if(id = 1, null, float(id)), 1) FROM range(2)"))
answer([found, refused])
"""


@pytest.mark.connect_server
def test_connect_clients_register_models(connect: Session, tmp_path: Path) -> None:
    outside = tmp_path / "it's outside"
    shutil.copytree(LINEAR, outside)
    paths = [str(LINEAR), str(MODELS / "pair")]
    program = f"PATHS = {paths!r}\nOUTSIDE = {str(outside)!r}\n{REGISTER}"
    found, refused = connect.ask(program)
    assert found[:6] == [TRUTH, TRUTH, [4], ["plus"], [2.0, 2.5], True]
    assert found[6:] == [[1, 2], ["plus"], [2.0, 12.0]]
    assert refused == [
        "SQL has a built-in function 'sum'.",
        f"The model '{outside}/1' may not be called from SQL.",
    ]


@pytest.mark.connect_server
def test_connect_clients_fetch_what_they_name(connect: Session) -> None:
    program = f"""
import tfspark
df = spark.sql("SELECT 2L AS alpha, array(1f, 2f) AS beta")
fetches = None, {{"sign": "s"}}, {{"sign": "the sign", "product": "p.q"}}
answer([
    [frame.columns, [list(row) for row in frame.collect()]]
    for fetch in fetches
    for function in [tfspark.predict_udf({str(MODELS / "pair")!r}, engine="jvm", fetch=fetch)]
    for frame in (
        tfspark.predict(df, {str(MODELS / "pair")!r}, fetch=fetch, keep=[], engine="jvm"),
        df.select(function("alpha", "beta").alias("y")),
    )
])
"""
    product, sign = [2.0, 4.0], "plus"
    assert connect.ask(program) == [
        [["product", "sign"], [[product, sign]]],
        [["y"], [[[product, sign]]]],
        [["s"], [[sign]]],
        [["y"], [[sign]]],
        [["the sign", "p.q"], [[sign, product]]],
        [["y"], [[[sign, product]]]],
    ]


@pytest.mark.connect_server
def test_a_connect_client_changes_no_model_of_another(connect: Session) -> None:
    program = f"""
from pyspark.errors import AnalysisException

def answers(text):
    return [row[0] for row in spark.sql(text).collect()]

found = [answers({scores("mounted")!r}), answers({scores(MOUNTED)!r})]
try:
    answers({scores("pinned")!r})
except AnalysisException as error:
    answer([*found, str(error).splitlines()[0]])
"""
    names, paths, pinned = connect.ask(program)
    assert (names, paths) == (TRUTH, TRUTH)
    assert pinned == f"The model at {MODELS}/linear/1 is not the one that is pinned."
