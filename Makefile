# Splatworks on one machine. Every target sets up what it needs by itself: Python 3.11 or newer, make and a C++17
# compiler are enough, and what is missing is named. `make help` lists the targets.

PHOTOS ?= examples/capture
OUT ?=
SERVE ?= 1
ARGS ?=

BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo images test test-cluster lint protos api bench bench-train bench-operator clean setup setup-dev

help: ## Show this list
	@echo 'make TARGET [VARIABLE=value]'
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' $(MAKEFILE_LIST) | while read -r target text; do \
	    printf '  %-14s %s\n' "$$target" "$$text"; done

demo: setup ## Turn photos into a scene and serve it (PHOTOS=dir OUT=dir SERVE=0)
	$(BIN)/splatworks run "$(PHOTOS)" $(if $(OUT),-o "$(OUT)") $(if $(filter-out 0,$(SERVE)),--serve)

images: ## Build the container images (IMAGES='sfm trainer' VARIANT=cpu|cuda TAG=... ARCHIVE_DIR=dir)
	scripts/images.sh

test: setup-dev ## Run all tests this machine can run, and say what was skipped (ARGS=pytest arguments)
	$(BIN)/python -m pytest $(ARGS)

test-cluster: setup-dev ## Run SplatJobs in the pods of a real one-node Kubernetes (as root; builds the images)
	scripts/test_cluster.sh $(ARGS)

lint: setup-dev ## Check style, types, import layers, protos, kernels and scripts
	scripts/lint.sh

protos: setup-dev ## Generate the Python stubs from protos/
	$(BIN)/python scripts/generate_protos.py

api: setup-dev ## Generate the CustomResourceDefinition and docs/api.md
	$(BIN)/python scripts/generate_crd.py
	$(BIN)/python scripts/generate_api_reference.py

bench: setup-dev ## Measure the stages and the kernels, and print a table
	$(BIN)/python -m tests.bench

bench-train: setup-dev ## Measure training: steps, times to a PSNR, captures; writes them into docs/benchmarks.md
	$(BIN)/python -m tests.bench.train --json build/bench-train.json --markdown docs/benchmarks.md $(ARGS)

bench-operator: setup-dev ## Measure what a thousand jobs at once cost the operator (ARGS='--jobs 100 --times 2')
	$(BIN)/python -m tests.bench.operator_scale $(ARGS)

clean: ## Remove everything that was built or installed here, and out/
	rm -rf .venv build out services/*/build services/streamer/src/splatworks_streamer/viewer
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . \( -name __pycache__ -o -name node_modules \) -type d -prune -exec rm -rf {} +

setup:
	@scripts/setup.sh run

setup-dev:
	@scripts/setup.sh dev
