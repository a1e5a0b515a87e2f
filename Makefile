# Everything starts from `make`: it builds its own environment in .venv from the locked versions.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=

.PHONY: help demo test check bench faults fuzz train meters pack lock screenshots clean

help:
	@echo "make demo    the whole product on this machine, on a simulated site (ARGS='--days 30' passes options)"
	@echo "make test    every test this machine can run; installs what it needs"
	@echo "make check   lint, types, imports, docs"
	@echo "make bench   speed and memory, as JSON lines"
	@echo "make faults  every fault in full: kills, power cuts, damaged files, bad links (40 minutes; root for all of it)"
	@echo "make fuzz    over 100,000 hostile answers to the meters' side (5 minutes)"
	@echo "make pack    the demo's photos anew; needs OpenGL, a few minutes"
	@echo "make train   train the photo model anew (hours on a small machine)"
	@echo "make meters  write docs/meters.md anew from the meter profiles"
	@echo "make lock    renew requirements.lock from pyproject.toml"

$(READY): requirements.lock pyproject.toml
	@deploy/environment.sh "$(PYTHON)" "$(VENV)"
	@touch $@

demo: $(READY)
	@$(BIN)/plumbline demo $(ARGS)

# Many tests wait for wires and processes, so four at once on two cores; what is judged by the clock comes after them.
# pytest ends with 5 where ARGS leave nothing to run in one of the two parts.
test: $(READY)
	@deploy/test-tools.sh
	@$(BIN)/pytest -m "not timed" --numprocesses=4 --dist=loadfile --no-loadscope-reorder $(ARGS) || [ $$? -eq 5 ]
	@$(BIN)/pytest -m timed $(ARGS) || [ $$? -eq 5 ]

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/docs

bench: $(READY)
	@for bench in gateway meters outbox uplink central_intake influx rules indicator_points alert_latency deviation proof vision filter scene; do $(BIN)/python tests/bench/$$bench.py || exit 1; done

faults: $(READY)
	@deploy/test-tools.sh
	@$(BIN)/python tests/faults/run.py $(ARGS)

fuzz: $(READY)
	PLUMBLINE_FUZZ_CASES=15000 $(BIN)/pytest tests/unit/meters/wire/test_hostile_answers.py --durations=0 $(ARGS)

train:
	@deploy/environment.sh "$(PYTHON)" .venv-train requirements-train.lock
	.venv-train/bin/plumbline model train --out build/train $(ARGS)

screenshots: $(READY)
	@deploy/test-tools.sh
	PLUMBLINE_SCREENSHOTS=1 $(BIN)/pytest -q tests/system/test_page.py tests/system/test_zone_page.py tests/unit/vision/test_strangers_photos.py

meters: $(READY)
	$(BIN)/python -m plumbline_edge.meters.profiles.catalogue > docs/meters.md.new && mv docs/meters.md.new docs/meters.md

pack: $(READY)
	$(BIN)/python -m plumbline_sim.demo.packs

lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra all --group dev --universal --generate-hashes \
	    --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) .venv-train .mypy_cache .ruff_cache .pytest_cache
