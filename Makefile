# Two commands matter: `make demo` and `make test`. Both prepare what they need and cache it.
SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
AZURITE := devhost/node_modules/.bin/azurite-queue

.PHONY: demo test test-sqlserver lint types setup lock clean

setup: $(VENV)/.ready $(AZURITE)

# uv installs in seconds what pip needs a minute for; its own version is pinned with the rest.
$(VENV)/.ready: requirements-dev.txt
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)"
	$(VENV)/bin/uv pip sync --quiet --python $(PYTHON) requirements-dev.txt
	touch $@

$(AZURITE): devhost/package-lock.json
	cd devhost && npm ci --silent --no-audit --no-fund
	touch $@

# ONCE=1 ends after the comparison (0: every figure agrees), PORT=7072 takes another port, SQL=<url> another store.
demo: setup
	@$(PYTHON) -m demo $(if $(ONCE),--once) $(if $(PORT),--port $(PORT)) $(if $(SQL),--sql "$(SQL)")

lock: $(VENV)/.ready
	$(VENV)/bin/uv pip compile --quiet --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.txt
	$(VENV)/bin/uv pip compile --quiet --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements-dev.txt

lint: $(VENV)/.ready
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .

types: $(VENV)/.ready
	$(VENV)/bin/mypy

test: setup lint types
	$(PYTHON) -m pytest

# The store on SQL Server: TASCUS_TEST_SQLSERVER_URL names a database of the tests' own (docs/sql-server.md); they empty it.
test-sqlserver: setup
	@test -n "$$TASCUS_TEST_SQLSERVER_URL" || { echo "TASCUS_TEST_SQLSERVER_URL is not set: see docs/sql-server.md"; exit 2; }
	$(PYTHON) -m pytest tests/contract/store -k sqlserver
	$(PYTHON) -m pytest tests/integration/test_sqlserver_demo.py

clean:
	rm -rf $(VENV) .cache devhost/node_modules
