# Every target that a person may want has a `##` line; `make` alone lists them.

SHELL := /bin/sh
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
MEMBERS := $(wildcard shared/pyproject.toml $(foreach folder,services deploy clients examples,$(folder)/*/pyproject.toml))
TYPED := shared/src $(wildcard services/*/src deploy/*/src clients/*/src examples/*/src) conftest.py
TESTS := $(shell find shared/tests services/*/tests deploy/*/tests clients/*/tests examples/*/tests tests -name '*.py' 2>/dev/null)
ARGS :=
UPGRADE :=
PAGES := operations
ROLE := operator
SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
SEQUENCES := 200
SECONDS := 60
SHOP := e-sim-onl

.DEFAULT_GOAL := help
.PHONY: account shop-environment keys help prerequisites setup lock upgrade sbom audit demo exercise test test-all test-fast soak lint format up down status clean compose bench interop schemas access interfaces charts release test-past hostile clean-room campaign mail-review

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prerequisites: ## install what is missing (Java, Maven, Python; for the tests Chromium and curl), or say how (NO_INSTALL=1)
	@deploy/local/prerequisites $(if $(filter test test-all test-fast setup,$(MAKECMDGOALS)),tests)

setup: $(INSTALLED) ## install everything into .venv (uv too, where it is missing)

$(INSTALLED): requirements.lock pyproject.toml $(MEMBERS) deploy/local/setup | prerequisites
	@deploy/local/setup
	@touch $@

lock: $(INSTALLED) ## lock what a pyproject.toml newly asks for, and write the bills; versions stay (UPGRADE="ruff mypy": but these)
	@$(PYTHON) -m supply lock $(UPGRADE:%=--upgrade %)
	@$(MAKE) --no-print-directory sbom

upgrade: $(INSTALLED) ## lock the newest versions of everything, and write the bills of materials
	@$(PYTHON) -m supply lock --upgrade-all
	@$(MAKE) --no-print-directory sbom

sbom: $(INSTALLED) ## write each image's bill of materials (CycloneDX), which is in the image as /sbom.json
	@$(PYTHON) -m supply sbom

audit: $(INSTALLED) ## locks, hashes, licences, bills of materials, known vulnerabilities (ARGS=--offline: not the last)
	@$(PYTHON) -m supply audit $(ARGS)

demo: $(INSTALLED) ## the guided tour: acts on a stack of its own
	@$(PYTHON) -m local_stack fetch
	@$(PYTHON) -m tour $(ARGS)

test: $(INSTALLED) ## the tests, with a slice of the exhaustive ones that the commit chooses (ARGS="-k pattern" narrows)
	@$(PYTHON) -m local_stack fetch --zipkin
	@$(PYTHON) -m charts --fetch
	@tests/run $(ARGS)

test-all: $(INSTALLED) ## all tests: the whole matrices, the last releases' own tests, random sequences of payments
	@$(PYTHON) -m local_stack fetch --zipkin
	@$(PYTHON) -m charts --fetch
	@TEST_SLICE=all tests/run $(ARGS)
	@$(MAKE) --no-print-directory test-past
	@$(MAKE) --no-print-directory soak SEQUENCES=20

test-fast: $(INSTALLED) ## the tests of pure logic of shared and the services: no broker, no database, no browser; half a minute
	@$(PYTHON) -m pytest -n 2 -q -m "not infra" $(ARGS) shared services clients

soak: $(INSTALLED) ## many random sequences of payments and faults (SEQUENCES=200, SEED=... repeats a run)
	@$(PYTHON) -m local_stack fetch
	@echo "SEED=$(SEED) SEQUENCES=$(SEQUENCES)"
	@SOAK_EXAMPLES=$(SEQUENCES) $(PYTHON) -m pytest services/payments/tests/properties -s \
		--timeout 0 --hypothesis-seed=$(SEED) $(ARGS)

hostile: $(INSTALLED) ## hostile input at every door of a stack of its own (SECONDS=60, SEED=... repeats a run)
	@$(PYTHON) -m hostile --seconds $(SECONDS) $(if $(filter command,$(word 1,$(origin SEED))),--seed $(SEED))

campaign: $(INSTALLED) ## orders under seeded faults, judged by the ledgers outside (SECONDS=600, SEED=... repeats a schedule, BROKERS=3, STANDBY=1)
	@$(PYTHON) -m local_stack fetch
	@$(PYTHON) -m campaign $(if $(filter command,$(word 1,$(origin SECONDS))),--seconds $(SECONDS)) $(if $(filter command,$(word 1,$(origin SEED))),--seed $(SEED)) $(if $(BROKERS),--brokers $(BROKERS)) $(if $(STANDBY),--standby) $(ARGS)

lint: $(INSTALLED) ## style, types and imports, as in continuous integration
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy $(TYPED)
	@MYPYPATH=tests .venv/bin/mypy --explicit-package-bases $(TESTS)
	@.venv/bin/lint-imports

format: $(INSTALLED) ## format the code and apply the safe corrections
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

up: $(INSTALLED) ## start the stack in the background and print the pages to open
	@$(PYTHON) -m local_stack fetch
	@$(PYTHON) -m local_stack up

shop-environment: $(INSTALLED) ## lines for your shell with the key and the addresses of a shop (SHOP=e-sim-onl; docs/how-to/connect-a-shop.md)
	@$(PYTHON) -m local_stack shop-environment $(SHOP)

account: $(INSTALLED) ## make yourself an account for the operations page: make account NAME=olga (PAGES=refunds ROLE=agent)
	@$(if $(NAME),,echo "Whose? make account NAME=olga" >&2; exit 2;) \
		$(PYTHON) -m local_stack accounts $(PAGES) add $(NAME) --role $(ROLE) $(ARGS)

keys: $(INSTALLED) ## API keys of shops on the stack of `make up`: make keys ARGS="create esimka --name mine" (list, revoke)
	@$(PYTHON) -m local_stack keys $(ARGS)

exercise: $(INSTALLED) ## on the stack of `make up`: two dead letters, for you to put right with .venv/bin/fulfil
	@$(PYTHON) -m tour.exercise

down: $(INSTALLED) ## stop it; its data stays
	@$(PYTHON) -m local_stack down

status: $(INSTALLED) ## what runs, where, and how often it was restarted
	@$(PYTHON) -m local_stack status || true

clean: $(INSTALLED) ## stop it and delete its data (not the caches outside the work tree)
	@$(PYTHON) -m local_stack clean

clean-room: ## type `make demo` and `make test` into a new Debian each (root, debootstrap; ARGS: deploy/clean_room/README.md)
	@deploy/clean_room/run $(ARGS)

compose: $(INSTALLED) ## everything in containers (a Docker engine is needed), with Jaeger, Prometheus and Grafana
	@$(PYTHON) -m local_stack.compose
	docker compose up --build --detach --wait $(ARGS)

bench: $(INSTALLED) ## measure throughput and latency
	@$(PYTHON) -m bench $(ARGS)

interop: $(INSTALLED) ## ES2+ with an independent implementation, pySim (fetched into the cache; PYSIM=path: from a clone)
	@$(PYTHON) -m local_stack fetch
	@deploy/interop/run $(ARGS)

schemas: $(INSTALLED) ## write the events' JSON Schemas, and the table of emails (docs/mails.md)
	@$(PYTHON) -m shared.contracts.schemas write
	@$(PYTHON) -m notifications.mail_table > docs/mails.md.new && mv docs/mails.md.new docs/mails.md

mail-review: $(INSTALLED) ## pages of every mail and decision in every language, for a shop's own reader (.run/mail-review)
	@$(PYTHON) -m notifications.mail_review shops .run/mail-review services/refunds/src/refunds/policy/texts services/refunds/src/refunds/channels/texts services/ordering/src/ordering/timeline/texts services/payments/src/payments/attempts/texts

charts: $(INSTALLED) ## check the Helm charts strictly and leave archives in .run/charts (Helm is built by Go, or the one here)
	@$(PYTHON) -m charts .run/charts

interfaces: $(INSTALLED) ## write the OpenAPI and AsyncAPI documents of every service from its code
	@$(PYTHON) -m release interfaces
	@$(PYTHON) -m ordering.updates.schemas services/ordering/interfaces/updates

test-past: $(INSTALLED) ## the last releases' own tests on the databases of now, all of them (SERVICE=ordering narrows)
	@$(PYTHON) -m release past-tests $(SERVICE)

release: $(INSTALLED) ## check, version and tag one service alone (SERVICE=ordering VERSION=1.1.0 ARGS=--dry-run)
	@$(PYTHON) -m release ship $(SERVICE) $(VERSION) $(ARGS)

access: $(INSTALLED) ## write the table of who may do what at the brokers
	@$(PYTHON) -m access
