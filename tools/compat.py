"""Runs the smoke tests in an environment for each Spark line: `make compat LINES="3.5 4.0"`.

Prints one row per environment. With Spark lines, it runs one environment for each line: the first
with a Python on this machine. Without lines, it runs all environments and writes the table to
tests/compat/README.md. Environments whose Python is not installed are skipped, named and counted.
Environments stay in .compat/, so that the next run starts at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter

from tools.class_archive import QUICK

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".compat"
MODELS = HOME / "models"
WHEELS = HOME / "wheels"
TABLE = ROOT / "tests" / "compat" / "README.md"
SMOKE = ROOT / "tests" / "compat" / "smoke.py"
JARS = HOME / "jars"
# Spark line → lake or database → the jars of its tests, by their coordinates in Maven's repository.
LAKES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "4.0": {
        "iceberg": ("org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.10.0",),
        "delta": ("io.delta:delta-spark_2.13:4.0.0", "io.delta:delta-storage:4.0.0"),
        "database": ("com.h2database:h2:2.3.232",),
    },
    "4.1": {"iceberg": ("org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.11.0",)},
}
SHOWN = ("pyspark", "tensorflow-cpu", "pyarrow", "numpy", "pandas")
OLDEST, NEWEST = "2.16", "2.21"


@dataclass(frozen=True)
class Environment:
    """One combination of versions.

    Attributes:
        spark: A line of Spark, such as `3.5`.
        python: A version of Python, such as `3.10`.
        tensorflow: A line of TensorFlow, such as `2.16`.
    """

    spark: str
    python: str
    tensorflow: str

    @property
    def folder(self) -> Path:
        """The folder of its packages."""
        return HOME / f"spark{self.spark}-python{self.python}-tf{self.tensorflow}"

    @property
    def requirements(self) -> list[str]:
        """The requirements for pip: this package with its extras, and pytest."""
        extras = ["tf-cpu"]
        # Spark 3.5's extra for Connect requires NumPy 1.
        if self.tensorflow == OLDEST or self.spark == "3.5":
            extras.append("numpy1")
        # From 4.0 on Connect needs a newer protobuf than TensorFlow before 2.18 allows.
        is_apart = self.tensorflow == OLDEST and self.spark != "3.5"
        extras.append("spark" if is_apart else "connect")
        tensorflow = f"tensorflow-cpu=={self.tensorflow}.*"
        return ["--editable", f"{ROOT}[{','.join(extras)}]", tensorflow, "pytest"]


# Each line with the oldest and the newest TensorFlow, and every Python. The short form takes the
# first environment of a line with an installed Python: for 3.5 usually the oldest TensorFlow, for
# 4.0 the newest, with Connect.
ENVIRONMENTS = (
    Environment("3.5", "3.10", OLDEST),
    Environment("3.5", "3.11", NEWEST),
    Environment("4.0", "3.12", NEWEST),
    Environment("4.0", "3.11", OLDEST),
    Environment("4.1", "3.10", OLDEST),
    Environment("4.1", "3.13", NEWEST),
    Environment("4.2", "3.12", OLDEST),
    Environment("4.2", "3.10", NEWEST),
    Environment("4.3", "3.11", OLDEST),
    Environment("4.3", "3.13", NEWEST),
)
# The environment in which the long form tests MLflow's registry, with a server. The test registers
# models in SQL, which needs Spark 4.1.
WITH_MLFLOW = ENVIRONMENTS[-1]


def main(lines: Sequence[str]) -> int:
    """Run the environments of some lines, or all; return the exit code."""
    known = list(dict.fromkeys(one.spark for one in ENVIRONMENTS))
    if unknown := set(lines) - set(known):
        print(f"compat: no such Spark line: {', '.join(sorted(unknown))}; there are {known}")
        return 2
    chosen = [short_form(line) for line in lines] or ENVIRONMENTS
    write_models()
    rows = [(one, *run(one, with_mlflow=one == WITH_MLFLOW and not lines)) for one in chosen]
    if not lines:
        TABLE.write_text(table(rows))
    results = [result for _, _, result in rows]
    failed = sum(result.startswith("failed") for result in results)
    skipped = sum(result.startswith("skipped") for result in results)
    print(f"compat: {len(rows) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def short_form(line: str) -> Environment:
    """Return the first environment of a line with an installed Python, otherwise the first."""
    of_line = [one for one in ENVIRONMENTS if one.spark == line]
    return next((one for one in of_line if interpreter(one.python)), of_line[0])


def write_models() -> None:
    """Write the models that all environments score, with the TensorFlow of this Python."""
    if not MODELS.is_dir():
        aside = HOME / "models.unfinished"
        shutil.rmtree(aside, ignore_errors=True)
        script = ROOT / "tests" / "compat" / "write_models.py"
        subprocess.run(
            [sys.executable, script, aside],
            env={**clean_environment(), "PYTHONPATH": str(ROOT)},
            check=True,
        )
        aside.rename(MODELS)


def run(environment: Environment, *, with_mlflow: bool) -> tuple[dict[str, str], str]:
    """Run the smoke tests in an environment; return its versions and the result as text."""
    name, started = environment.folder.name, perf_counter()
    python = interpreter(environment.python)
    if python is None:
        print(f"compat: {name} skipped: there is no Python {environment.python}", flush=True)
        return {}, f"skipped: no Python {environment.python}"
    print(f"compat: {name}", flush=True)
    try:
        inside = install(environment, python)
    except subprocess.CalledProcessError:
        print(f"compat: {name} failed: it cannot be installed", flush=True)
        return {}, "failed: cannot be installed"
    is_green = passes(inside, SMOKE)
    for lake, coordinates in LAKES.get(environment.spark, {}).items():
        jars = list(filter(None, map(maven_jar, coordinates)))
        if len(jars) < len(coordinates):
            print(f"compat: {name}: {lake} is left out, Maven does not bring its jars", flush=True)
        else:
            setting = {f"TFSPARK_COMPAT_{lake.upper()}": ",".join(map(str, jars))}
            is_green &= passes(inside, SMOKE.with_name(f"{lake}.py"), setting)
    found = versions(inside)
    if with_mlflow:
        # Some packages of the server are published only as pre-releases.
        uv("pip", "install", "--python", inside, "mlflow>=3.10")
        is_green &= passes(inside, SMOKE.with_name("mlflow_registry.py"))
    result = "passed" if is_green else "failed"
    print(f"compat: {name} {result} in {perf_counter() - started:.0f} s", flush=True)
    return found, result


def passes(python: Path, tests: Path, settings: Mapping[str, str] | None = None) -> bool:
    """Run one file of tests in an environment; return whether all of them passed."""
    options = ("-q", "-c", os.devnull, "--rootdir", ROOT, "--noconftest", "-p", "no:cacheprovider")
    done = subprocess.run(
        [python, "-m", "pytest", *options, tests],
        cwd=HOME,
        env={
            **clean_environment(),
            "PYTHONPATH": str(ROOT),
            "PYSPARK_PYTHON": str(python),
            "TFSPARK_COMPAT_MODELS": str(MODELS),
            **(settings or {}),
        },
        check=False,
    )
    return done.returncode == 0


def maven_jar(coordinates: str) -> Path | None:
    """Return a jar, downloaded once; `None` without Maven, or where it does not bring the jar."""
    _, artifact, version = coordinates.split(":")
    jar = JARS / f"{artifact}-{version}.jar"
    maven = shutil.which("mvn")
    if not jar.is_file() and maven is not None:
        copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
        options = (f"-Dartifact={coordinates}", f"-DoutputDirectory={JARS}")
        subprocess.run([maven, "--quiet", "--batch-mode", copy, *options], check=False)
    return jar if jar.is_file() else None


def interpreter(version: str) -> str | None:
    """Return a Python of a version: this one, one on PATH, or one from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [sys.executable, shutil.which(f"python{version}")]
    candidates += map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in filter(None, candidates):
        # Version managers leave names on PATH that do not run.
        done = subprocess.run(
            [python, "-I", "-c", asked], capture_output=True, text=True, check=False
        )
        if done.stdout.strip() == version:
            return python
    return None


