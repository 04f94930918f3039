#!/usr/bin/env bash
# Run a job on Spark together with the package, from any folder and without an activated environment.
# See usage() below; docs/batch-job.md has examples. Works with the bash 3.2 of macOS. So `set -u` is not used:
# in that version an empty array counts as unset.
set -eo pipefail

usage() {
    cat <<'TEXT'
Run a job on Spark: calls spark-submit and sends tfspark to the cluster.

  ./spark-submit.sh [--print] [spark options] JOB.py [job options]
  ./spark-submit.sh [--print] [spark options] JOB.jar [job options]

  ./spark-submit.sh jobs/batch_score.py --help
  ./spark-submit.sh jobs/batch_score.py --model DIR --input PATH --output PATH
  ./spark-submit.sh --master yarn --num-executors 8 jobs/batch_score.py ...

  --print          print the command and do not run it (first argument only)
  spark options    any option of spark-submit; --py-files is joined with the package
  JOB.py, JOB.jar  a path relative to the working directory or to the folder of this script, or the URL
                   of a file. The jar of the Scala bridge (make bridge) scores like jobs/batch_score.py,
                   without Python

Spark comes from SPARK_HOME, otherwise from .venv in the folder of this script, otherwise from the active
virtual environment, otherwise from PATH. If all work runs on this machine (--master local...,
local-cluster, or a master on localhost), the Python is that of the virtual environment, unless
PYSPARK_PYTHON or PYSPARK_DRIVER_PYTHON is set. docs/clusters.md says which Python a cluster uses.

The exit code is the job's; its --help lists them. With --deploy-mode cluster, it is 0 or 1.
TEXT
}

fail() {
    echo "spark-submit.sh: $2" >&2
    exit "$1"
}

# --- arguments -----------------------------------------------------------------------------------

options=()  # the user's options for spark-submit, as they came, less --py-files
confs=()    # KEY=VALUE of each --conf
master="" deploy_mode="" remote="" py_files="" properties="" load_defaults="" jobless=""

# An option of spark-submit that has a value. The last one wins, as in Spark.
take() {
    case $1 in
        --conf | -c) confs+=("$2") ;;
        --deploy-mode) deploy_mode=$2 ;;
        --kill | --status) jobless=yes ;;
        --master) master=$2 ;;
        --properties-file) properties=$2 ;;
        --py-files) py_files=$2; return ;;
        --remote) remote=$2 ;;
    esac
    options+=("$1" "$2")
}

