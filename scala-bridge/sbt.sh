#!/usr/bin/env bash
# Run sbt in this folder: the installed sbt, or its launcher, which Maven downloads.
# Everything comes from Maven Central.
set -eo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's/^sbt\.version=//p' "$here/project/build.properties")
options=(-Dsbt.override.build.repos=true "-Dsbt.repository.config=$here/project/repositories"
    -Dsbt.server.autostart=false -Dsbt.supershell=false)
cd "$here"

if command -v sbt >/dev/null; then
    exec sbt -batch "${options[@]}" "$@"
fi

java=${JAVA_HOME:+$JAVA_HOME/bin/}java
command -v "$java" >/dev/null || { echo "sbt.sh: no Java found; install a JDK 17 or newer, or set JAVA_HOME." >&2; exit 2; }
launcher=$here/target/launcher/sbt-launch-$version.jar
if [[ ! -e $launcher ]]; then
    command -v mvn >/dev/null || { echo "sbt.sh: neither sbt nor mvn found; install one of them." >&2; exit 2; }
    mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        "-Dartifact=org.scala-sbt:sbt-launch:$version" "-DoutputDirectory=$here/target/launcher" >&2
fi
exec "$java" -Xmx2g -Xss8m ${SBT_OPTS:-} "${options[@]}" -jar "$launcher" "$@"
