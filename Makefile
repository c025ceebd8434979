# Every target makes .venv and installs what it needs when that is missing or out of date.
# Needed on the machine: Python 3.11 or newer with venv and headers, a C compiler, make.
#
#   make demo [DATA=folder]      train on generated playlists (or on real sessions), then recommend
#   make test [PYTEST_ARGS=...]  the whole test suite
#   make smoke                   one tiny end-to-end test
#   make bench                   the speed table; make quality: the quality table (FASTREC_DATA=folder)
#   make lint | format           check or mend the style
#   make build                   sdist and wheel into dist/, the wheel tried in a clean environment
#   make clean                   remove everything that was made here
#
# PYTHON=/path/to/python3 chooses the interpreter that .venv is made from.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
STAMPS := $(VENV)/stamps
SOURCES := setup.py $(wildcard src_cython/*.pyx src_cython/*.pxd src_cython/include/*.h)

.PHONY: help demo test smoke bench quality lint format build clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

help:
	@sed -n 's/^#   //p' Makefile

$(STAMPS)/venv:
	@tools/environment.sh $(VENV) $(PYTHON)
	@mkdir -p $(STAMPS) && touch $@

# Installs the extras that the stamp's name lists, such as install-lint+core+cli.
$(STAMPS)/install-%: pyproject.toml tools/requirements.py $(STAMPS)/venv
	@echo "Installing what fastrec needs ($*)"
	@$(PY) tools/requirements.py $(subst +, ,$*) > $(STAMPS)/requirements-$*.txt
	@$(PIP) install -r $(STAMPS)/requirements-$*.txt
	@touch $@

# Compiled in place, so that only what changed is compiled again.
$(STAMPS)/compiled: $(SOURCES) $(STAMPS)/install-build+core
	@echo "Compiling the kernels"
	@if [ setup.py -nt $@ ]; then rm -rf build; fi
	@$(PY) setup.py --quiet build_ext --inplace
	@touch $@

$(STAMPS)/ready: pyproject.toml $(STAMPS)/compiled
	@FASTREC_PREBUILT=1 $(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(STAMPS)/ready $(STAMPS)/install-cli
	@$(PY) -m fastrec.cli demo $(if $(DATA),--data "$(DATA)")

test: $(STAMPS)/ready $(STAMPS)/install-test
	$(PY) -m pytest --numprocesses auto --maxprocesses 8 $(PYTEST_ARGS)

smoke: $(STAMPS)/ready $(STAMPS)/install-test
	$(PY) -m pytest --quiet tests/test_smoke.py $(PYTEST_ARGS)

bench: $(STAMPS)/ready $(STAMPS)/install-bench
	$(PY) -m benchmarks.speed

quality: $(STAMPS)/ready $(STAMPS)/install-cli
	$(PY) -m benchmarks.quality

# cython-lint calls pycodestyle by name.
lint: export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
lint: $(STAMPS)/install-core+cli+lint
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/cython-lint src_cython
	$(VENV)/bin/codespell

format: $(STAMPS)/install-core+cli+lint
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

build: $(STAMPS)/install-dist
	rm -rf dist
	$(PY) -m build
	tools/check_dist.sh $(PY) dist

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
	find fastrec src_cython benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +
	find fastrec/native -name '*.so' -delete