print=""
if [[ $1 == --print ]]; then print=yes; shift; fi
if (($# == 0)); then usage; exit 0; fi

# All options of spark-submit except a few flags take a value; the first other word is the job.
while (($#)); do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --version | --usage-error) jobless=yes; options+=("$1"); shift ;;
        --load-spark-defaults) load_defaults=yes; options+=("$1"); shift ;;
        --supervise | --verbose | -v) options+=("$1"); shift ;;
        --*=*) take "${1%%=*}" "${1#*=}"; shift ;;
        -*) (($# > 1)) || fail 2 "$1 needs a value."; take "$1" "$2"; shift 2 ;;
        *) break ;;
    esac
done
job=$1
shift || [[ $jobless ]] || fail 2 "no job given; for example jobs/batch_score.py (--help explains)."

# --- Spark and Python ----------------------------------------------------------------------------

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
environment=""
for candidate in "$here/.venv" "$VIRTUAL_ENV"; do
    if [[ $candidate && -x $candidate/bin/python ]]; then environment=$candidate; break; fi
done
own_python=${environment:+$environment/bin/python}
own_python=${own_python:-python3}

# Set `submit`, and `spark_home` if it is known. PySpark's folder is a complete SPARK_HOME; with it,
# spark-submit does not ask a `python3` that may not have PySpark.
find_spark() {
    spark_home=$SPARK_HOME
    if [[ $spark_home && ! -x $spark_home/bin/spark-submit ]]; then
        fail 2 "SPARK_HOME=$SPARK_HOME has no bin/spark-submit; set it to a Spark installation or unset it."
    fi
    for candidate in "$here"/.venv/lib/python3*/site-packages/pyspark "$VIRTUAL_ENV"/lib/python3*/site-packages/pyspark; do
        if [[ ! $spark_home && -x $candidate/bin/spark-submit ]]; then spark_home=$candidate; fi
    done
    if [[ $spark_home ]]; then
        submit=$spark_home/bin/spark-submit
    else
        submit=$(command -v spark-submit) ||
            fail 2 "no Spark found; run \`make venv\` in $here, or set SPARK_HOME."
    fi
}

# Print the user's value of a Spark setting: from --conf, otherwise from the properties files of Spark.
setting() {
    local entry value="" defaults=${SPARK_CONF_DIR:-$spark_home/conf}/spark-defaults.conf
    local files=("${properties:-$defaults}")
    if [[ $load_defaults ]]; then files=("$defaults" "${files[@]}"); fi
    for entry in "${confs[@]}"; do
        if [[ $entry == "$1="* ]]; then value=${entry#*=}; fi
    done
    # A property is a key and a value, separated by blanks, = or :.
    [[ $value ]] || value=$(sed -n "s/^[[:blank:]]*${1//./\\.}[[:blank:]]*[=:[:blank:]][[:blank:]]*//p" \
        "${files[@]}" 2>/dev/null | tail -n 1)
    echo "$value"
}

# Whether the driver and all workers run on this machine.
is_all_here() {
    [[ ! $remote && $deploy_mode != cluster ]] || return 1
    case $master in
        local | local\[* | local-cluster\[*) ;;
        spark://localhost:* | spark://127.* | spark://\[::1\]:*) ;;
        *) return 1 ;;
    esac
}

# --- the command ---------------------------------------------------------------------------------

# Print the command, or replace this process by it.
run() {
    if [[ $print ]]; then
        printf '%q ' "$@"
        echo
        exit 0
    fi
    exec "$@"
}

if [[ ($job == *.py || $job == *.jar) && ! -e $job && $job != *:/* ]]; then
    [[ -e $here/$job ]] || fail 66 "there is no job $job, neither here nor in $here."
    job=$here/$job
fi

# --help of a job works without a JVM, which would take seconds to start.
for argument in "$@"; do
    if [[ $job == *.py && -e $job && ($argument == --help || $argument == -h) ]]; then
        run env "PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH}" "$own_python" "$job" "$@"
    fi
done

find_spark
for argument in "$@"; do
    if [[ $job == *.jar && -e $job && $spark_home && ! $options && ($argument == --help || $argument == -h) ]]; then
        run "${JAVA_HOME:+$JAVA_HOME/bin/}java" -cp "$job:$spark_home/jars/*" io.tfspark.jobs.BatchScore --help
    fi
done
command=(env)
if [[ $spark_home ]]; then command+=("SPARK_HOME=$spark_home"); fi
if [[ ! $job ]]; then
    run "${command[@]}" "$submit" "${options[@]}"
fi

# A jar needs nothing else.
if [[ $job == *.jar ]]; then
    run "${command[@]}" "$submit" "${options[@]}" "$job" "$@"
fi

remote=${remote:-${SPARK_REMOTE:-$(setting spark.remote)}}
master=${master:-$(setting spark.master)}
master=${master:-${MASTER:-local[*]}}
python=${PYSPARK_PYTHON:-$own_python}
settings=()
if is_all_here; then
    # Without these, the driver and the workers use the first `python3` on PATH.
    command+=("PYSPARK_PYTHON=$python" "PYSPARK_DRIVER_PYTHON=${PYSPARK_DRIVER_PYTHON:-$python}")
    # Spark 4.1 and newer: the workers' data do not use TCP. Not on a cluster: there the socket is in the
    # executor's folder, and its path can be longer than the limit of 107 bytes. Not if other users could
    # write to the socket, because they could run code in a worker.
    if [[ ! $(setting spark.python.unix.domain.socket.enabled) ]] && (((8#$(umask) & 8#022) == 8#022)); then
        settings+=(--conf spark.python.unix.domain.socket.enabled=true)
    fi
elif [[ $remote ]]; then
    command+=("PYSPARK_DRIVER_PYTHON=${PYSPARK_DRIVER_PYTHON:-$python}")  # the only Python on this side
fi

package=$("$own_python" -I "$here/tools/zip_package.py" "$here" "${XDG_CACHE_HOME:-$HOME/.cache}/tfspark") ||
    fail 2 "the package could not be zipped with $own_python; run \`make venv\` in $here."
py_files=${py_files:-$(setting spark.submit.pyFiles)}

run "${command[@]}" "$submit" "${settings[@]}" "${options[@]}" \
    --py-files "$package${py_files:+,$py_files}" "$job" "$@"
