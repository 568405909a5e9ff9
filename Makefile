# make help says what there is. Everything but `requirements` and the container targets needs Python >= 3.11, git and make.
PYTHON ?= python3
DATA ?= flights
BENCH ?= quiet
SEED ?= 1
VENV := .venv
# all but `detection` and `shap`, whose evidently wants an older pandas
EXTRAS := api api-slim stream replay training demo dev
RUN := $(VENV)/bin/python -m
# uv takes certificates from the system, as pip and git do; both names, for older and newer uv
export UV_SYSTEM_CERTS ?= true
export UV_NATIVE_TLS ?= true
export MLFLOW_DISABLE_TELEMETRY := true
export PYTHONPATH := $(CURDIR)
# without .pyc files every start of a service takes five seconds longer
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test unit fuzz check format bench nemesis up down schemas requirements clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: requirements/all.txt requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11")'
	@echo "setting up $(VENV) from pinned, hashed requirements"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes -r requirements/all.txt \
	  || { echo "uv could not install the requirements; trying pip, which reads pip's own settings"; \
	       $(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements/all.txt; }
	@touch $@

demo: $(VENV)/ready ## the whole loop on real servers: training, alerts, retraining (DATA=flights or payments)
	@$(RUN) demo run --data $(DATA)

test: $(VENV)/ready ## every test, against real Kafka and Redis
	@$(VENV)/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder

unit: $(VENV)/ready ## the unit tests alone
	@$(VENV)/bin/pytest -n 2 --dist loadfile tests/unit tests/contracts tests/structure/test_examples.py

fuzz: $(VENV)/ready ## 10,000 requests made from the API's own page against a real one, 7 to 11 minutes: no 5xx, each answer an event
	@TIDEMARK_FUZZ_EXAMPLES=2400 $(VENV)/bin/pytest -s tests/integration/test_api_fuzz.py

check: $(VENV)/ready ## ruff, mypy --strict, import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: $(VENV)/ready ## put the code into its usual form
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench: $(VENV)/ready ## one benchmark (BENCH=quiet); `python -m bench` lists them
	@$(RUN) bench $(BENCH)

nemesis: $(VENV)/ready ## 1M events while workers, network and Kafka are killed, 8 minutes (SEED=1): nothing lost, nothing double
	@$(RUN) bench nemesis --seed $(SEED)

up: $(VENV)/ready ## the same stack, staying up; prints the URLs
	@$(RUN) demo up --data $(DATA)

down: $(VENV)/ready ## stops what `make up` started
	@$(RUN) demo down

schemas: $(VENV)/ready ## writes docs/schemas from the structs in contracts/
	@$(RUN) contracts docs/schemas

requirements: $(VENV)/ready ## pins pyproject.toml's dependencies anew into requirements/
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make requirements" $(EXTRAS:%=--extra %) -o requirements/all.txt pyproject.toml
	@for extra in $(EXTRAS); do \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --custom-compile-command "make requirements" --constraint requirements/all.txt \
	    --extra $$extra -o requirements/$$extra.txt pyproject.toml || exit 1; done
	@for tool in bootstrap dvc; do \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --custom-compile-command "make requirements" -o requirements/$$tool.txt requirements/$$tool.in || exit 1; done

clean: ## removes the environment and everything the demo wrote
	@rm -rf $(VENV) var
