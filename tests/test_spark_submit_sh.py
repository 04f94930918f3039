"""spark-submit.sh: the command that it would run, and one real run."""

import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shell import fresh_environment
from tools import zip_package

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "spark-submit.sh"
SOCKETS = "spark.python.unix.domain.socket.enabled"


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """With another umask of the developer, the script uses no sockets."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def submit(
    *arguments: str, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the script in a shell where the environment of this Python is active."""
    return subprocess.run(
        [SCRIPT, *arguments],
        env=fresh_environment(**environment),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def printed(*arguments: str, cwd: Path = ROOT, **environment: str) -> list[str]:
    """The words of the command that would run."""
    result = submit("--print", *arguments, cwd=cwd, **environment)
    assert result.returncode == 0, result.stderr
    return shlex.split(result.stdout)


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def job(tmp_path: Path) -> str:
    path = tmp_path / "job.py"
    path.write_text("import sys\nsys.exit(65)\n")
    return str(path)


@pytest.fixture
def spark_home(tmp_path: Path) -> str:
    binary = tmp_path / "spark" / "bin" / "spark-submit"
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    return str(tmp_path / "spark")


def value_of(option: str, command: list[str]) -> str:
    (position,) = (i for i, word in enumerate(command) if word == option)
    return command[position + 1]


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("--master", "yarn", "--help")])
def test_explains_itself(arguments: tuple[str, ...]) -> None:
    result = submit(*arguments)
    assert result.returncode == 0
    assert "./spark-submit.sh [--print] [spark options] JOB.py [job options]" in result.stdout


def test_job_options_pass_through_untouched(job: str) -> None:
    command = printed(job, "--mode", "append", "--query", "SELECT 'a b'", "--master", "x", "")
    assert command[command.index(job) :] == (
        [job, "--mode", "append", "--query", "SELECT 'a b'", "--master", "x", ""]
    )


def test_spark_options_stay_before_the_job(job: str) -> None:
    options = ["--verbose", "--name", "other.py", "-c", "a=b", "--supervise", "--queue", "q"]
    command = printed(*options, "--driver-memory=2g", job)
    start = command.index("--verbose")
    assert command[start : start + 10] == [*options, "--driver-memory", "2g"]
    assert command[-1] == job


def test_jar_needs_no_python(tmp_path: Path, spark_home: str) -> None:
    jar = tmp_path / "job.jar"
    jar.touch()
    command = printed("--master", "local[2]", str(jar), "--model", "m", SPARK_HOME=spark_home)
    submit_to = f"{spark_home}/bin/spark-submit"
    assert command == [
        "env",
        f"SPARK_HOME={spark_home}",
        submit_to,
        *("--master", "local[2]", str(jar), "--model", "m"),
    ]


def test_jar_explains_itself_without_spark(tmp_path: Path, spark_home: str) -> None:
    jar = tmp_path / "job.jar"
    jar.touch()
    command = printed(str(jar), "--help", SPARK_HOME=spark_home)
    assert command[-2:] == ["io.tfspark.jobs.BatchScore", "--help"]
    assert value_of("-cp", command) == f"{jar}:{spark_home}/jars/*"


def test_package_travels_in_a_zip(job: str) -> None:
    with zipfile.ZipFile(value_of("--py-files", printed(job))) as package:
        names = package.namelist()
    assert "tfspark/__init__.py" in names
    assert all(name.startswith("tfspark/") and "__pycache__" not in name for name in names)


@pytest.mark.parametrize(
    "given", [["--py-files", "a.zip,b.py"], ["--conf", "spark.submit.pyFiles=a.zip,b.py"]]
)
def test_py_files_of_the_user_are_joined(given: list[str], job: str) -> None:
    package, *others = value_of("--py-files", printed(*given, job)).split(",")
    assert Path(package).name.startswith("tfspark-")
    assert others == ["a.zip", "b.py"]


def test_package_is_zipped_without_a_writable_cache(job: str) -> None:
    package = value_of("--py-files", printed(job, XDG_CACHE_HOME="/dev/null"))
    assert Path(package).is_file()


def test_equal_packages_share_a_zip_and_changed_ones_do_not(tmp_path: Path) -> None:
    module = tmp_path / "tfspark" / "__init__.py"
    module.parent.mkdir()
    module.write_text("one = 1")

    def zipped() -> str:
        command = [sys.executable, ROOT / "tools" / "zip_package.py", tmp_path, tmp_path / "cache"]
        return subprocess.check_output(command, text=True)

    first = zipped()
    module.touch()
    assert zipped() == first
    module.write_text("two = 2")
    assert zipped() != first