def install(environment: Environment, python: str) -> Path:
    """Create an environment, or bring it up to date with pyproject.toml; return its Python."""
    inside = environment.folder / "bin" / "python"
    stamp = environment.folder / "installed"
    wanted = "\n".join([*environment.requirements, (ROOT / "pyproject.toml").read_text()])
    if not (stamp.is_file() and stamp.read_text() == wanted):
        uv("venv", "--clear", "--python", python, environment.folder)
        # If no release fits, a development release of Spark does.
        options = ("--prerelease", "disallow", "--python", inside, wheel(environment.spark))
        uv("pip", "install", *options, *environment.requirements)
        stamp.write_text(wanted)
    return inside


def wheel(spark: str) -> Path:
    """Return a wheel of a Spark line, built once: PySpark is published as 400 MB of source."""
    if not (found := sorted(WHEELS.glob(f"pyspark-{spark}.*.whl"))):
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-cache-dir"]
        command += ["--wheel-dir", str(WHEELS), f"pyspark=={spark}.*"]
        subprocess.run(command, env=clean_environment(), check=True)
        found = sorted(WHEELS.glob(f"pyspark-{spark}.*.whl"))
    return found[-1]


def uv(*words: str | Path) -> None:
    """Run uv, whose cache lets environments share their files by hard links."""
    command = [Path(sys.executable).parent / "uv", *words, "--quiet", "--no-python-downloads"]
    subprocess.run(command, env={**pip_index(), **clean_environment()}, check=True)


