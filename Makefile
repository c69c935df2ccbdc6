# Everything runs in .venv, made here on first use. Needs Python 3.11 or newer, and the network once.
# After the installation all targets work offline: it is repeated only when pyproject.toml or constraints.txt changes.

PYTHON      ?= python3
LAB_ARGS    ?=
APP_ARGS    ?= --open
REPORT      ?= report
TEST_EXTRAS ?= test,dev
# The versions that are tested; CONSTRAINTS= installs the newest that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
# Not pytest's own -n auto: where psutil is installed that counts cores which this process may not use.
TEST_JOBS   ?= $(shell nproc)

VENV   := .venv
PY     := $(VENV)/bin/python
# Stamps carry a checksum of what is to be installed, not its date: a checkout of the same files installs nothing.
SUM    := $(shell cat pyproject.toml $(CONSTRAINTS) | cksum | tr ' ' '-')
comma  := ,
STAMP  := $(VENV)/.installed-$(SUM)
TESTED := $(STAMP)-$(subst $(comma),-,$(TEST_EXTRAS))
BENCH  := $(STAMP)-bench-fast
BROWSER := $(STAMP)-browser
AUDIT  := $(STAMP)-audit
PINNED := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
# Each process begins with a run of neighbours, which share what they compute, and takes over from those that lag.
PYTEST  = $(PY) -m pytest -n $(TEST_JOBS) --dist worksteal
# JupyterLab refuses root unless told; in a container root is often all there is. It listens on localhost only.
ROOT   := $(if $(filter 0,$(shell id -u)),--allow-root)

# It asks the network for nothing.
QUIET  := --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

.PHONY: help report lab app test test-browser check crosscheck bench lock audit clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

report: $(STAMP) ## set up, write the report into report/, and say what it found
	@$(PY) -m workbench report "$(REPORT)/"

lab: $(STAMP) ## open JupyterLab at notebooks/00-start.ipynb (LAB_ARGS="--no-browser --port 8899")
	@$(PY) -m nbformat.sign notebooks/*.ipynb notebooks/*/*.ipynb >/dev/null 2>&1 || :  # not signed, their views are shown as text until run
	@PATH="$(abspath $(VENV))/bin:$$PATH"; export PATH; exec $(PY) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00-start.ipynb $(QUIET) $(ROOT) $(LAB_ARGS)

app: $(STAMP) ## serve the views, and forms that ask for them, to a browser (APP_ARGS="--port 8899")
	@exec $(PY) -m workbench app $(APP_ARGS)

test: $(TESTED) ## ruff, mypy and all quick tests, one process for each core (TEST_JOBS=N: N of them)
	@lint=0; $(MAKE) --no-print-directory check || lint=$$?; \
	$(PYTEST) || exit $$?; \
	test $$lint = 0 || { echo "make test: the tests passed; ruff or mypy did not (see above the tests)" >&2; exit 1; }

check: $(TESTED) ## ruff and mypy alone
	@lint=0; $(PY) -m ruff check . || lint=1; $(PY) -m mypy || lint=1; exit $$lint

test-browser: $(BROWSER) ## the views in a browser (needs chromium; Debian: apt-get install chromium)
	@$(PYTEST) tests/browser

crosscheck: $(TESTED) ## compare the explorer with the SPIN checker (needs spin and gcc)
	@$(PYTEST) -m spin tests

bench: $(BENCH) ## run every benchmark in benchmarks/
	@set -e; for file in benchmarks/[!_]*.py; do \
	  name=$$(basename "$$file" .py); echo "== $$name"; $(PY) -m "benchmarks.$$name"; done

lock: | $(PY) ## pin the newest versions that fit in constraints.txt (needs the network)
	@$(PY) -m pip install --quiet --upgrade pip
	@$(PY) -m tests.house.lock

audit: $(AUDIT) ## ask for known vulnerabilities of the versions in constraints.txt (needs the network)
	@$(PY) -m tests.house.audit

clean: ## remove the report, caches and build products; keep .venv
	@rm -rf "$(REPORT)" build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# $(call install,EXTRAS): the package, editable, with these extras. Whatever the extras, the package itself is there.
# Left out is setuptools' page of advice on editable installations: it would be the first thing that a newcomer sees.
define install
@echo "installing into $(VENV): paravirt-workbench$(1) (about 100 MB the first time)"
@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade $(PINNED) pip
@PYTHONWARNINGS="ignore:Editable installation" $(PY) -m pip install --quiet --disable-pip-version-check \
  $(PINNED) $(PINNED:--%=--build-%) --editable ".$(1)"
@touch "$@" "$(STAMP)"
endef

$(STAMP): | $(PY)
	$(call install,)

$(TESTED): | $(PY)
	$(call install,[$(TEST_EXTRAS)])

$(BROWSER): | $(PY)
	$(call install,[$(TEST_EXTRAS)$(comma)browser])

$(BENCH): | $(PY)
	$(call install,[bench$(comma)fast])

$(AUDIT): | $(PY)
	$(call install,[audit])

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, $(PYTHON) is: $$($(PYTHON) --version 2>&1); try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: sudo apt-get install -y python3-venv" >&2; exit 1; }
