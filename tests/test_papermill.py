"""Runs as notebooks: papermill itself, and `medimagegan experiment`."""
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import ROOT, SMALL, command, flags
from real_pixels import reals_in, write_patients

from medimagegan.core.config import load_config
from medimagegan.data.phantoms import write_phantoms
from medimagegan.runs.privacy import DO_NOT_SHARE


@pytest.fixture
def experiments(tmp_path):
    shutil.copy(ROOT / 'experiments' / 'experiment.ipynb', tmp_path / 'experiment.ipynb')
    return tmp_path


def papermill(*words, cwd, code=0):
    program = Path(sys.executable).parent / 'papermill'
    return command(program, 'experiment.ipynb', 'out.ipynb', '--no-progress-bar', *words, cwd=cwd, code=code)


def parameters(**settings):
    return [word for name, value in settings.items() for word in ('-p', name, value)]


def test_papermill_experiment_and_train_give_the_same_run(experiments, medimagegan):
    settings = {**SMALL, 'arch': 'SNGAN', 'learning_rate': '2e-4'}
    papermill(*parameters(**settings, run='007'), cwd=experiments)  # which papermill takes for 7
    medimagegan('train', *flags(**settings, run='flags'))
    (experiments / 'input.yaml').write_text('\n'.join(f'{k}: {v}' for k, v in {**settings, 'run': 'yaml'}.items()))
    done = command(sys.executable, ROOT / 'image_generation.py', 'input.yaml', cwd=experiments)
    assert 'runs/yaml/report.html' in done.stdout
    assert load_config(experiments / 'runs' / 'yaml' / 'config.yaml').learning_rate == 2e-4
    runs = [experiments / 'runs' / name for name in ('007', 'flags', 'yaml')]
    for name in ('generator.safetensors', 'history.csv', 'split.csv', 'scores.json'):
        assert len({(run / name).read_bytes() for run in runs}) == 1, name
    assert all((run / 'report.html').exists() for run in runs)
    executed = json.loads((experiments / 'out.ipynb').read_text())
    assert not [o for c in executed['cells'] for o in c.get('outputs', []) if o.get('name') == 'stderr'], 'quiet under papermill'


def test_a_parameter_that_is_no_setting_stops_the_notebook(experiments):
    said = papermill('-p', 'archh', 'SNGAN', cwd=experiments, code=1)
    assert "UserError: Unknown setting 'archh'. Did you mean 'arch'? (notebook parameters)" in said.stderr
    assert not (experiments / 'runs').exists()


def test_a_wrong_value_stops_the_notebook_with_the_same_line(experiments):
    said = papermill('-p', 'image_size', '100', cwd=experiments, code=1)
    assert 'image_size: expected one of 32, 64, 128, 256, 512, got 100 (notebook parameters)' in said.stderr
    assert not (experiments / 'runs').exists()


def test_experiment_keeps_the_executed_notebook_and_its_page(experiments, medimagegan):
    reals = write_patients(experiments / 'clinic', 24)
    medimagegan('experiment', *flags(**{**SMALL, 'n_images': 24}, path='clinic', run='kept'))
    folder = experiments / 'runs' / 'kept'
    page = (folder / 'experiment.html').read_text()
    assert (folder / 'experiment.ipynb').exists() and (folder / 'report.html').exists()
    assert not re.search(r'(src|href)="?http|url\(.?http|@import', page), 'no outside address'
    assert page.count('data:image/') >= 5
    assert reals_in(folder / 'experiment.ipynb', reals) > 15, 'the notebook is for the owner'
    assert DO_NOT_SHARE in page and DO_NOT_SHARE in (folder / 'experiment.ipynb').read_text()


def test_an_experiment_on_nothing_is_one_line_and_leaves_nothing(experiments, medimagegan):
    said = medimagegan('experiment', *flags(**SMALL, run='kept', path='nowhere'), code=2).stderr
    assert said == f'medimagegan experiment: path: nowhere: no such folder in {experiments}\n'
    assert not (experiments / 'runs').exists()


def test_papermill_can_list_the_parameters(experiments):
    said = command(Path(sys.executable).parent / 'papermill', '--help-notebook', 'experiment.ipynb', cwd=experiments).stdout
    assert 'ttur: float (default 1.0)' in said and "the discriminator's learning rate divided by the generator's" in said


def test_the_benchmark_notebook_renders_the_bench(tmp_path):
    shutil.copy(ROOT / 'experiments' / 'benchmark.ipynb', tmp_path / 'benchmark.ipynb')
    write_phantoms(tmp_path / 'lesions', 12, 32)
    words = parameters(sizes=32, batches=4, device='cpu', width=4, seconds=.02, rounds=2, out='bench.json', path='lesions')
    command(Path(sys.executable).parent / 'papermill', 'benchmark.ipynb', 'out.ipynb', '--no-progress-bar', *words, cwd=tmp_path)
    outputs = json.dumps([c.get('outputs') for c in json.loads((tmp_path / 'out.ipynb').read_text())['cells']])
    assert '| 32 | 4 | training |' in outputs and 'image/png' in outputs and '| 256 | 12 |' in outputs
    assert len(json.loads((tmp_path / 'bench.json').read_text())) == 3


def test_the_notebook_that_compares_feature_networks_runs_on_phantoms(tmp_path):
    words = ('-p', 'n', 16, '-p', 'steps', 4, '-p', 'image_size', 32, '-p', 'out', tmp_path / 'numbers', '-y', 'networks: [efficientnet_lite0]')
    command(Path(sys.executable).parent / 'papermill', ROOT / 'experiments' / 'judges.ipynb', 'out.ipynb', '--no-progress-bar', *words, cwd=tmp_path)
    rows = json.loads((tmp_path / 'numbers' / 'judges_phantoms.json').read_text())['rows']
    found = {row['fault']: row['noticed'] for row in rows if row['network'] == 'efficientnet_lite0'}
    assert len(rows) == 2 * 11 and not found['no fault'] and found['noise'] and found['the mean image']
