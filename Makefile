# The commands of this project. Each is a line or two that you could type yourself.
.DEFAULT_GOAL := help
.PHONY: docs help venv up down serve test test-unit test-programs test-roles test-molecule test-faults test-upgrade test-train sample-model model-card lint lock bench-serving

BIN := .venv/bin
SCENARIO ?= default
# Directories of tests that run without coverage (tests/conftest.py says why).
UNMEASURED := tests/fuzz $(addprefix tests/unit/,docs lint_rules operations playbooks plugins roles)
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Ansible refuses to run in a locale without UTF-8.
ifneq ($(shell locale charmap 2>/dev/null),UTF-8)
export LC_ALL := $(shell . scripts/utf8.sh && echo $$LC_ALL)
endif
# Set in many images of continuous integration: then each start of Ansible compiles 600 files anew.
unexport PYTHONDONTWRITEBYTECODE
# It would lead programs and tests to modules of somewhere else.
unexport PYTHONPATH

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile

venv: ## create the controller's environment in .venv (CORE=2.16 for CentOS 7)
	@scripts/venv

up: ## create a local Nanode, provision it and deploy the sample model
	@scripts/up

down: ## remove the local Nanode
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m controller.nanode destroy; else echo "Nothing to remove."; fi

serve: ## run the service without root and without a container, until Ctrl-C (SERVE_PORT)
	@scripts/serve

test: ## run lint, unit tests and the scenarios in containers, and show a summary (SCENARIOS)
	@scripts/test

test-unit: venv ## run the unit tests, with a report of their coverage
	$(BIN)/pytest --cov

test-programs: venv ## run those of the programs and scripts alone, with a report of their coverage
	$(BIN)/pytest tests/unit $(addprefix --ignore=,$(UNMEASURED)) --cov

test-roles: venv ## run the others alone: roles, playbooks, modules, docs
	$(BIN)/pytest $(UNMEASURED)

test-molecule: venv ## provision and test a server in a container (SCENARIO)
	$(BIN)/molecule test --scenario-name $(SCENARIO)

test-upgrade: ## upgrade a server of version 0.1.0 under load, in a container of its own
	@scripts/test-upgrade

test-faults: ## inject real faults under load, in a container of its own (half an hour)
	@scripts/test-faults

test-train: venv ## train models of made-up comments, killed and resumed (1.6 GB of Keras, once)
	@scripts/venv-training && $(BIN)/pytest tests/train

sample-model: venv ## train the sample model anew (DATA=directory VECTORS=file, a quarter of an hour)
	@scripts/venv-training && PYTHONPATH=.:app:server .venv-training/bin/python -m sample_model.train \
		--data $(DATA) --vectors $(VECTORS) --out build/sample_model --install

model-card: venv ## measure the sample model and write its card (DATA=directory)
	@PYTHONPATH=. $(BIN)/python -m sample_model.card --data $(DATA)

model-full: ## serve the sample model with every word of a vector file (VECTORS=file) from the local Nanode
	@scripts/model-full "$(VECTORS)"

bench-serving: venv ## measure serving beside other ways, and write docs/performance.md (OPTIONS="--dry-run --rounds 3 ours litserve")
	$(BIN)/python -m bench.serving $(OPTIONS)

lint: venv ## check format, types, shell, spelling, YAML and roles (LINTERS="ruff mypy")
	$(BIN)/python scripts/lint.py $(LINTERS)

docs: venv ## generate the roles' READMEs from their specifications, and the table of layers
	$(BIN)/python scripts/role_readmes.py
	$(BIN)/python scripts/layer_table.py

lock: venv ## compile the hash-locked lists of packages
	scripts/lock
