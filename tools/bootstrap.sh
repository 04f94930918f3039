#!/bin/sh
# Create .venv from the pinned constraints, or bring it up to date. Called by make before every target.
#
# If nothing has changed, it takes some tens of milliseconds. A failure prints one sentence with the
# solution, and exits with 1. An interrupted run leaves a marker, so that the next run starts from
# scratch and does not use an incomplete environment.
#
#   PYTHON     the Python for .venv; by default the first suitable one on PATH
#   JAVA_HOME  the JDK, as for Spark; by default java from PATH

set -eu
unset CDPATH PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX
cd "$(dirname "$0")/.."

STAMP=.venv/.stamp            # the inputs of .venv; written last
UNFINISHED=.venv/.unfinished  # exists while pip is running
LOG=.venv.log
OLDEST_JAVA=17
NEEDED_MB=5500                # 2900 for .venv, the rest for what pip unpacks on the way

say() { printf 'tfspark: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Print the version of a Python that can build .venv. The Python must run: version managers leave names
# on PATH that do not. Status 2: wrong version; 3: no venv or ensurepip; other codes: it does not run.
python_version() {
    "$1" -I -c '
import sys
print("%d.%d.%d" % sys.version_info[:3])
if not (3, 10) <= sys.version_info[:2] <= (3, 13): sys.exit(2)
try: import ensurepip, venv
except ImportError: sys.exit(3)
' 2>/dev/null
}

# Set `python` to a suitable Python and `version` to its version.
find_python() {
    wanted="Python 3.10 to 3.13 with venv and ensurepip"
    closest=""
    set -- python3 python3.13 python3.12 python3.11 python3.10 python
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; fi
    for python in "$@"; do
        status=0
        version=$(python_version "$python") || status=$?
        case $status in
            0) return ;;
            2) reason="$python is Python $version" ;;
            3) reason="$python ($version) lacks venv or ensurepip (Debian and Ubuntu: install python3-venv)" ;;
            *) reason="" ;;
        esac
        # A Python of the right version that lacks only a package is the better hint.
        if [ "$status" = 3 ] || [ -z "$closest" ]; then closest=$reason; fi
    done
    if [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON cannot be used: expected $wanted, but ${closest:-it does not run}; set PYTHON to another one or unset it."
    fi
    fail "no usable Python: expected $wanted on PATH${closest:+, but $closest}; install one, or set PYTHON to its path."
}

# Print the major version of a java, from the release file of the JDK, without starting a JVM.
java_major() {
    home=$(readlink -f "$1" 2>/dev/null || echo "$1")
    home=${home%/bin/java}
    if [ -r "$home/release" ]; then
        sed -n 's/^JAVA_VERSION="\(.*\)"/\1/p' "$home/release"
    else
        "$1" -version 2>&1 | sed -n 's/.* version "\([^"]*\)".*/\1/p'
    fi | sed -n -e 's/^1\.//' -e 's/^\([0-9]*\).*/\1/p'
}

check_java() {
    way_out="install a JDK $OLDEST_JAVA or newer, or set JAVA_HOME to one."
    if [ -n "${JAVA_HOME:-}" ]; then
        java=$JAVA_HOME/bin/java
        [ -x "$java" ] || fail "JAVA_HOME=$JAVA_HOME has no bin/java; set JAVA_HOME to a JDK $OLDEST_JAVA or newer, or unset it."
    else
        java=$(command -v java) || fail "Spark needs Java and there is none on PATH; $way_out"
    fi
    major=$(java_major "$java") || major=""
    [ -n "$major" ] || fail "Spark needs Java and $java does not run; $way_out"
    [ "$major" -ge "$OLDEST_JAVA" ] || fail "Spark needs Java $OLDEST_JAVA or newer and $java is Java $major; $way_out"
}

check_disk() {
    free_mb=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    [ "$free_mb" -ge "$NEEDED_MB" ] ||
        fail "too little disk for .venv: expected $NEEDED_MB MB free in $PWD, found $free_mb MB; free some, or clone to a larger disk."
}

# The inputs of the environment. The path of the folder is one of them: scripts in .venv/bin contain it.
stamp() {
    cksum pyproject.toml constraints.txt
    echo "$PWD"
    .venv/bin/python -I -S -c 'import sys; print(sys.version)' 2>/dev/null || echo "no python"
}

is_current() {
    [ -f "$STAMP" ] && [ ! -e "$UNFINISHED" ] && [ "$(cat "$STAMP")" = "$(stamp)" ] && has_wanted_python
}

has_wanted_python() {
    [ -z "${PYTHON:-}" ] || [ "$(python_version "$PYTHON")" = "$(python_version .venv/bin/python)" ]
}

# Whether pip can update the existing .venv, which takes seconds instead of minutes.
is_sound() {
    [ ! -e "$UNFINISHED" ] && own=$(python_version .venv/bin/python) && has_wanted_python &&
        [ -d ".venv/lib/python${own%.*}/site-packages" ] &&
        { [ ! -f "$STAMP" ] || grep -Fqx "$PWD" "$STAMP"; }
}

create() {
    find_python
    rm -rf .venv
    check_disk
    say "creating .venv with $python ($version); this downloads about 1 GB and takes some minutes"
    mkdir .venv
    : >"$UNFINISHED"
    "$python" -m venv .venv >"$LOG" 2>&1 ||
        fail "$python could not create .venv (see $LOG); set PYTHON to another Python 3.10 to 3.13."
}

# Temporary files go to the disk whose space was checked: /tmp is often a separate small disk.
pip_install() {
    TMPDIR=$PWD/.venv/tmp .venv/bin/python -I -m pip install --disable-pip-version-check --constraint constraints.txt "$@" >>"$LOG" 2>&1 && return
    if grep -q "No space left on device" "$LOG"; then
        fail "the disk filled up while pip was installing (see $LOG); free some $NEEDED_MB MB and run make again."
    fi
    rm "$UNFINISHED"  # pip stopped before it installed, or undid its changes: the environment is intact
    cause=$(sed -n 's/^ERROR: //p' "$LOG" | tail -n 1)
    fail "pip could not install the pinned packages: ${cause:-no reason given} (see $LOG); check the network and pip's configuration, then run make again."
}

# No build isolation: it would download another setuptools, without the constraints.
install() {
    : >"$UNFINISHED"
    mkdir -p .venv/tmp
    pip_install setuptools
    pip_install --no-build-isolation --editable ".[dev]"
    rm -r .venv/tmp
    stamp >"$STAMP"
    rm "$UNFINISHED"
}

check_java
is_current && exit 0

# Two concurrent makes would build into the same folder. The lock ends with the process in any case.
if command -v flock >/dev/null; then
    exec 9>.venv.lock
    flock -n 9 || { say "another make is building .venv; waiting for it"; flock 9; }
    if is_current; then exit 0; fi
fi

if is_sound; then
    say "bringing .venv up to date"
    : >"$LOG"
else
    create
fi
install
say "Python $(python_version .venv/bin/python) is ready in .venv"
