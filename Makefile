# Snapferry. `make` alone lists what there is to do.

PYTHON ?= python3
# x86_64 or arm64: what `make build` builds for.
ARCH ?= x86_64
# What tests and linters compile in; `make demo` and plain cargo use dev, which is built soonest.
PROFILE := ci

# The worlds that `make test` and `make simulate` run.
SEEDS ?= 600
FIRST ?= 1

VENV := .venv
BIN := $(VENV)/bin
# What is installed there names its place: a checkout that was moved gets it anew.
INSTALLED := $(VENV)/.installed$(subst /,-,$(CURDIR))
LOCAL_CLOUD := $(BIN)/python -m local_cloud
REQUIREMENTS := tests/aws/local-cloud/requirements.txt
TEMPLATE := infra/template.yaml
TEMPLATES := $(TEMPLATE) infra/destination.yaml
LINTERS := .venv-lint
SUITES := .venv-security
MACHINES := $(addprefix target/rendered/,copy-fleet.asl.json copy-snapshot.asl.json \
	$(addprefix destination/,drill-fleet.asl.json drill-copy.asl.json keep-evidence.asl.json))

.DEFAULT_GOAL := help
.PHONY: help demo screenshot test test-rust worlds simulate scale test-python bench lint security format build release reproducible accept accept-sweep accept-replay render scenario local-up local-down local-env local-status clean prerequisites ready programs

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

prerequisites:
	@$(PYTHON) tests/aws/local-cloud/local_cloud/prerequisites.py

$(INSTALLED): $(REQUIREMENTS)
	@echo "installing the Python tools into $(VENV)"
	@$(PYTHON) tests/aws/local-cloud/local_cloud/prerequisites.py
	@$(PYTHON) -m venv --clear $(VENV)
	@# Python compiles what is imported on its own; to compile everything takes as long as to install it.
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --requirement $(REQUIREMENTS)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The first time, the compiler works while the Python tools are installed.
ready: prerequisites
	@$(MAKE) --question $(INSTALLED) || $(MAKE) --no-print-directory --jobs=2 $(INSTALLED) programs

programs:
	@cd tests/aws/local-cloud && $(PYTHON) -m local_cloud build

demo: ready ## Copy a realistic fleet to another region, on a local AWS, and audit it.
	@$(LOCAL_CLOUD) demo

screenshot: $(INSTALLED) ## Take the README's picture of the page that `make demo` left (needs Chromium).
	@$(BIN)/python -m local_cloud.browser

test: test-rust test-python ## Run every test: unit, property, simulated, in the local cloud.

# One selection of packages in one profile: another would have other features, and compile the SDK again.
test-rust: render
	SIM_SEEDS=$(SEEDS) SIM_FIRST=$(FIRST) SIM_THREADS=$$(getconf _NPROCESSORS_ONLN) \
		cargo test --profile $(PROFILE) --workspace

worlds: ## Run 2,000 simulated worlds.
	@$(MAKE) --no-print-directory simulate SEEDS=2000

simulate: render ## Run simulated worlds, SEEDS=600 from FIRST=1, on every core.
	SIM_SEEDS=$(SEEDS) SIM_FIRST=$(FIRST) SIM_THREADS=$$(getconf _NPROCESSORS_ONLN) \
		cargo test --profile $(PROFILE) --workspace --test simulation seeds -- --nocapture

scale: render ## Run fleets of 10,000 databases in the simulation, which takes minutes.
	cargo test --profile $(PROFILE) --workspace --test scale ten_thousand -- --include-ignored --nocapture

test-python: export LOCAL_CLOUD_PROFILE = $(PROFILE)
test-python: $(INSTALLED)
	$(BIN)/python -m pytest tests/deployment tests/bench/measures tests/aws/rds-simulator/conformance
	$(BIN)/python -m pytest tests/e2e --numprocesses 2 --dist loadgroup

bench: $(INSTALLED) ## Measure the functions, beside one that does nothing, to target/bench/report.md.
	@$(BIN)/python -m bench

# The newest linters do not fit into the environment of the local cloud, so they have one of their own.
$(LINTERS)/.installed: infra/lint/requirements.txt infra/lint/package-lock.json
	@command -v npm >/dev/null || { echo "make lint needs npm: install Node.js 20 or newer" >&2; exit 1; }
	@echo "installing the linters into $(LINTERS)"
	@$(PYTHON) -m venv $(LINTERS)
	@$(LINTERS)/bin/pip install --quiet --disable-pip-version-check --requirement infra/lint/requirements.txt
	@cp infra/lint/package.json infra/lint/package-lock.json $(LINTERS)
	@npm ci --prefix $(LINTERS) --silent --no-audit --no-fund
	@touch $@

lint: render $(LINTERS)/.installed ## Run the linters of Rust, Python, the template, the state machines and the workflows.
	cargo fmt --all --check
	cargo clippy --profile $(PROFILE) --workspace --all-targets -- --deny warnings
	PATH="$(CURDIR)/$(BIN):$$PATH" cargo deny --workspace check licenses bans sources
	$(BIN)/ruff check && $(BIN)/ruff format --check
	$(BIN)/mypy
	$(LINTERS)/bin/cfn-lint $(TEMPLATES)
	for template in $(TEMPLATES); do AWS_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(LINTERS)/bin/sam validate --lint --template $$template || exit 1; done
	$(LINTERS)/bin/statelint --eval-jsonata $(MACHINES)
	for machine in $(MACHINES); do $(LINTERS)/node_modules/.bin/asl-validator --json-path $$machine || exit 1; done
	$(LINTERS)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(LINTERS)/bin/zizmor --offline --quiet .github
	$(LINTERS)/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml

