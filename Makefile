# `make` lists the targets; README.md gives the plain commands behind them.
.DEFAULT_GOAL := help
.PHONY: help book test test-long test-nightly test-s3 fuzz serve lint bench clean test-colab repository

CHECK := import sys, ensurepip; assert (3, 11) <= sys.version_info < (3, 14)
# The first of these names that is a Python 3.11, 3.12 or 3.13; `make PYTHON=...` chooses.
first = $(shell for name in $(1); do \
	if $$name -c "$(CHECK)" 2>/dev/null; then echo $$name; break; fi; done)
PYTHON ?= $(call first,python3 python3.13 python3.12 python3.11 python)
COLAB_PYTHON ?= $(call first,python3.13 python3.12 python3.11 $(PYTHON))
VENV ?= .venv
BIN := $(VENV)/bin
COLAB := $(VENV)-colab
S3 := $(VENV)-s3
SMALL := _build/small
PIP := -m pip install --quiet --disable-pip-version-check

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

book: $(VENV)/installed ## execute every notebook, check what pages say, build _build/html
	$(BIN)/python book/build.py

test: $(VENV)/installed lint ## lint, unit tests, every notebook small, its site in a browser
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not executed and not site and not long"
	$(BIN)/python book/build.py --small --build $(SMALL)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "executed or site" --build $(SMALL) tests

# Three at once: sweeps that fail wait more than they work.
test-long: $(VENV)/installed ## demos in a browser, long trainings, judges that are judged
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder \
		-m "long and not site and not nightly" tests

test-nightly: $(VENV)/installed ## benchmarks and chapter 07's own training, small
	$(BIN)/python -m pytest -q -n 2 -m nightly tests

fuzz: $(VENV)/installed ## more than ten thousand damaged files and grids (minutes)
	FUZZ=2500 $(BIN)/python -m pytest -q -n 2 tests/data/test_fuzz.py tests/test_sweep.py

serve: $(VENV)/installed ## show the built site at http://127.0.0.1:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

lint: $(VENV)/installed ## ruff: rules and format, notebooks included
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/installed ## measure side by side; writes what the page Benchmarks shows
	$(BIN)/python benchmarks/timegan_steps.py
	$(BIN)/python benchmarks/dcgan_images.py
	$(BIN)/python benchmarks/sweep.py

clean: ## remove what was built; the environments stay
	rm -rf _build build dist *.egg-info .pytest_cache .ruff_cache .hypothesis

test-colab: $(COLAB)/installed ## every notebook, small, on Colab's versions; or CHAPTERS="..."
	$(COLAB)/bin/python book/build.py --small --no-site --build _build/colab \
		$(if $(CHAPTERS),--only $(CHAPTERS))

test-s3: $(S3)/installed ## a sweep into a bucket of a local server
	$(S3)/bin/python -m pytest -q tests/test_s3.py

repository: $(VENV)/installed ## make repository URL=...: point badges and links at a fork
	$(BIN)/python book/repository.py "$(URL)"

$(VENV)/installed: pyproject.toml constraints.txt
	@$(call check,$(PYTHON))
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -c constraints.txt -e ".[cpu,sample,finance,book,sweep,dev]"
	@touch $@

# Of their own: Amazon's packages want older ones than constraints.txt has.
$(S3)/installed: pyproject.toml
	@$(call check,$(PYTHON))
	$(PYTHON) -m venv $(S3)
	$(S3)/bin/python $(PIP) -e ".[sweep,dev]" s3fs "moto[server]"
	@touch $@

# As the notebooks' first cell does on Colab: skfolio alone, for the prices inside it.
$(COLAB)/installed: pyproject.toml constraints.txt constraints-colab.txt
	@$(call check,$(COLAB_PYTHON))
	$(COLAB_PYTHON) -m venv $(COLAB)
	$(COLAB)/bin/python $(PIP) -c constraints-colab.txt ".[cpu,finance]" mlxtend papermill ipykernel
	$(COLAB)/bin/python $(PIP) -c constraints.txt --no-deps skfolio
	@touch $@

check = test -n "$(1)" && "$(1)" -c "$(CHECK)" 2>/dev/null || { \
	echo "gan_notes needs Python 3.11, 3.12 or 3.13 with venv; found: $$("$(or $(1),python3)" \
	--version 2>&1). Name one by: make PYTHON=/path/to/python3.12"; exit 1; }
