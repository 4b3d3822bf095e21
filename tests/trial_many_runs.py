"""Trial of thousands of runs: `python tests/trial_many_runs.py [--full] [--out FILE]`, and the report of as many.

A Dask scheduler and its workers are processes of their own, as on a cluster. The runs only sleep: some fail once, two fail always, and
workers are killed and replaced meanwhile. The full form has 5,000 runs and eight workers.
Expected: each run has one result, none was executed after it was done, and a lost worker is noticed within ten seconds."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil

from medimagegan.core.files import atomic_write


def pretend_run(folder, name, seconds, failures):
    "Sleep in place of training; fail the first times, and record each attempt and one result."
    result = Path(f'{folder}/{name}.done')
    with open(f'{folder}/{name}.tries', 'a') as tries:
        tries.write(f'{os.getpid()}, {"done before" if result.exists() else "new"}\n')
    if result.exists():
        return 'done'
    time.sleep(seconds)
    if len(Path(f'{folder}/{name}.tries').read_text().splitlines()) <= failures:
        raise ChildProcessError('failed, as planned')
    with atomic_write(result) as new:
        new.write_text(name)
    return 'done'


class Cluster:
    "A scheduler and workers without nannies: a worker that is killed is lost, and another is started by us, as a queue does."

    def __init__(self, folder, workers):
        self.started, self.folder, self.about = 0, folder, folder / 'scheduler.json'
        self.environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(Path(__file__).parent), os.environ.get('PYTHONPATH', '')])}
        self.scheduler = self.start('scheduler', '--host', '127.0.0.1', '--port', '0', '--no-dashboard', '--scheduler-file', self.about)
        while not (self.about.exists() and self.about.read_text().strip().endswith('}')):
            time.sleep(.05)
        self.address = json.loads(self.about.read_text())['address']
        self.names, self.workers = [], []
        for i in range(workers):
            self.start_worker(i)

    def start(self, *words):
        return subprocess.Popen([Path(sys.executable).parent / 'dask', *words], env=self.environment, cwd=self.folder,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start_worker(self, i):
        "Start a worker in place `i`."
        self.started += 1
        words = ['--no-nanny', '--nthreads', '1', '--no-dashboard', '--death-timeout', '60', '--name', f'worker-{self.started}']
        self.workers[i:i + 1], self.names[i:i + 1] = [self.start('worker', self.address, *words)], [f'worker-{self.started}']

    def memory(self):
        "Of the scheduler, in MiB."
        return psutil.Process(self.scheduler.pid).memory_info().rss / 2**20

    def close(self):
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


def take_workers(cluster, client, kills, most, over, seed):
    "Kill workers at random and start others, until `over` is set; append the seconds until the scheduler noticed."
    rng = random.Random(seed)
    known = lambda: {worker['name'] for worker in client.scheduler_info(n_workers=-1)['workers'].values()}  # noqa: E731
    while len(kills) < most and not over.wait(rng.uniform(1, 4)):
        there = [i for i, name in enumerate(cluster.names) if name in known()]
        if not there:
            continue
        i = rng.choice(there)
        cluster.workers[i].send_signal(signal.SIGKILL)
        cluster.workers[i].wait()
        begun = time.monotonic()
        while cluster.names[i] in known() and time.monotonic() - begun < 60:
            time.sleep(.01)
        kills.append(time.monotonic() - begun)
        cluster.start_worker(i)


def try_many(folder, runs=60, workers=2, seconds=.15, kills_at_most=2, seed=0):
    "Return what was measured, with a list of what was wrong."
    from medimagegan.studies.suite_runs import run_calls  # here, because workers import this file, and need no torch
    from medimagegan.studies.workers import open_client
    rng, kills, over, said = random.Random(seed), [], threading.Event(), []
    names = [f'run-{i}' for i in range(runs)]
    fails = {name: 1 if rng.random() < .02 else 0 for name in names} | {name: 99 for name in names[:2]}
    calls = {name: (pretend_run, str(folder), name, rng.expovariate(1 / seconds), fails[name]) for name in names}
    cluster = Cluster(folder, workers)
    try:
        with open_client(scheduler=cluster.address) as (client, _):
            client.wait_for_workers(workers)
            before, begun, processor = cluster.memory(), time.monotonic(), time.process_time()
            killer = threading.Thread(target=take_workers, args=(cluster, client, kills, kills_at_most, over, seed))
            killer.start()
            failed = run_calls(calls, client, folder, said.append)
            took, mine = time.monotonic() - begun, time.process_time() - processor
            over.set()
            killer.join()
            peak = cluster.memory()
    finally:
        over.set()
        cluster.close()
    tries = {name: (folder / f'{name}.tries').read_text().splitlines() for name in names}
    executed = {name: sum('new' in line for line in lines) for name, lines in tries.items()}
    more = sum(executed.values()) - runs - sum(fails[name] for name in names[2:]) - 2 * 3
    wrong = [f'{name}: no result' for name in names[2:] if not (folder / f'{name}.done').exists()]
    wrong += [f'{more} attempts more than planned, and {len(kills)} workers were lost'] if more > len(kills) else []
    wrong += [f'failed: {sorted(failed)}'] if sorted(failed) != names[:2] else []
    wrong += [f'{len(said)} lines for {runs} runs'] if len(said) != runs else []
    wrong += [f'a lost worker was noticed after {max(kills):.1f} s'] if max(kills, default=0) > 10 else []
    slept = sum(call[3] for call in calls.values())
    return {'runs': runs, 'workers': workers, 'seconds': took, 'slept_s': slept, 'overhead_ms_a_run': 1e3 * (took * workers - slept) / runs,
            'client_cpu_ms_a_run': 1e3 * mine / runs, 'scheduler_mib': [before, peak], 'lost_workers': len(kills),
            'interrupted': more, 'asked_again': sum(map(len, tries.values())) - sum(executed.values()),
            'noticed_s': [min(kills, default=None), max(kills, default=None)], 'wrong': wrong}


def try_report(folder, arms=3, seeds=4):
    "Return the seconds that the report of so many runs takes: one tiny run, linked, with other seeds and scores."
    from conftest import SMALL

    from medimagegan.core.config import save_config, settings_text
    from medimagegan.runs.launcher import run
    from medimagegan.studies.suite_runs import write_suite_report
    from medimagegan.studies.suites import load_suite, plan_suite
    file, rng = folder / 'many.yaml', random.Random(0)
    base = {**SMALL, 'n_images': 80, 'num_epochs': 8, 'score_every': 1}
    runs = {f'rate {i}': {'learning_rate': (i + 1) * 1e-5} for i in range(arms)}
    file.write_text(json.dumps({'title': 'Many', 'question': 'How many?', 'runs': runs, 'seeds': list(range(seeds)), 'base': base}))
    suite = load_suite(file)
    plan = plan_suite(suite, folder / 'runs')
    one = run(replace(plan[0][1], out=str(folder / 'one')), log=lambda line: None)
    for _, cfg in plan:
        at, scores = Path(cfg.out) / cfg.run, one.scores
        shutil.copytree(one.path, at, copy_function=os.link)
        next(cell for name, cell in scores['metrics'].items() if name.startswith('KD'))['value'] += rng.gauss(0, .01)
        (at / 'scores.json').unlink()
        (at / 'scores.json').write_text(json.dumps(scores))
        (at / 'config.yaml').unlink()
        save_config(cfg, at / 'config.yaml')
        (at / 'result.json').write_text(json.dumps({'status': 'done', 'said': '', 'config': settings_text(cfg), 'scores': scores}))
    begun = time.monotonic()
    report = write_suite_report(suite, plan, folder / 'reports').read_text()
    wrong = [f'no row of rate {i}' for i in range(arms) if f'rate {i} ' not in report]
    return {'arms': arms, 'seeds': seeds, 'seconds': time.monotonic() - begun, 'wrong': wrong}


if __name__ == '__main__':
    full = '--full' in sys.argv
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as other:
        found = try_many(Path(place), **({'runs': 5000, 'workers': 8, 'seconds': .1, 'kills_at_most': 1000} if full else {}))
        found['report'] = try_report(Path(other), **({'arms': 50, 'seeds': 100} if full else {}))
    print(json.dumps(found, indent=1))
    if '--out' in sys.argv:
        Path(sys.argv[sys.argv.index('--out') + 1]).write_text(json.dumps(found, indent=1) + '\n')
    sys.exit(bool(found['wrong'] or found['report']['wrong']))
