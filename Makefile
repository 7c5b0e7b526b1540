# make run and make test are all that you need; they set up whatever is missing.

PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
NPM = @$(BIN)/python -m server.node npm --silent
PYTEST = $(BIN)/python -m pytest --dist worksteal -n $(WORKERS)
# One more than there are cores, since tests also wait; each has a PostgreSQL of its own.
WORKERS = $(shell $(BIN)/python -c 'import os; print(min(8, (os.cpu_count() or 1) + 1))')

.PHONY: help run test test-all checks check-web check-server bench schema web screenshots graphiql requirements clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

run: .venv/server graphiql web ## Set up everything and serve on http://127.0.0.1:8000
	@exec $(BIN)/python -m server serve --migrate --worker

test: checks ## Set up everything and run all checks
	$(PYTEST) -m "not long"

test-all: checks ## The same with the long tests
	$(PYTEST)

checks: .venv/dev web
	@$(MAKE) --no-print-directory --jobs=2 check-web check-server

check-web:
	$(NPM) run check
	$(NPM) test

check-server:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

screenshots: .venv/dev web ## Take the pictures of the console anew, with Chromium
	$(BIN)/python -m tests.browser.screenshots

bench: .venv/server ## Measure all, in ten minutes, or some: make bench ONLY="send limit"
	$(BIN)/python -m bench $(ONLY)

schema: .venv/server ## Write schema.graphql from the code
	$(BIN)/python -m server schema

web: .venv/server ## Build the credits console, unless it is built
	@$(BIN)/python -m server.node make web

graphiql: .venv/server ## Fetch GraphiQL, once
	@$(BIN)/python -m server.node make graphiql

requirements: ## Pin anew what pyproject.toml asks for (needs uv)
	uv pip compile -q $(PINNED) pyproject.toml -o requirements/server.txt
	uv pip compile -q $(PINNED) pyproject.toml --group dev -o requirements/dev.txt
	uv pip compile -q $(PINNED) --group node -o requirements/node.txt
PINNED := --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

clean: ## Remove the virtual environment and the caches; .data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis web/dist web/node_modules web/graphiql/node_modules

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/server: requirements/server.txt | .venv/bin/python
	@echo "Installing what the server needs (once, about a minute) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/dev: requirements/dev.txt | .venv/bin/python
	@echo "Installing what the checks need (once, about a minute) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@ .venv/server
