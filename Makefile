# Two commands do everything: `make demo` and `make test`. Run them here or with `make -C <folder>`.
#
# No activation is needed: each target uses .venv, which tools/bootstrap.sh creates and updates from
# pyproject.toml and constraints.txt.

VENV := .venv/bin
ARGS ?=

# Another environment or Spark installation in the caller's shell must not change ours: PYTHONPATH and
# the like change the imported packages, SPARK_* and PYSPARK_* change Spark and its Python, and
# HADOOP_CONF_DIR and YARN_CONF_DIR turn local paths into paths of a cluster.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV
unexport SPARK_HOME SPARK_CONF_DIR SPARK_REMOTE SPARK_DIST_CLASSPATH MASTER
unexport PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYSPARK_DRIVER_PYTHON_OPTS PYSPARK_SUBMIT_ARGS
unexport HADOOP_CONF_DIR YARN_CONF_DIR

.DEFAULT_GOAL := help

.PHONY: help
help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: venv
venv:  ## Create .venv from the pinned constraints, or bring it up to date
	@tools/bootstrap.sh

.PHONY: demo
demo: venv  ## Train two models, score real data with Spark, show the result in demo-output/
	$(VENV)/python tools/demo.py $(ARGS)

.PHONY: classes
classes: venv  ## Write the archive of Spark's classes, so that the JVMs of tests start faster
	@$(VENV)/python tools/class_archive.py

# A full run uses two processes, each with a Spark session. A narrow run uses one process.
PROCESSES ?= $(if $(ARGS),0,2)

.PHONY: test
test: classes  ## Run the tests; ARGS="tests/core/test_signature.py -k json" narrows them
	$(VENV)/python -m pytest --numprocesses $(PROCESSES) --dist loadgroup \
	    $(if $(ARGS),$(ARGS),-m "not faults" --ignore tests/models --ignore tests/bridge)

.PHONY: test-bridge
test-bridge: classes  ## Run the tests that hold the Scala bridge to Python; they need the jar of make bridge
	$(VENV)/python -m pytest --numprocesses 2 --dist loadgroup tests/bridge $(ARGS)

.PHONY: test-models
test-models: classes  ## Run the tests of the reference models, which train
	$(VENV)/python -m pytest --numprocesses 0 tests/models $(ARGS)

# ROUNDS=50 tries every operation and every mutation, also in the tests that `make test` runs.
.PHONY: test-faults
test-faults: classes  ## Run the fault matrix, and the tests that start programs and clusters; ROUNDS=50
	$(VENV)/python -m tests.faults.explore
	$(VENV)/python -m pytest --numprocesses 2 --dist loadgroup -rs --durations 10 \
	    $(if $(ROUNDS),--timeout 3600,-m faults) tests/faults tests/cluster $(ARGS)

# LINES="3.5 4.0" runs one environment for each of these lines, and does not change the table.
LINES ?=

.PHONY: compat
compat: venv  ## Run the smoke tests in an environment for each Spark line; LINES="3.5 4.0" narrows it
	$(VENV)/python -m tools.compat $(LINES)

.PHONY: models
models: venv  ## Train, evaluate and export every reference model into models-out/
	for name in $$($(VENV)/python -m models --list | awk '{print $$1}'); do \
	    echo "== $$name"; $(VENV)/python -m models $$name --out models-out $(ARGS) || exit 1; done

