"""Suites: real workers, real papermill, real kills."""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
import trial_many_runs
import trial_suites
from conftest import ROOT, SMALL, flags, launch, wait_for

from medimagegan.studies.suites import load_suite, plan_suite
from medimagegan.studies.workers import open_client



@pytest.fixture
def suite(tmp_path):
    "Write a small suite into a folder that looks like the checkout's."
    (tmp_path / 'experiments' / 'suites').mkdir(parents=True)
    (tmp_path / 'experiments' / 'experiment.ipynb').write_bytes((ROOT / 'experiments' / 'experiment.ipynb').read_bytes())
    file = tmp_path / 'experiments' / 'suites' / 'rates.yaml'
    file.write_text('title: Rates\nquestion: Does the rate matter?\nruns: {slow: {}, fast: {learning_rate: 1e-3}}\nseeds: [0, 1]\n'
                    f'base: {json.dumps({**SMALL, "score_every": 1, "num_epochs": 6})}\n')
    return file


def test_the_suites_of_the_study_are_complete_and_valid():
    files = sorted((ROOT / 'experiments' / 'suites').glob('*.yaml'))
    assert {f.stem for f in files} == {'non_convergence', 'batch_size', 'epochs', 'spectral_norm', 'latent_size', 'ttur', 'msg',
                                       'label_smoothing', 'image_size', 'architectures', 'architectures_256'}
    for file in files:
        suite = load_suite(file)
        on_lesions = file.stem.startswith('architectures')
        assert all((cfg.path == 'isic') == on_lesions for cfg in suite.runs.values()) and (len(suite.seeds) > 1 or on_lesions), file.name
        runs = plan_suite(suite, 'runs')
        assert len({cfg.run for _, cfg in runs}) == len(runs)
    ttur = load_suite(ROOT / 'experiments' / 'suites' / 'ttur.yaml')
    means = [cfg.learning_rate * cfg.ttur**.5 for cfg in ttur.runs.values()]
    assert max(means) / min(means) < 1.0001, 'the geometric mean of both rates is held'


def test_a_changed_suite_is_planned_and_reported_under_out(suite, medimagegan, tmp_path):
    said = medimagegan('suite', suite, '--dry-run', '--seeds', 3, '--set', 'num_epochs=4').stdout
    assert '6 runs, about' in said and not (tmp_path / 'runs').exists()
    assert '2 runs, about' in medimagegan('suite', suite, '--dry-run', '--seeds', 1, '--set', 'conditional=True').stdout
    for words, reason in ((('--set', 'lerning_rate=1'), "Did you mean 'learning_rate'"), (('--set', 'x'), 'NAME=VALUE'),
                          (('--only', 'slwo'), "Did you mean 'slow'"), (('--seeds', 0), 'expected a number in the range 1<=x<=1000, got 0')):
        assert reason in medimagegan('suite', suite, *words, code=2).stderr
    said = medimagegan('suite', suite, '--only', 'slow', '--seeds', 1, '--workers', 1, '--set', 'num_epochs=2').stdout
    reports = [file.name for file in (tmp_path / 'runs' / 'rates').glob('*.md')]
    assert len(reports) == 1 and reports[0].startswith('rates-') and f'report: runs/rates/{reports[0]}' in said
    assert not (suite.parent.parent / 'reports').exists(), 'the committed report is another one'


def test_kills_lose_nothing_and_the_report_follows(tmp_path):
    assert not [wrong for wrong in trial_suites.try_kills(tmp_path, runs=2, kills=1, workers=1) if wrong]
    reports = tmp_path / 'experiments' / 'reports'
    assert '**Answer.** Nothing to compare with rate 0' in (reports / 'rates.md').read_text() and (reports / 'README.md').exists()


def test_the_dashboard_is_there():
    with open_client(1) as (client, _):
        page = urllib.request.urlopen(client.dashboard_link, timeout=30).read().decode()
    assert 'Dask' in page and 'bokeh' in page.lower()


def test_runs_of_lost_workers_are_executed_elsewhere_once(tmp_path):
    found = trial_many_runs.try_many(tmp_path)
    assert not found['wrong'] and found['lost_workers'], found


def test_workers_of_another_scheduler(suite, medimagegan, tmp_path):
    def start(name, *words):
        return subprocess.Popen([sys.executable, '-m', f'distributed.cli.dask_{name}', *map(str, words)], cwd=elsewhere, text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    elsewhere, about = tmp_path / 'elsewhere', tmp_path / 'scheduler.json'  # a worker in another folder
    elsewhere.mkdir()
    started = [start('scheduler', '--host', '127.0.0.1', '--port', 0, '--no-dashboard', '--scheduler-file', about)]
    try:
        address = wait_for(lambda: json.loads(about.read_text())['address'], started[0])
        started.append(start('worker', address, '--nthreads', 1, '--no-dashboard'))
        words = ('suite', suite, '--only', 'slow', '--seeds', 1, '--set', 'num_epochs=1')
        said = medimagegan(*words, '--scheduler', address).stdout
        assert 'done' in said and len(list((tmp_path / 'runs' / 'rates').glob('*/result.json'))) == 1
        both = medimagegan(*words, '--out', 'two', '--scheduler', address, '--cluster', 'slurm', code=2)
        assert 'leave out --cluster slurm' in both.stderr
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(20)
    for wrong, line in ((address, 'no Dask scheduler answers there'), ('nonsense', 'expected tcp://HOST:PORT, got nonsense')):
        begun = time.monotonic()
        said = medimagegan(*words, '--out', 'two', '--scheduler', wrong, code=2).stderr
        assert line in said and len(said.splitlines()) == 1, said
        assert time.monotonic() - begun < 90


def test_compare_reads_any_runs(medimagegan, tmp_path):
    for seed in (0, 1):
        medimagegan('train', *flags(**SMALL, run=f's{seed}', seed=seed, score_every=1))
    medimagegan('train', *flags(**{**SMALL, 'arch': 'SNGAN'}, run='other', score_every=1))
    said = medimagegan('compare', 'runs/s0', 'runs/s1', 'runs/other', '--out', 'page').stdout
    assert 'Against arch DCGAN, by KD' in said and '| real vs. real |' in said and (tmp_path / 'page' / 'comparison.html').exists()
    assert 'the same settings and seed' in medimagegan('compare', 'runs/s0', 'runs/s0', code=2).stderr
    assert 'expected a finished run' in medimagegan('compare', 'runs', code=2).stderr


def test_a_run_folder_belongs_to_one_process(medimagegan, tmp_path):
    words = ['train', *flags(**{**SMALL, 'num_epochs': 100_000}, run='one')]
    first = launch(words, tmp_path, tmp_path)
    wait_for((tmp_path / 'runs' / 'one' / 'history.csv').exists, first)
    os.kill(first.pid, signal.SIGSTOP)  # the second waits 15 s for the folder, and needs no processor
    assert 'another process is training in runs/one' in medimagegan(*words, code=2).stderr
    first.kill()
    first.join()


def test_a_worker_keeps_its_memory():
    "Check that workers do not return memory at once, as Dask asks them to: training would take 1.7 times as long."
    with open_client(1) as (client, _):
        told = client.submit(dict, client.submit(os.environ.copy)).result(60)
    assert 'OMP_NUM_THREADS' in told and 'MALLOC_TRIM_THRESHOLD_' not in told
