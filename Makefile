# Each target makes .venv by itself when it is absent or when setup.py or constraints.txt changed.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
export DISANAT_TEST_DATA ?= ../shared/data

.PHONY: bench demo docs real test lint venv
.DELETE_ON_ERROR:

demo: $(STAMP)
	$(BIN)/python benchmarks/demo.py

real: $(STAMP)
	$(BIN)/python benchmarks/real.py

bench: $(STAMP)
	$(BIN)/python benchmarks/speed.py

test: $(STAMP)
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy disanat planning dataset_conversion
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r disanat planning dataset_conversion
	$(BIN)/pip check --disable-pip-version-check

docs: $(STAMP)
	$(BIN)/mkdocs build --strict

venv: $(STAMP)

$(STAMP): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "disanat needs Python 3.10 or newer, but $(PYTHON) is" \
		"'$$($(PYTHON) --version 2>&1)': install one and run make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	@touch $@