.PHONY: notebooks
notebooks: classes  ## Run copies of the notebooks in notebooks-out/, and check their outputs
	rm -rf notebooks-out
	cp -r notebooks notebooks-out
	SPARK_SUBMIT_OPTS="$$($(VENV)/python tools/class_archive.py --options)" \
	    $(VENV)/python -m pytest --nbmake --overwrite --nbmake-timeout=90 -p no:randomly notebooks-out $(ARGS)
	$(VENV)/python -m tools.notebook_outputs notebooks-out/*.ipynb

.PHONY: check
check: lint types layers  ## Run lint, types and layers

.PHONY: lint
lint: venv  ## Check format, style and spelling
	$(VENV)/ruff format --check
	$(VENV)/ruff check
	$(VENV)/typos

.PHONY: types
types: venv  ## Check the types
	$(VENV)/mypy

.PHONY: layers
layers: venv  ## Check which module imports which
	$(VENV)/lint-imports --no-logo

# ENGINE=openvino makes a smaller archive. NODE_PYTHON is the Python of the nodes, if it is not that of .venv.
ENGINE ?= tf-cpu
NODE_PYTHON ?=

.PHONY: env-archive
env-archive: venv  ## Pack an environment for executors in dist/environment.tar.gz; ENGINE=openvino, NODE_PYTHON=/usr/bin/python3
	$(VENV)/python -m tools.env_archive --engine $(ENGINE) $(if $(NODE_PYTHON),--python $(NODE_PYTHON))

# REQUIRED=1 also fails when the index answers without advisories, or does not answer.
REQUIRED ?=

.PHONY: audit
audit: venv  ## Audit every pin for known vulnerabilities, and count the audited pins; REQUIRED=1
	REQUIRED=$(REQUIRED) $(VENV)/python tools/audit.py

.PHONY: sbom
sbom: venv  ## Write the bills of materials (CycloneDX) of the pins and of the bridge's jar to dist/
	mkdir -p dist
	$(VENV)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements \
	    --pyproject pyproject.toml --output-reproducible --output-file dist/tfspark.cdx.json constraints.txt
	$(VENV)/python tools/release.py stamp dist/tfspark.cdx.json
	$(VENV)/python tools/bundled.py sbom > dist/tfspark-bridge.cdx.json

.PHONY: licences
licences: venv  ## List the licences of all installed packages, and check the bridge's jars against their list
	$(VENV)/uv tool run --quiet --from pip-licenses==5.5.5 pip-licenses --python $(VENV)/python --order license
	for jar in $(wildcard scala-bridge/target/scala-2.13/*.jar); do \
	    $(VENV)/python tools/bundled.py check $$jar || exit 1; done

# The date of the commit is the date of all files in the wheel, so two builds of it are equal.
.PHONY: dist
dist: venv bridge sbom  ## Build wheel, sdist, the bridge's jars and the bills of materials in dist/, and check them
	rm -f dist/*.whl dist/*.tar.gz dist/*.jar
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(VENV)/uv build --quiet --out-dir dist
	cp scala-bridge/target/scala-2.13/tfspark-bridge_2.13-$$($(VENV)/python tools/release.py version)-*.jar dist/
	$(VENV)/python tools/release.py finish dist

.PHONY: try-dist
try-dist: venv  ## Install the wheel of dist/ in a clean environment, and run the chapter "Start" of the README
	$(VENV)/python -m tools.try_dist

.PHONY: docs
docs: venv  ## Build the documentation as a site in build/docs/site; dead links are errors
	$(VENV)/python -m tools.docs_site $(VENV)/uv tool run --quiet --constraints constraints.txt \
	    --from zensical zensical

.PHONY: format
format: venv  ## Format the code and apply automatic fixes
	$(VENV)/ruff format
	$(VENV)/ruff check --fix

# SMOKE=1 checks the outputs on few rows, and measures no time.
SMOKE ?=

.PHONY: bench
bench: venv $(if $(SMOKE),classes)  ## Measure tfspark, the floor and Spark's own ways; SMOKE=1, ARGS="--case linear --repeat 3"
	$(if $(SMOKE),SPARK_SUBMIT_OPTS="$$($(VENV)/python tools/class_archive.py --options)") \
	    $(VENV)/python -m benchmarks $(if $(SMOKE),--smoke) $(ARGS)

.PHONY: bench-peers
bench-peers: venv  ## Measure tfspark against ONNX Runtime, OpenVINO, Daft, Ray Data and mlflow, each in its own environment
	benchmarks/peers/environments.sh
	$(VENV)/python -m benchmarks --part peers $(if $(SMOKE),--smoke) $(ARGS)

MINUTES ?= 30

.PHONY: soak
soak: venv  ## Run jobs, SQL and a stream with swaps and kills on two workers; memory and exact rows; MINUTES=30
	$(VENV)/python -m benchmarks.cluster_soak --minutes $(MINUTES) $(ARGS)

# The Scala bridge needs a JDK 17 and Maven (or sbt), and neither Python nor .venv.
.PHONY: bridge
bridge:  ## Build the Scala bridge's jar in scala-bridge/target/scala-2.13
	scala-bridge/sbt.sh bridgeJar
	@ls scala-bridge/target/scala-2.13/*.jar

.PHONY: bridge-test
bridge-test:  ## Run the bridge's tests; ARGS="testOnly *SessionCacheSuite" narrows them
	scala-bridge/sbt.sh $(if $(ARGS),"$(ARGS)",test)

.PHONY: bridge-jmh
bridge-jmh:  ## Measure the bridge's codec by JMH; ARGS="Encode -wi 1 -i 2" narrows it
	scala-bridge/sbt.sh "jmh/Jmh/run $(ARGS)"

BRIDGE_LINT := scalafmtCheckAll scalafmtSbtCheck "scalafixAll --check" \
    jmh/scalafmtCheckAll "jmh/scalafixAll --check"

.PHONY: bridge-lint
bridge-lint:  ## Check format and style of the bridge; compiler warnings are errors in every build
	scala-bridge/sbt.sh $(BRIDGE_LINT)

# One sbt for all three: three would each load the build and compile with a cold compiler.
.PHONY: bridge-ci
bridge-ci:  ## Run bridge, bridge-test and bridge-lint in one sbt, which takes less time
	scala-bridge/sbt.sh bridgeJar test $(BRIDGE_LINT)

.PHONY: bridge-format
bridge-format:  ## Format the bridge's code and apply automatic fixes
	scala-bridge/sbt.sh scalafixAll scalafmtAll scalafmtSbt jmh/scalafixAll jmh/scalafmtAll

.PHONY: ci
ci:  ## Run the checks of the continuous integration
	.ci/run

# The resolution starts with the oldest Python; uv adds markers where newer ones need other versions.
# The extra `numpy1` is left out, because only the oldest TensorFlow needs it.
.PHONY: constraints
constraints: venv  ## Pin the newest fitting versions of everything in constraints.txt
	$(VENV)/uv pip compile pyproject.toml --extra dev --extra docs --extra tf --universal --python-version 3.10 --upgrade \
	    --no-emit-package tfspark --custom-compile-command "make constraints" \
	    --quiet --output-file constraints.txt

# protoc 4.25 needs an older protobuf and an older Python than .venv may have, so it runs in its own
# environment.
.PHONY: proto
proto: venv  ## Generate tfspark/*_pb2.py and .pyi from the .proto files
	$(VENV)/uv run --quiet --no-project --isolated --no-build --python ">=3.10,<3.13" \
	    --with "grpcio-tools==1.62.*" --with "setuptools<81" \
	    python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. tfspark/saved_model.proto \
	    tfspark/prediction_log.proto tfspark/session_config.proto tfspark/example.proto

.PHONY: clean
clean:  ## Remove everything that can be created again, including .venv
	rm -rf .venv .venv.lock .venv.log .compat build dist *.egg-info demo-output models-out notebooks-out
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf derby.log metastore_db spark-warehouse
	rm -rf scala-bridge/target scala-bridge/jmh/target scala-bridge/project/target scala-bridge/project/project
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
