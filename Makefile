# Everything builds in release mode into one folder, which tests, demo and benchmarks share.
SWIFT_FLAGS := -c release

.PHONY: help setup build demo suite suite-atlas test neon bench conversions fuzz format clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: ## Install what building needs (Debian or Ubuntu with Swift)
	@scripts/setup.sh

build: setup ## Build gscope
	swift build $(SWIFT_FLAGS) --product gscope

demo: build ## Fetch Gemma 3 270M and look inside it
	@scripts/fetch-model.sh
	@scripts/demo.sh

suite: build ## Train the suite for Gemma 3 270M anew, into .cache/suite-270m (hours)
	@scripts/suite.sh

suite-atlas: build ## Make the atlas that comes with the suite anew (about 15 minutes)
	@scripts/suite-atlas.sh

test: setup ## Run all tests (those on real weights when a model is present)
	@scripts/test.sh

neon: setup ## Compare the NEON kernels with scalar code under qemu
	@scripts/neon.sh

bench: setup ## Measure gscope beside transformers, llama.cpp and OpenBLAS
	@scripts/bench.sh

conversions: build ## Load what gscope converts in SAELens and sparsify
	@scripts/conversions.sh

fuzz: setup ## Fuzz the file readers (SECONDS_EACH=60)
	@scripts/fuzz.sh

format: ## Format all Swift sources
	swift format --in-place --recursive Package.swift Sources Tests Fuzz

clean: ## Remove build products (the model stays)
	rm -rf .build .build-fuzz
