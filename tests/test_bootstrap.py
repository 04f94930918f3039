"""tools/bootstrap.sh with shell scripts in place of Java, Python and pip."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The programs that the script may call; PATH has no others, so no real Java or Python is found.
TOOLS = (
    *(
        "sh",
        "awk",
        "cat",
        "chmod",
        "cksum",
        "cp",
        "df",
        "dirname",
        "echo",
        "flock",
        "grep",
        "mkdir",
    ),
    *("mv", "printf", "readlink", "rm", "sed", "tail"),
)

# Acts as Python $VERSION. It makes environments whose Python is a copy of itself. Its pip writes
# its arguments to a file and exits with $PIP_STATUS, or kills the script that called it.
PYTHON = """#!/bin/sh
case "$*" in
    *"-m venv"*)
        mkdir -p .venv/bin .venv/lib/python3.11/site-packages
        cp "$0" .venv/bin/python ;;
    *"-m pip"*)
        echo "$*" >>pip.calls
        if [ "$PIP_STATUS" = killed ]; then kill -9 $PPID; fi
        echo "ERROR: $PIP_ERROR"
        exit "${PIP_STATUS:-0}" ;;
    *) echo "${VERSION:-3.11.9}"; exit "${PROBE_STATUS:-0}" ;;
esac
"""
JAVA = """#!/bin/sh
echo 'openjdk version "17.0.9" 2023-10-17' >&2
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository to bootstrap, and a folder `bin` with the tools, a Java and a Python."""
    folder = tmp_path / "repository"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "bootstrap.sh", folder / "tools")
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).write_text(f"# {name}\n")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        if path := shutil.which(tool):
            (tmp_path / "bin" / tool).symlink_to(path)
    script(tmp_path / "bin" / "java", JAVA)
    script(tmp_path / "bin" / "python3", PYTHON)
    script(tmp_path / "bin" / "df", "#!/bin/sh\necho head; echo 'disk 0 0 99999999 0% /'\n")
    return folder


def script(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def bootstrap(repository: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [repository / "tools" / "bootstrap.sh"],
        env={"PATH": str(repository.parent / "bin"), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def refusal(repository: Path, **environment: str) -> str:
    """The single line that a failing run prints."""
    result = bootstrap(repository, **environment)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = [line for line in result.stderr.splitlines() if "creating .venv" not in line]
    return line


def pip_calls(repository: Path) -> list[str]:
    calls = repository / "pip.calls"
    return calls.read_text().splitlines() if calls.exists() else []


def test_builds_once_and_is_silent_when_up_to_date(repository: Path) -> None:
    assert bootstrap(repository).returncode == 0
    first = pip_calls(repository)
    again = bootstrap(repository)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert pip_calls(repository) == first
    assert "--constraint constraints.txt" in first[-1]
    assert "--editable .[dev]" in first[-1]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_pins_update_the_environment_in_place(repository: Path, name: str) -> None:
    bootstrap(repository)
    kept = repository / ".venv" / "kept"
    kept.touch()
    (repository / name).write_text("changed")
    assert "up to date" in bootstrap(repository).stderr
    assert kept.exists()
    assert bootstrap(repository).stderr == ""


def test_interrupted_build_starts_from_scratch(repository: Path) -> None:
    assert bootstrap(repository, PIP_STATUS="killed").returncode == -signal.SIGKILL
    assert "creating .venv" in bootstrap(repository).stderr
    assert bootstrap(repository).stderr == ""


def test_moved_repository_gets_a_new_environment(repository: Path) -> None:
    bootstrap(repository)
    moved = repository.rename(repository.parent / "a folder with blanks")
    assert "creating .venv" in bootstrap(moved).stderr


def test_another_python_gets_a_new_environment(repository: Path) -> None:
    bootstrap(repository)
    other = repository.parent / "other"
    script(other, PYTHON.replace("3.11.9", "3.12.1"))
    assert f"with {other} (3.12.1)" in bootstrap(repository, PYTHON=str(other)).stderr


def test_python_that_lost_its_interpreter_gets_a_new_environment(repository: Path) -> None:
    bootstrap(repository)
    (repository / ".venv" / "bin" / "python").unlink()
    assert "creating .venv" in bootstrap(repository).stderr


def test_skips_a_python_that_is_only_a_name(repository: Path) -> None:
    binaries = repository.parent / "bin"
    (binaries / "python3").rename(binaries / "python3.12")
    script(binaries / "python3", "#!/bin/sh\nexit 127\n")
    assert "with python3.12 " in bootstrap(repository).stderr


@pytest.mark.parametrize(
    ("version", "status", "found"),
    [
        ("3.9.1", "2", "but python3 is Python 3.9.1"),
        ("3.14.0", "2", "but python3 is Python 3.14.0"),
        ("3.11.2", "3", "but python3 (3.11.2) lacks venv or ensurepip"),
    ],
)
def test_unusable_python_says_why(repository: Path, version: str, status: str, found: str) -> None:
    line = refusal(repository, VERSION=version, PROBE_STATUS=status)
    assert "expected Python 3.10 to 3.13 with venv and ensurepip" in line
    assert found in line
    assert "set PYTHON" in line


def test_missing_python_says_what_to_install(repository: Path) -> None:
    (repository.parent / "bin" / "python3").unlink()
    line = refusal(repository)
    assert "expected Python 3.10 to 3.13" in line
    assert "install one" in line


def test_chosen_python_is_not_replaced_by_another(repository: Path) -> None:
    line = refusal(repository, PYTHON="/nowhere/python")
    assert "PYTHON=/nowhere/python cannot be used" in line
    assert "it does not run" in line


def test_missing_java_says_what_to_install(repository: Path) -> None:
    (repository.parent / "bin" / "java").unlink()
    assert "install a JDK 17 or newer" in refusal(repository)


@pytest.mark.parametrize(("version", "major"), [("1.8.0_392", 8), ("11.0.2", 11)])
def test_old_java_says_which(repository: Path, version: str, major: int) -> None:
    script(repository.parent / "bin" / "java", JAVA.replace("17.0.9", version))
    line = refusal(repository)
    assert f"is Java {major};" in line
    assert "install a JDK 17 or newer" in line


def test_java_that_does_not_run_is_no_java(repository: Path) -> None:
    script(repository.parent / "bin" / "java", "#!/bin/sh\nexit 1\n")
    assert "java does not run" in refusal(repository)


def test_java_home_comes_before_path(repository: Path) -> None:
    home = repository.parent / "jdk"
    script(home / "bin" / "java", "#!/bin/sh\nexit 1\n")
    (home / "release").write_text('IMPLEMENTOR="X"\nJAVA_VERSION="11.0.2"\n')
    assert "is Java 11;" in refusal(repository, JAVA_HOME=str(home))


def test_java_home_without_java_says_so(repository: Path) -> None:
    line = refusal(repository, JAVA_HOME="/nowhere")
    assert "JAVA_HOME=/nowhere has no bin/java" in line
    assert "unset it" in line


def test_small_disk_says_how_much_is_needed(repository: Path) -> None:
    df = "#!/bin/sh\necho head; echo 'disk 0 0 102400 0% /'\n"
    script(repository.parent / "bin" / "df", df)
    line = refusal(repository)
    assert "found 100 MB" in line
    assert not (repository / ".venv").exists()


def test_failing_pip_is_quoted_and_tried_again(repository: Path) -> None:
    line = refusal(repository, PIP_STATUS="1", PIP_ERROR="No matching distribution")
    assert "No matching distribution" in line
    assert "run make again" in line
    assert "bringing .venv up to date" in bootstrap(repository).stderr


def test_full_disk_during_the_install_starts_from_scratch(repository: Path) -> None:
    line = refusal(repository, PIP_STATUS="1", PIP_ERROR="[Errno 28] No space left on device")
    assert "the disk filled up" in line
    assert "creating .venv" in bootstrap(repository).stderr


def test_real_python_is_recognised(repository: Path) -> None:
    """Runs the real probe; the fake Python does not read it."""
    script(repository.parent / "bin" / "df", "#!/bin/sh\necho head; echo 'disk 0 0 0 0% /'\n")
    assert "too little disk" in refusal(repository, PYTHON=sys.executable)
