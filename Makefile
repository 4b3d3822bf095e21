# make demo     install, train on the built-in phantoms, print the report's path
# make test     install, and run everything that must hold
# make trials   the long form of what breaks runs: kills, full disks, hostile files; about an hour
# make install  what both begin with
# make format, make notebooks  for those who change a chapter
PYTHON ?= python3
BIN = .venv/bin
# one thread a process: nbdev tests chapters side by side, and two processes with two threads each are seven times slower
# and one cache for all of them, so that the features of a set of phantoms are computed once
SLIM = OMP_NUM_THREADS=1 MEDIMAGEGAN_CACHE="$(CURDIR)/.venv/cache" PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: install demo test trials format notebooks clean

install: .venv/.installed

.venv/.installed: pyproject.toml
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else 'Python 3.10 to 3.13 is wanted, and this is %d.%d: make install PYTHON=python3.12' % v)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/medimagegan train input.yaml

test: install
	$(BIN)/ruff check nbs medimagegan tests experiments image_generation.py
	$(SLIM) nbdev_test --n_workers 2 --do_print
	$(SLIM) python -m pytest -q -n 2 --durations 8

trials: install
	for t in runs images settings trust suites; do $(SLIM) python tests/trial_$$t.py --full || exit 1; done

# notebooks -> package, and outputs without what a rerun would change
format: install
	$(SLIM) nbdev_export
	$(SLIM) nbdev_clean
	$(SLIM) nbdev_clean --fname experiments/experiment.ipynb
	$(SLIM) nbdev_clean --fname experiments/benchmark.ipynb
	$(SLIM) nbdev_clean --fname experiments/balance.ipynb

# every chapter run anew, with its outputs kept (progress lines left out: they would differ each time)
notebooks: install
	$(SLIM) nbdev_export
	$(SLIM) TQDM_DISABLE=1 jupyter nbconvert --log-level ERROR --to notebook --execute --inplace nbs/*.ipynb
	$(SLIM) nbdev_clean

clean:
	rm -rf .venv runs experiments/runs build *.egg-info
