# The two commands: `make run` and `make test`. Everything is set up from nothing with venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STUDY ?= studies/bishan/study.toml
.DEFAULT_GOAL := help
.PHONY: help run test check bench notebooks docs stress audit clean chromium

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## set up and run the Bishan study: maps/ and data/processed/
	$(BIN)/bishan-gis run $(STUDY)

test: $(VENV)/.test chromium ## set up and run every test
	$(BIN)/python -m pytest -n 3 --no-loadscope-reorder

check: $(VENV)/.test ## style, types, docstrings, layers of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/numpydoc lint $$(find bishan_gis -name '*.py')
	$(BIN)/lint-imports

bench: $(VENV)/.test ## measure against the peers: benchmarks/RESULTS.md
	$(BIN)/python benchmarks/bench.py

notebooks: $(VENV)/.test ## run the notebooks
	$(BIN)/python -m pytest --nbmake notebooks

docs: $(VENV)/.test ## build the documentation site: site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

stress: $(VENV)/.test ## kill commands at random moments; many districts on a cluster: long
	$(BIN)/python tools/stress.py --moments 50
	BISHAN_GIS_FUZZ=2000 $(BIN)/python -m pytest tests/test_fuzz.py
	BISHAN_GIS_STRESS=1 $(BIN)/python -m pytest tests/test_stages.py tests/test_browser_frame.py
	$(BIN)/python tools/stress_many.py

audit: $(VENV)/.test ## known faults, unsafe code, bill of materials, licences
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[audit]'
	$(BIN)/python tools/audit.py

clean: ## remove the environment and all outputs
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find data/processed maps -mindepth 1 ! -name README.md -delete

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	$(BIN)/python -m compileall -q bishan_gis
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,dev]'
	touch $@ $(VENV)/.run

# The browser tests drive Debian's chromium; without it they would prove nothing.
chromium:
	@command -v chromium >/dev/null && fc-list :lang=zh 2>/dev/null | grep -q . || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk fontconfig; \
	else \
		echo "make test needs chromium and a Chinese font: apt-get install chromium fonts-noto-cjk fontconfig"; exit 1; \
	fi
