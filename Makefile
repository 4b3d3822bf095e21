# make demo       install, train on the built-in phantoms, print the path of the report
# make test       install, then run every test
# make trials     run the slow cells of the chapters and the long form of the trials: kills, full disks, hostile files; about an hour
# make docs       build the documentation site in _site/
# make format     after editing a chapter: export, clean, write the generated pages
# make notebooks  run every chapter again and keep its outputs
PYTHON ?= python3
BIN = .venv/bin
COMPILED = medimagegan.cli.studies, medimagegan.studies.balance_training, medimagegan.runs.experiment
COMPILED_TOO = papermill, nbconvert, ipykernel.kernelapp, distributed, pandas, matplotlib.pyplot, scipy.stats, seaborn
# One thread per process: on two cores, two processes with two threads each are seven times slower. A thread that waits, sleeps.
# One cache for all commands, so that the features of a set of phantoms are computed once.
# Tests kill suites, and what is left of a killed process would report the semaphores that it could not close.
# Where Python is told to write no bytecode, each of many processes would compile all that it imports.
SLIM = PYTHONDONTWRITEBYTECODE= PYTHONWARNINGS='ignore:resource_tracker:UserWarning' OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE \
       MEDIMAGEGAN_CACHE="$(CURDIR)/.venv/cache" PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: install demo test trials docs format notebooks clean

install: .venv/.installed

.venv/.installed: pyproject.toml
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else 'found Python %d.%d, expected 3.10 to 3.13: make install PYTHON=python3.12' % v)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev]'
	@# What is used is compiled here, by two processes, in a fifth of the time that it takes in all
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import $(COMPILED)" & PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import $(COMPILED_TOO)"; wait
	@touch $@

demo: install
	$(BIN)/medimagegan train input.yaml

test: install
	$(BIN)/ruff check nbs medimagegan tests experiments docs image_generation.py
	$(SLIM) nbdev_test --n_workers 3 --do_print
	$(SLIM) python -m pytest -q -n 3 --dist worksteal --durations 8

trials: install
	$(SLIM) nbdev_test --n_workers 2 --flags slow --do_print
	for t in runs images tables settings trust suites many_runs explorer; do $(SLIM) python tests/trial_$$t.py --full || exit 1; done

docs: install
	$(SLIM) python docs/build.py site

format: install
	$(SLIM) nbdev_export
	$(SLIM) python docs/build.py settings
	$(SLIM) python docs/build.py parameters
	$(SLIM) nbdev_clean
	$(SLIM) nbdev_clean --fname experiments/experiment.ipynb
	$(SLIM) nbdev_clean --fname experiments/benchmark.ipynb
	$(SLIM) nbdev_clean --fname experiments/balance.ipynb
	$(SLIM) nbdev_clean --fname experiments/quality.ipynb
	$(SLIM) nbdev_clean --fname experiments/verdict.ipynb
	$(SLIM) nbdev_clean --fname experiments/artefacts.ipynb
	$(SLIM) nbdev_clean --fname experiments/scaling.ipynb
	$(SLIM) nbdev_clean --fname experiments/measures.ipynb
	$(SLIM) nbdev_clean --fname experiments/judges.ipynb

notebooks: install
	$(SLIM) nbdev_export
	$(SLIM) TQDM_DISABLE=1 jupyter nbconvert --log-level ERROR --to notebook --execute --ExecutePreprocessor.store_widget_state=False --inplace nbs/*.ipynb
	$(SLIM) nbdev_clean

clean:
	rm -rf .venv _site runs experiments/runs nbs/runs build *.egg-info
