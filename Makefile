# Two commands matter: `make demo` and `make test`. Both prepare what they need and cache it.
SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
AZURITE := devhost/node_modules/.bin/azurite-queue

.PHONY: demo test lint types setup lock clean

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
	@$(PYTHON) -m demo $(if $(ONCE),--once) $(if $(PORT),--port $(PORT))

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

clean:
	rm -rf $(VENV) .cache devhost/node_modules
