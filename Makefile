# The two commands are `make run` and `make test`; `make help` lists the rest.
# One release build serves both: our own modules show their internals to the tests.

# Package.swift reads this: one release build serves both commands.
export TILLBOX_TESTABLE := 1
SWIFT_FLAGS := -c release
# Colours on a terminal are a compiler flag: with them, a build on a terminal and one into a file
# would each begin from nothing.
SWIFT_BUILD := swift build --no-color-diagnostics $(SWIFT_FLAGS)
TILLBOX     := .build/release/tillbox
SEED        ?= 1
COUNT       ?= 10000
FUZZ_SECONDS ?= 6
# All at once, hundreds of tests would wait for each other's turn on two cores until their patience
# ends; the test library reads this.
TESTS_AT_ONCE ?= 4
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH := $(TESTS_AT_ONCE)

# Suites of the middle that start servers: they are about answers within seconds, so they do not run
# beside those that keep both cores busy for minutes.
WITH_SERVERS = ApplianceTests\.($(shell grep -rlE '(Kafka|Redis|Postgres|BigQuery)Server|CloudFixture|PostgresDatabase|LedgerStore' \
  --include='*Tests.swift' Tests/Appliance | xargs sed -n 's/^struct \([A-Za-z]*Tests\) .*/\1/p' | paste -sd'|'))/

# Those of the whole that start brokers wait for them most of the time: they run beside the others. So
# do backups and the doctor, who would make the others' queue longer.
WITH_BROKERS = EndToEndTests\.(Bridge|Cloud|GoogleCloud|Backup|Doctor)

# Those of the cold path start Spark, Airflow, dbt and a stand-in for BigQuery, and take minutes each:
# beside the others, too.
WITH_COLD_PATH = EndToEndTests\.(CloudSpark|Airflow|WarehouseModels)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

.PHONY: setup
setup: ## install the packages that .ci/packages.txt lists
	@.ci/setup

.PHONY: packages
packages:
	@.ci/setup packages

.PHONY: build
build: packages ## build the daemon
	@[ -x $(TILLBOX) ] && echo "==> building tillbox (what has not changed is not built again)" \
	  || echo "==> building tillbox for the first time: 10 to 15 minutes on two cores; [n/m] counts the steps"
	@$(SWIFT_BUILD) --product tillbox

.PHONY: run
run: build ## start the demo: signed traffic through the whole pipeline, live in the terminal
	@$(TILLBOX) demo

.PHONY: test
test: packages ## run every test, a short fuzz run and a crash simulation
	@echo "==> installing the tests' Python packages and building the fuzz targets beside the rest"
	@[ -x $(TILLBOX) ] && echo "==> building tillbox and its tests" \
	  || echo "==> building tillbox and its tests for the first time: 12 to 20 minutes on two cores"
	@.ci/beside '.ci/setup environments' 'Tests/Fuzz/run.sh 0' -- \
	  $(SWIFT_BUILD) --build-tests
	@echo "==> checking the reference of the log's library"
	@.ci/log-docs --check .build/release/Modules
	@echo "==> running the tests, one group after the other, and $(TESTS_AT_ONCE) tests at once"
	@swift test $(SWIFT_FLAGS) --skip-build --filter 'AppendLogTests|SimulationTests'
	@.ci/tests --filter 'TwinTests|ApplianceTests' --skip '$(WITH_SERVERS)'
	@.ci/tests --filter 'BridgesTests|$(WITH_SERVERS)'
	@.ci/tests --no-parallel --filter 'EndToEndTests' --skip '$(WITH_BROKERS)|$(WITH_COLD_PATH)' \
	  + --no-parallel --filter '$(WITH_BROKERS)' --skip '$(WITH_COLD_PATH)' \
	  + --no-parallel --filter '$(WITH_COLD_PATH)'
	@echo "==> fuzzing each target for $(FUZZ_SECONDS) s"
	@Tests/Fuzz/run.sh $(FUZZ_SECONDS)

.PHONY: simulate
simulate: setup ## crash histories of the log: make simulate SEED=7 COUNT=100000
	@$(SWIFT_BUILD) --build-tests
	@TILLBOX_SIMULATE_SEED=$(SEED) TILLBOX_SIMULATE_COUNT=$(COUNT) \
	  swift test $(SWIFT_FLAGS) --skip-build --filter SimulationTests

.PHONY: cloud
cloud: build setup ## the cloud profile on this machine, servers and roles and traffic: make cloud SECONDS_MAX=60 FEATURES=spark
	@.venv/bin/python3 .ci/cloud $(if $(SECONDS_MAX),--seconds $(SECONDS_MAX)) $(if $(FEATURES),--features $(FEATURES))

.PHONY: spark-test
spark-test: build setup ## the tests of the Spark job alone
	@TILLBOX=$(abspath $(TILLBOX)) .venv-spark/bin/python3 -m pytest -q -p no:cacheprovider deploy/spark/tests

.PHONY: spark-delay
spark-delay: build setup ## measure the Spark job's delay from record to vector: make spark-delay RATE=50 COUNT=3000
	@TILLBOX=$(abspath $(TILLBOX)) .venv-spark/bin/python3 deploy/spark/tests/delay.py $(if $(RATE),--rate $(RATE)) $(if $(COUNT),--count $(COUNT))

.PHONY: cloud-kills
cloud-kills: setup ## kill the cloud roles at random moments: make cloud-kills KILLS=50 SEED=7
	@$(SWIFT_BUILD) --build-tests
	@TILLBOX_CLOUD_KILLS=$(or $(KILLS),50) $(if $(filter command line,$(origin SEED)),TILLBOX_CLOUD_SEED=$(SEED)) \
	  swift test $(SWIFT_FLAGS) --skip-build --filter 'CloudKillTests|CloudStepTests|CloudServerTests'

