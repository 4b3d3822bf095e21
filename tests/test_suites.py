"""Suites: real workers, real papermill, real kills."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, SMALL, flags

from medimagegan.suites import load_suite, plan

PROGRAM = Path(sys.executable).parent / 'medimagegan'


@pytest.fixture
def suite(tmp_path):
    "A small suite in a folder that looks like the checkout's."
    (tmp_path / 'experiments' / 'suites').mkdir(parents=True)
    (tmp_path / 'experiments' / 'experiment.ipynb').write_bytes((ROOT / 'experiments' / 'experiment.ipynb').read_bytes())
    file = tmp_path / 'experiments' / 'suites' / 'rates.yaml'
    file.write_text('title: Rates\nquestion: Does the rate matter?\nruns: {slow: {}, fast: {learning_rate: 1e-3}}\nseeds: [0, 1]\n'
                    f'base: {json.dumps({**SMALL, "score_every": 1, "num_epochs": 6})}\n')
    return file


def processes(word):
    "Processes of this test: those whose command or surroundings name its folder."
    found = []
    for p in Path('/proc').glob('[0-9]*'):
        try:
            if word in (p / 'cmdline').read_text() or (word == os.readlink(p / 'cwd') and p.name != str(os.getpid())):
                found.append(int(p.name))
        except OSError:
            continue
    return found


def children(folder, word):
    "Processes with this word in their command that stand in the folder."
    found = subprocess.run(['pgrep', '-f', word], capture_output=True, text=True).stdout.split()
    return [p for p in map(int, found) if os.path.exists(f'/proc/{p}/cwd') and os.readlink(f'/proc/{p}/cwd') == str(folder)]


def test_the_suites_of_the_study_are_all_there_and_sound():
    files = sorted((ROOT / 'experiments' / 'suites').glob('*.yaml'))
    assert {f.stem for f in files} == {'non_convergence', 'batch_size', 'epochs', 'spectral_norm', 'latent_size', 'ttur', 'msg',
                                       'label_smoothing', 'image_size'}
    for file in files:
        suite = load_suite(file)
        assert len(suite.seeds) >= 2 and all(cfg.path == 'phantoms' for cfg in suite.runs.values()), file.name
        runs = plan(suite, 'runs')
        assert len({cfg.run for _, cfg in runs}) == len(runs)
    ttur = load_suite(ROOT / 'experiments' / 'suites' / 'ttur.yaml')
    means = [cfg.learning_rate * cfg.ttur**.5 for cfg in ttur.runs.values()]
    assert max(means) / min(means) < 1.0001, 'the geometric mean of both rates is held'


def test_a_changed_suite_is_planned_and_reported_under_out(suite, medimagegan, tmp_path):
    said = medimagegan('suite', suite, '--dry-run', '--seeds', 3, '--set', 'num_epochs=4').stdout
    assert '6 runs, about' in said and not (tmp_path / 'runs').exists()
    for words, reason in ((('--set', 'lerning_rate=1'), "did you mean 'learning_rate'"), (('--set', 'x'), 'NAME=VALUE'),
                          (('--only', 'slwo'), "did you mean 'slow'"), (('--seeds', 0), 'at least 1')):
        assert reason in medimagegan('suite', suite, *words, code=2).stderr
    said = medimagegan('suite', suite, '--only', 'slow', '--seeds', 1, '--workers', 1, '--set', 'num_epochs=2').stdout
    assert (tmp_path / 'runs' / 'rates' / 'rates.md').exists() and 'report: runs/rates/rates.md' in said
    assert not (suite.parent.parent / 'reports').exists(), 'the committed report is another one'


def test_killed_drivers_workers_and_kernels_lose_nothing(suite, tmp_path):
    words = [PROGRAM, 'suite', suite, '--workers', '2', '--out', str(tmp_path / 'runs')]
    results = lambda: sorted((tmp_path / 'runs' / 'rates').glob('*/result.json'))  # noqa: E731

    def start():
        return subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={**os.environ, 'OMP_NUM_THREADS': '1'})

    def wait_for(pattern):
        begun = time.monotonic()
        while not list((tmp_path / 'runs').glob(pattern)):
            assert time.monotonic() - begun < 120 and driver.poll() is None
            time.sleep(.05)
    driver = start()
    wait_for('rates/*/history.csv')
    driver.kill()  # the driver: its workers, notebooks and kernels end with it
    driver.wait()
    begun = time.monotonic()
    while left := [p for p in processes(str(tmp_path)) if p != os.getpid()]:
        assert time.monotonic() - begun < 10, f'left behind: {left}'
        time.sleep(.2)
    before = {f: f.stat().st_mtime_ns for f in results()}
    driver = start()
    killed = 0
    for word in ('ipykernel_launcher', 'spawn_main'):  # a kernel, then a worker, each while a run is under way
        begun = time.monotonic()
        while not (kernels := children(tmp_path, 'ipykernel_launcher')) and driver.poll() is None and time.monotonic() - begun < 90:
            time.sleep(.1)
        victims = kernels if word == 'ipykernel_launcher' else children(tmp_path, word)
        if victims and driver.poll() is None:
            os.kill(victims[-1], signal.SIGKILL)
            killed += 1
            time.sleep(1)
    assert killed == 2
    said = driver.communicate(timeout=300)[0]
    assert driver.returncode == 0, said
    assert len(results()) == 4 and all(f.stat().st_mtime_ns == was for f, was in before.items()), 'none is run twice'
    for _, cfg in plan(load_suite(suite), tmp_path / 'runs'):
        steps = [row.split(',')[1] for row in (Path(cfg.out) / cfg.run / 'history.csv').read_text().splitlines()[1:]]
        assert len(steps) == len(set(steps)), 'one writer'
        assert (Path(cfg.out) / cfg.run / 'experiment.html').exists()
    report = (suite.parent.parent / 'reports' / 'rates.md').read_text()
    assert '**Answer.** Against slow' in report and (suite.parent.parent / 'reports' / 'README.md').exists()


def test_workers_of_another_scheduler(suite, medimagegan, installed, tmp_path):
    def start(name, *words):
        return subprocess.Popen([sys.executable, '-m', f'distributed.cli.dask_{name}', *map(str, words)], cwd=elsewhere, text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    elsewhere, about = tmp_path / 'elsewhere', tmp_path / 'scheduler.json'  # a worker that stands in another folder
    elsewhere.mkdir()
    started = [start('scheduler', '--host', '127.0.0.1', '--port', 0, '--no-dashboard', '--scheduler-file', about)]
    try:
        while not about.exists():
            assert started[0].poll() is None
            time.sleep(.05)
        address = json.loads(about.read_text())['address']
        started.append(start('worker', address, '--nthreads', 1, '--no-dashboard'))
        words = ('suite', suite, '--only', 'slow', '--seeds', 1, '--set', 'num_epochs=1')
        said = medimagegan(*words, '--scheduler', address).stdout
        assert 'done' in said and len(list((tmp_path / 'runs' / 'rates').glob('*/result.json'))) == 1
        assert 'leave cluster out' in medimagegan(*words, '--out', 'two', '--scheduler', address, '--cluster', 'slurm', code=2).stderr
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(20)
    for wrong in (address, 'nonsense'):
        begun = time.monotonic()
        said = installed(*words, '--out', 'two', '--scheduler', wrong, code=2).stderr
        assert f'scheduler: {wrong}: nobody answers there' in said and len(said.splitlines()) == 1
        assert time.monotonic() - begun < 40


def test_compare_reads_any_runs(medimagegan, tmp_path):
    for seed in (0, 1):
        medimagegan('train', *flags(**SMALL, run=f's{seed}', seed=seed, score_every=1))
    medimagegan('train', *flags(**SMALL, run='other', arch='SNGAN', score_every=1))
    said = medimagegan('compare', 'runs/s0', 'runs/s1', 'runs/other', '--out', 'page').stdout
    assert 'Against arch DCGAN, by KD' in said and '| other reals |' in said and (tmp_path / 'page' / 'comparison.html').exists()
    assert 'the same settings and seed' in medimagegan('compare', 'runs/s0', 'runs/s0', code=2).stderr
    assert 'not a finished run' in medimagegan('compare', 'runs', code=2).stderr


def test_a_run_folder_belongs_to_one_process(medimagegan, tmp_path):
    words = [PROGRAM, 'train', *flags(**{**SMALL, 'num_epochs': 100_000}, run='one')]
    first = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / 'runs' / 'one' / 'history.csv').exists():
        time.sleep(.05)
    second = medimagegan('train', *flags(**{**SMALL, 'num_epochs': 100_000}, run='one'), code=2)
    assert 'another process is training in runs/one' in second.stderr
    first.kill()
    first.wait()
