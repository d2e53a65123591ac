# Two commands do all the set-up: `make demo` and `make test`. Both make the environment first, once.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := demo
# The 'ocr' extra without its opencv-python, which wants libGL and shares a module name with the headless one we have
OCR    := rapidocr rapidocr-onnxruntime omegaconf colorlog pyclipper shapely six

.PHONY: demo test test-all green check bench bench-ingest bench-input bench-deid bench-burned-in bench-filters bench-train bench-scale docs pictures clean help
help:
	@echo "make demo      environment, a synthetic archive, the whole pipeline on it, and whether filtering paid; prints the pages' paths"
	@echo "make test      environment, the tests"
	@echo "make test-all  the slow ones too"
	@echo "make green [N=20]  the tests N times in a row: what each run said, as JSON lines"
	@echo "make check     ruff, mypy --strict, import layers"
	@echo "make docs      the documentation as a site, in site/; strict: a broken link or anchor fails"
	@echo "make pictures  the documentation's pictures of pages, from the demo (needs selenium and chromium)"
	@echo "make bench     the benchmarks that need no data but their own"
	@echo "make bench-ingest  what ingest costs without the text search, and a command with nothing to do, beside other tools"
	@echo "make bench-input [DATA=folder]  files as archives hold them: contradictions, unusual kinds, other renderers, report files, whole archives"
	@echo "make bench-deid  de-identification against its numbers, and against other tools in environments of their own"
	@echo "make bench-burned-in DATA=folder  text planted on real pictures: what the pixel gate leaves and what it takes; pictures without text"
	@echo "make bench-filters  every filter against its numbers, on synthetic and real pairs, over five seeds"
	@echo "make bench-scale  CPU and memory of index, dedup, select, plan, export and report against the number of records; of a run that goes on"
	@echo "make bench-train  the loader, the losses, and whether filtering pays, on synthetic and real pairs"

# constraints.txt is the lock: exact versions, and on a machine with a CPU-only torch wheel, that one
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[cpu,dev,neighbours,audit]' -c constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps $(OCR) -c constraints.txt
	touch $@

demo: $(VENV)/ready
	test -d $(DEMO)/archive/truth || $(BIN)/curate synth $(DEMO)/archive --studies 1800 --seed 7 --reviewed 0.7
	test -f $(DEMO)/secret.key || $(BIN)/curate secret $(DEMO)/secret.key
	$(BIN)/curate run pipelines/recipes/demo.yaml
	$(BIN)/curate compare pipelines/recipes/demo.yaml

test: $(VENV)/ready
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-all: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --hypothesis-profile=free

green: $(VENV)/ready
	$(BIN)/python -m benchmarks.tests --times $(or $(N),20)

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# in an environment of its own: a site needs nothing of the product
.venv-docs/ready: Makefile
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check 'mkdocs-material==9.8.2' 'mkdocs==1.6.1'
	touch $@

docs: .venv-docs/ready
	.venv-docs/bin/mkdocs build --strict --quiet

pictures: demo
	$(BIN)/python -m benchmarks.page_pictures $(DEMO)

bench: $(VENV)/ready
	$(BIN)/python -m benchmarks.pipeline

bench-ingest: $(VENV)/ready
	$(BIN)/python -m benchmarks.ingest

bench-input: $(VENV)/ready
	$(BIN)/python -W ignore -m benchmarks.input $(if $(DATA),--data $(DATA)/dicom)

bench-deid: $(VENV)/ready
	PYTHONHASHSEED=0 $(BIN)/python -m benchmarks.deid --out benchmarks/results/deid.json

bench-burned-in: $(VENV)/ready
	$(BIN)/python -m benchmarks.burned_in $(DATA)

bench-filters: $(VENV)/ready
	$(BIN)/python -m benchmarks.filters

bench-train: $(VENV)/ready
	$(BIN)/python -m benchmarks.training

bench-scale: $(VENV)/ready
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.upkeep
	$(BIN)/python -m benchmarks.narrow

clean:
	rm -rf $(VENV) .venv-docs site $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis
