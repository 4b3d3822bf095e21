"""Trial of a suite whose processes are killed at random: `python tests/trial_suites.py [--full]`.

The full form has 30 runs and 10 kills, of workers, servers of runs, notebooks' drivers, kernels and the suite's own process, which is started again.
Expected: each run has its result, was executed by one process at a time and by none after it was done, and ten seconds after an end
no process is left."""
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conftest import ROOT, SMALL

from medimagegan.studies.suites import load_suite, plan_suite

PROGRAM = Path(sys.executable).parent / 'medimagegan'
# A forked process has the command line of the process that it was forked from; the number says how often it was forked
PARTS = {'worker': ('spawn_main', 0), 'notebook': ('serve_runs', 1), 'kernel': ('serve_runs', 2), 'server': ('serve_runs', 0)}


def command_line(pid):
    return Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='replace')


def forks(pid):
    "Count the ancestors that have this process's command line."
    parent = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[1]
    return 1 + forks(parent) if parent != '0' and command_line(parent) == command_line(pid) else 0


def processes(folder, word='', depth=None):
    "Return {pid: command line} of the processes whose working folder is in `folder`."
    found = {}
    for place in Path('/proc').glob('[0-9]*'):
        with contextlib.suppress(OSError):
            if os.readlink(place / 'cwd') == str(folder) and (line := command_line(place.name)) and word in line:
                found |= {int(place.name): line} if int(place.name) != os.getpid() and depth in (None, forks(place.name)) else {}
    return found


def write_suite(work, runs):
    "Write a suite of so many tiny runs, two seeds each, into a folder that looks like the checkout's."
    file = work / 'experiments' / 'suites' / 'rates.yaml'
    file.parent.mkdir(parents=True)
    (work / 'experiments' / 'experiment.ipynb').write_bytes((ROOT / 'experiments' / 'experiment.ipynb').read_bytes())
    arms = {f'rate {i}': {'learning_rate': (i + 1) * 1e-4} for i in range(runs // 2)}
    text = {'title': 'Rates', 'question': 'Does the rate matter?', 'runs': arms, 'seeds': [0, 1],
            'base': {**SMALL, 'score_every': 1, 'num_epochs': 6}}
    file.write_text(json.dumps(text))
    return file


class Watch:
    "The suite's own process, and what was observed of its runs."

    def __init__(self, work, file, workers):
        self.work, self.file, self.workers, self.twice, self.driver = work, file, workers, [], None

    def start(self):
        words = [PROGRAM, 'suite', self.file, '--workers', str(self.workers), '--out', self.work / 'runs']
        self.driver = subprocess.Popen(words, cwd=self.work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def look(self):
        "Is one run made by two processes? The errors of each go to a file that bears the run's name."
        made = []
        for pid in processes(self.work, *PARTS['notebook']):
            with contextlib.suppress(OSError):
                made += [Path(os.readlink(f'/proc/{pid}/fd/2')).name]
        self.twice += [name for name in set(made) if made.count(name) > 1]

    def left(self, seconds=10):
        "What is there of it so long after its end."
        begun = time.monotonic()
        while (there := processes(self.work)) and time.monotonic() - begun < seconds:
            time.sleep(.1)
        return there


def try_kills(work, runs=4, kills=3, seed=0, workers=2):
    "Return [what was wrong or ''], one entry per run."
    rng, killed, left = random.Random(seed), [], []
    watch = Watch(work, write_suite(work, runs), workers)
    planned = [Path(cfg.out) / cfg.run for _, cfg in plan_suite(load_suite(watch.file), work / 'runs')]
    done = lambda: {run: (run / 'result.json').stat().st_mtime_ns for run in planned if (run / 'result.json').exists()}  # noqa: E731
    wanted = [('driver', *PARTS)[i % 5] for i in range(kills)]
    rng.shuffle(wanted)
    seen = {}
    watch.start()
    while watch.driver.poll() is None or wanted:
        watch.look()
        seen = {**done(), **seen}  # the first time counts
        if watch.driver.poll() is not None:
            if len(done()) == runs:
                break
            watch.start()
        due = wanted and len(done()) >= (kills - len(wanted)) * (runs - 1) // kills
        there = processes(watch.work, *PARTS['kernel']) if due else {}
        if there and any((run / 'history.csv').exists() and run not in done() for run in planned):
            time.sleep(rng.random())
            what = wanted[-1]
            victims = [watch.driver.pid] if what == 'driver' else list(processes(watch.work, *PARTS[what]))
            if victims and watch.driver.poll() is None:
                try:
                    os.kill(rng.choice(victims), signal.SIGKILL)
                except OSError:
                    continue
                killed.append(wanted.pop())
                if what == 'driver':
                    watch.driver.wait()
                    left += watch.left().values()
                    watch.start()
        time.sleep(.05)
    said = watch.driver.communicate()[0]
    left += watch.left().values()
    ended = done()
    for run in planned:
        steps = [row.split(',')[1] for row in (run / 'history.csv').read_text().splitlines()[1:]]
        faults = {f'no result: {said[-300:]}': run not in ended, 'made again': ended.get(run) != seen.get(run, ended.get(run)),
                  'a step stands twice': len(steps) != len(set(steps)),
                  'two processes at once': run.name in watch.twice,
                  'no page': not (run / 'experiment.html').exists(), f'left behind: {left[:2]}': left,
                  f'only {len(killed)} kills': len(killed) < kills}
        yield '; '.join(fault for fault, found in faults.items() if found)


if __name__ == '__main__':
    os.environ['OMP_NUM_THREADS'] = '1'
    with tempfile.TemporaryDirectory() as d:
        full = '--full' in sys.argv
        told = list(try_kills(Path(os.path.realpath(d)), *((30, 10) if full else (4, 3))))
    for wrong in filter(None, told):
        print(wrong)
    print(f'{len(told)} tried, {told.count("")} held')
    sys.exit(told.count('') < len(told))
