# The commands of this project; each is a line or two that you could type yourself.
.DEFAULT_GOAL := help
.PHONY: docs help venv up down serve test test-unit test-molecule test-faults lint lock

BIN := .venv/bin
SCENARIO := default
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile

venv: ## make the controller's environment in .venv
	@scripts/venv

up: ## from nothing to scores: local Nanode, site.yml, sample model
	@scripts/up

down: ## remove the local Nanode
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m controller.nanode destroy; else echo "Nothing to remove."; fi

serve: ## the same service without root and without a container, until Ctrl-C (SERVE_PORT)
	@scripts/serve

test: ## everything: lint, unit tests, the whole path in a container, and a summary
	@scripts/test

test-unit: venv ## the part of the tests without a container
	$(BIN)/pytest --cov

test-molecule: venv ## the whole path in a container, from a bare image to scores (SCENARIO)
	$(BIN)/molecule test --scenario-name $(SCENARIO)

test-faults: ## faults for real, under load, in a container of their own, and a table (half an hour)
	@scripts/test-faults

lint: venv ## check format, types, shell, spelling, YAML and roles with every linter (LINTERS)
	$(BIN)/python scripts/lint.py $(LINTERS)

docs: venv ## write the roles' READMEs from their specifications
	$(BIN)/python scripts/role_readmes.py

lock: venv ## compile the hash-locked lists anew
	scripts/lock