def test_a_zip_that_cannot_be_written_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", refuse)
    with pytest.raises(OSError, match="no space left"):
        zip_package._write([("a.py", b"")], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sockets_that_other_users_could_write_to_are_not_used(job: str) -> None:
    before = os.umask(0o002)
    try:
        assert f"{SOCKETS}=true" not in printed(job)
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "where",
    [
        "",
        "--master local[2]",
        "--master=local-cluster[2,1,1024]",
        "--master spark://localhost:7077",
        "--conf spark.master=local[4]",
    ],
)
def test_work_on_this_machine_uses_its_python(where: str, job: str) -> None:
    command = printed(*where.split(), job)
    workers, driver = (
        next(word for word in command if word.startswith(f"{name}="))
        for name in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
    )
    assert workers.partition("=")[2] == driver.partition("=")[2]
    assert Path(workers.partition("=")[2]).parent.parent in (ROOT / ".venv", Path(sys.prefix))
    assert f"{SOCKETS}=true" in command


@pytest.mark.parametrize(
    "where",
    [
        "--master yarn",
        "--master spark://far:7077",
        "--conf spark.master=k8s://x",
        "--deploy-mode cluster",
    ],
)
def test_cluster_keeps_its_own_python_and_sockets(where: str, job: str) -> None:
    command = " ".join(printed(*where.split(), job))
    assert "PYSPARK_" not in command
    assert SOCKETS not in command


def test_master_comes_from_the_environment_and_the_properties_too(job: str, tmp_path: Path) -> None:
    properties = tmp_path / "spark-defaults.conf"
    properties.write_text("# defaults\nspark.master   yarn\n")
    for command in (
        printed(job, MASTER="yarn"),
        printed(job, SPARK_CONF_DIR=str(tmp_path)),
        printed("--properties-file", str(properties), job),
    ):
        assert not any(word.startswith("PYSPARK_") for word in command)


def test_connect_needs_a_python_here_only(job: str) -> None:
    command = printed("--remote", "sc://far", job)
    assert any(word.startswith("PYSPARK_DRIVER_PYTHON=") for word in command)
    assert not any(word.startswith("PYSPARK_PYTHON=") for word in command)


def test_chosen_python_wins(job: str) -> None:
    command = printed(job, PYSPARK_PYTHON="/opt/python")
    assert {"PYSPARK_PYTHON=/opt/python", "PYSPARK_DRIVER_PYTHON=/opt/python"} <= set(command)


def test_settings_of_the_user_win(job: str, tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text(f"{SOCKETS}=false\n")
    assert f"{SOCKETS}=true" not in printed("--conf", f"{SOCKETS}=false", job)
    assert f"{SOCKETS}=true" not in printed(job, SPARK_CONF_DIR=str(tmp_path))


def test_spark_home_comes_first(job: str, spark_home: str) -> None:
    command = printed(job, SPARK_HOME=spark_home)
    assert f"SPARK_HOME={spark_home}" in command
    assert f"{spark_home}/bin/spark-submit" in command


def test_spark_home_without_spark_says_so(job: str) -> None:
    result = submit(job, SPARK_HOME="/nowhere")
    assert result.returncode == 2
    assert "SPARK_HOME=/nowhere has no bin/spark-submit" in result.stderr


def test_job_is_looked_for_here_first_then_in_the_repository(tmp_path: Path) -> None:
    name = Path("tools", "zip_package.py")
    assert printed(str(name), cwd=tmp_path)[-1] == str(ROOT / name)
    (tmp_path / "tools").mkdir()
    (tmp_path / name).touch()
    assert printed(str(name), cwd=tmp_path)[-1] == str(name)


def test_job_elsewhere_is_left_to_spark() -> None:
    assert printed("hdfs://far/job.py")[-1] == "hdfs://far/job.py"


def test_missing_job_is_a_missing_input() -> None:
    result = submit("jobs/nothing.py")
    assert result.returncode == 66
    assert "there is no job jobs/nothing.py" in result.stderr


@pytest.mark.parametrize("arguments", [("--master",), ("--master", "yarn")])
def test_incomplete_command_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    assert submit(*arguments).returncode == 2


def test_help_of_a_job_needs_no_java(job: str) -> None:
    Path(job).write_text("import sys, tfspark\nprint(sys.argv[1:])\n")
    result = submit("--master", "yarn", job, "--help", JAVA_HOME="/nowhere")
    assert (result.returncode, result.stdout) == (0, "['--help']\n")


def test_exit_code_of_the_job_comes_back(job: str, tmp_path: Path) -> None:
    Path(job).write_text("import sys, tfspark\nprint(tfspark.__file__)\nsys.exit(65)\n")
    result = submit(job, cwd=tmp_path)
    assert result.returncode == 65
    assert "tfspark-" in result.stdout, "the job imports the package that is shipped"
