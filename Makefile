# Everything sets itself up. PYTHON is any Python 3.11 or newer, by default the fastest 3.11 there is; set-up may
# download packages, running never does.
PYTHON ?=
JOBS ?= 2
BIN := .venv/bin
# A virtual environment is good for one set of locked requirements in one folder.
STAMP := .venv/.ready-$(shell (pwd; cat requirements/dev.txt) | cksum | cut -d' ' -f1)
MODELS := .cache/models
LOCK := $(BIN)/uv pip compile pyproject.toml --generate-hashes --no-header --no-emit-index-url --no-annotate \
	--python-version 3.11 --quiet

# torch comes by pip, which finds the build for this machine; nothing of CUDA is locked for machines without a GPU.
TORCH := torch==2.13.0
TRAIN := .venv/.train-$(shell (pwd; cat requirements/train.txt; echo $(TORCH)) | cksum | cut -d' ' -f1)
UNLOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc \
	cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)
LORA ?= 1
INTO ?=
LOG ?=

.PHONY: help setup train demo up test lint soak bench screens compiled docs lock clean
.DEFAULT_GOAL := help

help: ## Say what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

setup: $(STAMP) ## Build .venv and fetch the embedded models
	@$(BIN)/python -m freehold.serving.fetch --into $(MODELS)

$(STAMP):
	@chosen='$(PYTHON)'; chosen=$${chosen:-$$(requirements/fastest_python.sh)} && \
		$$chosen -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }; \
		$$chosen -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

train: $(TRAIN) ## Add what training LoRA adapters needs (torch)

$(TRAIN): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/train.txt
	@touch $@

demo: setup $(if $(filter 0,$(LORA)),,$(TRAIN)) ## Move workflows from rented to owned; LOG=file takes yours, LORA=0 leaves torch out
	@$(BIN)/python -m demo $(if $(LOG),--log "$(LOG)") $(if $(filter 0,$(LORA)),--no-lora)

up: setup ## Start the service and stay
	@$(BIN)/freehold up

test: setup $(TRAIN) lint ## Run everything CI runs
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 1 --tb short -r R

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

screens: setup ## Draw the pictures of the console anew (needs the system's Chromium)
	$(BIN)/python -m docs.screens

soak: setup ## Long fuzzing and endurance
	$(BIN)/pytest -m "soak or not soak" --hypothesis-profile soak --timeout 3600

bench: setup ## Measure the data plane against its peers
	$(BIN)/python -m bench.gateway

compiled: $(STAMP) ## Compile the data plane into build/compiled: faster, optional, needs a C compiler
	@$(BIN)/python -m native

wheelhouse: setup ## Collect what an installation without a network needs; INTO=folder
	@$(BIN)/python requirements/wheelhouse.py $(if $(INTO),--into "$(INTO)") --models $(MODELS)

docs: $(TRAIN) ## Write the reference pages anew
	$(BIN)/python -m docs.generate
	$(BIN)/python -m tests.gateway.dialects.matrix

lock: $(STAMP) ## Lock the requirements anew
	$(LOCK) --output-file requirements/run.txt
	$(LOCK) --group dev --output-file requirements/dev.txt
	$(LOCK) --extra train --constraint requirements/dev.txt $(addprefix --no-emit-package ,$(UNLOCKED)) \
		--output-file requirements/train.txt

clean: ## Remove what set-up made, and no data
	rm -rf .venv build/compiled build/compiling $(MODELS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
