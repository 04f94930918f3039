"""The jobs as a user starts them: with spark-submit.sh, from any folder, as separate programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.shell import fresh_environment

ROOT = Path(__file__).parents[2]


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in an environment without Spark and this package."""
    return subprocess.run(
        [str(word) for word in command],
        env=fresh_environment(**environment),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the trained digits model and its table."""
    from models.digits import write_parquet

    folder = tmp_path_factory.mktemp("digits")
    trained = run(sys.executable, "-m", "models", "digits", "--out", folder, cwd=ROOT)
    assert trained.returncode == 0, trained.stderr
    write_parquet(folder / "digits.parquet")
    return folder


def run_and_list_modules(job: str, *flags: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a job as the main program, and check the modules of its process."""
    (cwd / "job.py").write_text(
        "import runpy, sys\n"
        f"sys.argv[0] = {str(ROOT / 'jobs' / job)!r}\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n"
        "    open('modules', 'w').write('\\n'.join(sys.modules))\n"
    )
    submitted = (ROOT / "spark-submit.sh", "--master", "local[2]", cwd / "job.py")
    done = run(*submitted, *flags, "--output", "out", cwd=cwd)
    assert done.returncode == 0, done.stderr
    modules = (cwd / "modules").read_text().splitlines()
    assert "pyspark" in modules
    assert not {"tensorflow", "keras"} & set(modules)
    return done


def test_digits_are_scored_from_another_folder_without_tensorflow_on_the_driver(
    digits: Path, tmp_path: Path
) -> None:
    import tensorflow as tf

    flags = ("--model", digits / "digits", "--input", digits / "digits.parquet")
    done = run_and_list_modules("batch_score.py", *flags, cwd=tmp_path)
    report: dict[str, Any] = json.loads(Path(done.stdout.splitlines()[-1]).read_text())
    assert (report["rows_in"], report["rows_out"], report["null_rows"]) == (1797, 1797, 0)

    scored = pq.read_table(tmp_path / "out").sort_by("id")
    model = tf.saved_model.load(report["model"]["path"])
    expected = model.signatures["serving_default"](tf.constant(scored["pixels"].to_pylist()))
    np.testing.assert_array_equal(scored["digit"], expected["digit"])
    np.testing.assert_allclose(
        np.array(scored["probabilities"].to_pylist()), expected["probabilities"], rtol=1e-5
    )
    right = np.mean(scored["digit"].to_numpy() == scored["label"].to_numpy())
    assert right >= 0.95


def test_driver_of_a_query_never_imports_tensorflow(digits: Path, tmp_path: Path) -> None:
    query = f"SELECT tfpredict(pixels) y FROM parquet.`{digits}/digits.parquet`"
    flags = ("--register", f"tfpredict={digits / 'digits'}", "--query", query)
    run_and_list_modules("sql_score.py", *flags, cwd=tmp_path)
    assert pq.read_table(tmp_path / "out").num_rows == 1797


def test_failure_is_one_message_and_an_exit_code(digits: Path, tmp_path: Path) -> None:
    done = run(
        *(ROOT / "spark-submit.sh", "--master", "local[2]", "jobs/batch_score.py"),
        *("--model", digits / "digits", "--input", "nothing", "--output", "out"),
        cwd=tmp_path,
    )
    assert done.returncode == 66
    assert "error: There is no input: parquet at nothing." in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("job", ["batch_score.py", "sql_score.py"])
def test_help_imports_neither_spark_nor_tensorflow(job: str, tmp_path: Path) -> None:
    script = ROOT / "jobs" / job
    path = {"PYTHONPATH": str(ROOT)}
    done = run(sys.executable, "-X", "importtime", script, "--help", cwd=tmp_path, **path)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["usage:", job])
    imported = {line.rsplit("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "tfspark" in imported
    assert not imported & {"pyspark", "py4j", "tensorflow", "numpy", "pyarrow"}
    by_script = run(ROOT / "spark-submit.sh", f"jobs/{job}", "--help", cwd=tmp_path)
    assert by_script.stdout == done.stdout