@cache
def pip_index() -> dict[str, str]:
    """Return pip's package index as a variable for uv, which does not read pip's settings."""
    ask = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    index = os.environ.get("PIP_INDEX_URL") or configured
    return {"UV_DEFAULT_INDEX": index} if index else {}


def clean_environment() -> dict[str, str]:
    """Return this environment without variables that select another Python, package or Spark."""
    foreign = ("PYTHON", "SPARK_", "PYSPARK_", "VIRTUAL_ENV", "MASTER")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return {**kept, "SPARK_SUBMIT_OPTS": QUICK}


def versions(python: Path) -> dict[str, str]:
    """Return package → version of an environment."""
    asked = "import sys; from importlib.metadata import version as v; "
    asked += "print(sys.version.split()[0], *map(v, sys.argv[1:]))"
    done = subprocess.run(
        [python, "-I", "-c", asked, *SHOWN], capture_output=True, text=True, check=True
    )
    return dict(zip(("python", *SHOWN), done.stdout.split(), strict=True))


def table(rows: Sequence[tuple[Environment, dict[str, str], str]]) -> str:
    """Return the page with one row per environment."""

    def lines() -> Iterator[str]:
        yield "# Versions that are tested together\n"
        yield "Written by `make compat`, which runs `smoke.py` in each of these environments: all"
        yield "Python APIs and both jobs, on a classic session and on Connect where it is there.\n"
        yield "| Spark | Python | TensorFlow | pyarrow | NumPy | pandas | result |"
        yield "|---|---|---|---|---|---|---|"
        for one, found, result in rows:
            planned = {"pyspark": one.spark, "python": one.python, "tensorflow-cpu": one.tensorflow}
            cells = {**dict.fromkeys(SHOWN, ""), **planned, **found}
            order = ("pyspark", "python", "tensorflow-cpu", "pyarrow", "numpy", "pandas")
            yield f"| {' | '.join(cells[name] for name in order)} | {result} |"

    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