.PHONY: mutants
mutants: setup ## plant known defects and see a test fail for each: make mutants NAMES="ack-before-sync"
	@Tests/Mutants/run.sh $(NAMES)

.PHONY: bench
bench: build ## measure every part against its limit
	@$(TILLBOX) bench all --into .build/benchmarks

.PHONY: bench-against
bench-against: build ## measure beside another revision: make bench-against REV=7087377 PART=whole
	@[ -n "$(REV)" ] || { echo "which revision? make bench-against REV=7087377" >&2; exit 2; }
	@.ci/bench-against "$(REV)" $(or $(PART),all)

.PHONY: bench-cloud
bench-cloud: build setup ## what each role of the profile cloud does and costs: make bench-cloud PARTITIONS=1,2,4
	@.venv/bin/python3 .ci/cloud-bench $(if $(PARTITIONS),--partitions $(PARTITIONS)) $(if $(COUNT),--count $(COUNT)) $(if $(EVENTS),--events $(EVENTS))

.PHONY: warehouse
warehouse: build setup ## export the demo's world, build the dbt models on DuckDB, print the marts: make warehouse COUNT=3000
	@.venv-dbt/bin/python3 .ci/warehouse $(if $(filter command line,$(origin COUNT)),--count $(COUNT)) $(if $(filter command line,$(origin SEED)),--seed $(SEED))

.PHONY: catch-up
catch-up: build ## pile records up while the bridges' targets are gone, then copy them: make catch-up COUNT=1000000
	@.venv/bin/python3 Tests/Campaigns/catch_up.py $(TILLBOX) $(COUNT)

.PHONY: airflow
airflow: build setup ## the nightly DAG against a live daemon, a twin and a BigQuery emulator
	@.venv-airflow/bin/python3 -m unittest discover -s deploy/airflow/tests
	@.venv-airflow/bin/python3 deploy/airflow/tests/live.py $(TILLBOX) .venv-bqemu/bin/bqemulator

.PHONY: gcp
gcp: build setup ## check the Terraform of deploy/gcp, and rehearse moving a box into it
	@TILLBOX=$(abspath $(TILLBOX)) .venv-deploy/bin/python3 -m unittest discover -s deploy/gcp/tests
	@TILLBOX=$(abspath $(TILLBOX)) .venv/bin/python3 deploy/gcp/tests/rehearsal.py

.PHONY: console-load
console-load: build setup ## what live pages cost a busy box, and what the person at one sees: make console-load ROUNDS=5
	@.venv-browser/bin/python3 Tests/Campaigns/console_load.py $(TILLBOX) $(ROUNDS)

# The package's program carries Swift's runtime, so that the box needs no toolchain, and shows its
# internals to no test: another build, in a folder of its own, whose paths are in no message.
STATIC_BUILD := .build-static
DEB_INTO := .build/deb
STATIC_FLAGS = --scratch-path $(STATIC_BUILD) --static-swift-stdlib --disable-local-rpath --product tillbox \
  -Xswiftc -file-prefix-map -Xswiftc $(CURDIR)=. -Xcc -ffile-prefix-map=$(CURDIR)=.

.PHONY: static
static: packages
	@echo "==> building tillbox with Swift's runtime inside: 10 to 20 minutes on two cores the first time"
	@env -u TILLBOX_TESTABLE $(SWIFT_BUILD) $(STATIC_FLAGS)

.PHONY: package-tools
package-tools:
	@.ci/setup package

.PHONY: deb
deb: package-tools static ## build the Debian package, and its bill of materials, into .build/deb
	@deploy/debian/build.py --binary $(STATIC_BUILD)/release/tillbox --into $(DEB_INTO)

.PHONY: deb-test
deb-test: deb setup ## build the package twice, then install, upgrade and remove it on a fresh Debian 12 (as root)
	@deploy/debian/tests/run $(STATIC_BUILD)/release/tillbox $(DEB_INTO)

.PHONY: systemd-test
systemd-test: deb ## run the package under a real systemd, in an emulated machine (as root; QEMU, half an hour)
	@.ci/setup systemd
	@deploy/debian/tests/systemd/run $(STATIC_BUILD)/release/tillbox $(DEB_INTO)

CONTAINER_INTO := .build/container

.PHONY: container
container: deb ## build the image localhost/tillbox from the package, by podman, and its bill of materials
	@deploy/container/build $(DEB_INTO)/tillbox_*.deb $(CONTAINER_INTO)

.PHONY: container-test
container-test: deb setup ## build the image on a debootstrapped base, run it, lint the compose files (as root)
	@deploy/container/tests/run $(DEB_INTO) $(CONTAINER_INTO)

# The example is no part of `make test`, since it builds a package of its own. Of the reference that
# checks the links alone.
.PHONY: example
example: packages ## build and run a program of its own that uses the log as a library (docs/examples/tally)
	@.ci/example

.PHONY: docs
docs: packages ## the reference of the library AppendLog, into .build/docs, its links checked
	@$(SWIFT_BUILD) --target AppendLog
	@.ci/log-docs .build/release/Modules .build/docs

.PHONY: model
model: setup ## train model/fraud.ubj again, byte for byte
	@.venv/bin/python3 model/train.py

.PHONY: clean
clean: ## remove everything that was built
	@rm -rf .build .build-fuzz .build-mutants .build-static .venv .venv-*