# The security suites of others: they pin older packages than the tools here, so they have an environment of their own.
$(SUITES)/.installed: infra/security/requirements.txt infra/security/package-lock.json infra/security/nag.mjs
	@command -v npm >/dev/null || { echo "make security needs npm: install Node.js 20 or newer" >&2; exit 1; }
	@echo "installing the security suites into $(SUITES)"
	@$(PYTHON) -m venv $(SUITES)
	@$(SUITES)/bin/pip install --quiet --disable-pip-version-check --no-compile --requirement infra/security/requirements.txt
	@cp infra/security/package.json infra/security/package-lock.json infra/security/nag.mjs $(SUITES)
	@npm ci --prefix $(SUITES) --silent --no-audit --no-fund
	@touch $@

security: $(INSTALLED) $(SUITES)/.installed ## Run the security suites of others on what is released; a new finding fails.
	@$(BIN)/python infra/security/inputs.py
	@$(SUITES)/bin/python infra/security/check.py

format: $(INSTALLED) ## Format the Rust and the Python code.
	cargo fmt --all
	$(BIN)/ruff format

render: $(INSTALLED) ## Write the templates and the state machines with their parameters filled in to target/rendered.
	@$(BIN)/python tests/deployment/render.py

build: $(INSTALLED) ## Build what `sam deploy` deploys (ARCH=arm64 for Graviton).
	@release=$$(infra/release-id.sh) && for stack in template destination; do \
		sed -e 's/Architectures: \[x86_64\]/Architectures: [$(ARCH)]/' -e "s/RELEASE: &release .*/RELEASE: \&release \"$$release\"/" \
			infra/$$stack.yaml > infra/$$stack.$(ARCH).yaml; done
	PATH="$(CURDIR)/$(BIN):$$PATH" cargo lambda build --release $(if $(filter arm64,$(ARCH)),--arm64)
	PATH="$(CURDIR)/$(BIN):$$PATH" sam build --template-file infra/template.$(ARCH).yaml
	PATH="$(CURDIR)/$(BIN):$$PATH" sam build --template-file infra/destination.$(ARCH).yaml --build-dir .aws-sam/destination

release: $(INSTALLED) ## Build what is released, with bills of materials and checksums, to target/release-artifacts.
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python infra/release.py --arch $(ARCH)

reproducible: release ## Build the release once more elsewhere, and compare.
	@infra/reproducible.sh --arch $(ARCH)

# Where the acceptance kit works.
REGION ?= eu-west-1
DESTINATION ?= eu-central-1
ACCEPT_WHERE = --region '$(REGION)' --destination '$(DESTINATION)' $(if $(LOCAL),--local)

accept: $(INSTALLED) ## Try Snapferry in your account: REGION, DESTINATION, AURORA=1, YES=1, LOCAL=1, RELEASE=folder.
	@$(BIN)/python -m accept run $(ACCEPT_WHERE) $(if $(AURORA),--aurora) $(if $(YES),--yes) $(if $(KEY),--key '$(KEY)') \
		$(if $(RELEASE),--release '$(RELEASE)') $(if $(PROGRAM),--program '$(PROGRAM)') $(if $(RECORD),--record '$(RECORD)')

accept-sweep: $(INSTALLED) ## Remove what such a try left: what is past its time, or that of RUN.
	@$(BIN)/python -m accept sweep $(ACCEPT_WHERE) $(if $(RUN),--run '$(RUN)')

accept-replay: $(INSTALLED) ## Ask the simulator what the recording FILE asked of AWS, and say where they differ.
	@cargo build --quiet --package rds-simulator
	@$(BIN)/python -m accept replay '$(FILE)'

local-up: ready ## Start a local AWS that keeps running, with Snapferry deployed to it.
	@$(LOCAL_CLOUD) up

# Only the case's answer may reach standard output. make itself exits with 2 whatever a recipe exits with, but with 1
# when it is told to quit; it must have heard that before the recipe ends.
scenario: ## Run FILE=case.json in the local AWS, print what came of it as JSON, compare it with what it expects.
	@status=1; $(MAKE) --no-print-directory prerequisites $(INSTALLED) >&2 && { \
		$(LOCAL_CLOUD) scenario '$(FILE)'; status=$$?; }; \
	test $$status -ne 1 || { kill -QUIT $$PPID; sleep 5; }; exit $$status

local-down: $(INSTALLED) ## Stop it, with everything that it runs.
	@$(LOCAL_CLOUD) down

local-env: $(INSTALLED) ## Print the environment with which the aws CLI talks to it.
	@$(LOCAL_CLOUD) env

local-status: $(INSTALLED) ## Say whether it is running.
	@$(LOCAL_CLOUD) status

clean: ## Remove what was built and installed here.
	-@test ! -x $(BIN)/python || $(LOCAL_CLOUD) down 2>/dev/null
	rm -rf target $(VENV) $(LINTERS) $(SUITES) .aws-sam infra/template.x86_64.yaml infra/template.arm64.yaml \
		infra/destination.x86_64.yaml infra/destination.arm64.yaml
