"""Trial of runs that are killed, run out of disk, get NaN, or are repeated: `python tests/trial_runs.py [--full] [NAME ...]`.

Each trial yields (what was tried, what was wrong or ''). The short form has a few cases of each; `--full` has all of them."""
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from conftest import ROOT, SERVER, flags, launch

from medimagegan.core.config import TrainConfig, make_config
from medimagegan.core.errors import UserError
from medimagegan.data.phantoms import make_phantoms
from medimagegan.gan import capture
from medimagegan.gan.checkpoints import list_checkpoints, load_checkpoint, save_checkpoint
from medimagegan.gan.step import init_gan
from medimagegan.runs import launcher, opening
from medimagegan.runs.folder import RunFolder

TINY = {'image_size': 32, 'gen_feature_maps': 4, 'dis_feature_maps': 4, 'n_images': 60, 'num_epochs': 10, 'n_gpu': 0, 'batch_size': 4,
        'score_images': 4, 'curve_images': 4, 'score_every': 5, 'log_every': 1, 'precision': 'fp32',
        'features': 'random:test_efficientnet'}  # 120 steps; a tiny network: scores take no time
KINDS = {'DCGAN': {}, 'SNGAN': {'arch': 'SNGAN', 'loss': 'hinge'}, 'MSG': {'multi_scale': True}, 'R1': {'arch': 'SNGAN', 'r1_gamma': 1}}
EQUAL = ('generator.safetensors', 'best.safetensors', 'history.csv', 'score_history.csv')


class Command:
    "The program in its own process, forked from one that has imported torch; or papermill, with its own engine or ours."

    def __init__(self, words, cwd, door='train'):
        self.said = Path(tempfile.mkdtemp(dir=cwd))
        if door == 'train':
            self.process = launch(['train', *words], cwd, self.said)
        else:
            pairs = [word for name, value in zip(words[::2], words[1::2], strict=True) for word in ('-p', name.removeprefix('--'), value)]
            call = [Path(sys.executable).parent / 'papermill', ROOT / 'experiments' / 'experiment.ipynb', self.said / 'out.ipynb', *pairs,
                    '--no-progress-bar', '--log-level', 'CRITICAL', *(['--engine', 'medimagegan'] if door == 'engine' else [])]
            self.process = subprocess.Popen(call, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def running(self):
        return self.process.is_alive() if hasattr(self.process, 'is_alive') else self.process.poll() is None

    def end(self, seconds=120):
        "Its exit code; None where it does not end."
        if hasattr(self.process, 'join'):
            self.process.join(seconds)
            return self.process.exitcode
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def error(self):
        return (self.said / 'err').read_text()


def steps_done(run):
    "Return the last step in history.csv."
    try:
        return int((run / 'history.csv').read_text().splitlines()[-1].split(',')[1])
    except (OSError, ValueError, IndexError):
        return 0


def reach(command, run, wanted):
    "Wait until the run has done so many steps; return False if it ended before."
    while steps_done(run) < wanted:
        if not command.running():
            return False
        time.sleep(.002)
    return True


def saved_step(run, cfg):
    gan = init_gan(cfg)
    load_checkpoint(gan, cfg, run / 'checkpoint.pt', log=lambda line: None)
    return gan.step


def straight(work, kind):
    "Return the run that is never interrupted, made once."
    run = work / 'runs' / f'{kind}-straight'
    if not (run / 'scores.json').exists():
        assert Command(flags(**TINY, **KINDS[kind], run=run.name), work).end() == 0
    return run


def compare(run, whole):
    wrong = [name for name in EQUAL if (run / name).read_bytes() != (whole / name).read_bytes()]
    return f'{", ".join(wrong)} differ from the run that nobody stopped' if wrong else ''


def try_kills(work, full):
    "Kill at a random step, often twice; the same command resumes, and the run ends like one that was never killed."
    rng = random.Random(1)
    for i in range(30 if full else 2):
        kind, door = list(KINDS)[i % 4], 'plain' if full and i % 4 == 3 or i % 5 == 4 else 'train'
        run, whole, killed = work / 'runs' / f'{kind}-killed{i}', straight(work, kind), []
        words = flags(**TINY, **KINDS[kind], run=run.name)
        for at in sorted(rng.sample(range(1, 116), rng.choice((1, 2)))):
            command = Command(words, work, door)
            if reach(command, run, at):
                victims = [command.process.pid]
                if door != 'train':  # papermill, and the kernel, which has the folder's lock
                    victims += children(command.process.pid)
                for victim in victims:
                    os.kill(victim, signal.SIGKILL)
                killed.append(at)
            command.end()
        code = Command(words, work, door).end()
        wrong = f'exit {code}' if code else 'was never killed' if not killed else compare(run, whole)
        yield f'kill -9 {kind} through {door} at steps {killed}', wrong


def children(pid):
    found = subprocess.run(['pgrep', '-P', str(pid)], capture_output=True, text=True).stdout.split()
    return [p for child in found for p in (int(child), *children(child))]


def try_signals(work, full):
    "Signal at a random step: at most one step is lost, the exit code is the usual one within ten seconds, and the rest is exact."
    rng = random.Random(2)
    for i in range(20 if full else 3):
        kind, name = list(KINDS)[i % 4], ('SIGTERM', 'SIGTERM', 'SIGINT', 'SIGUSR1')[i % 4]
        door = 'engine' if i % 5 == 2 else 'train'
        run, whole, at = work / 'runs' / f'{kind}-asked{i}', straight(work, kind), rng.randrange(1, 80)
        command = Command(words := flags(**TINY, **KINDS[kind], run=run.name), work, door)
        reached, begun = reach(command, run, at), time.monotonic()
        with contextlib.suppress(ProcessLookupError):  # it ended too soon, which is reported below
            os.kill(command.process.pid, getattr(signal, name))
        code, seconds = command.end(), time.monotonic() - begun
        done, saved = steps_done(run), saved_step(run, make_config({**TINY, **KINDS[kind]}))
        usual = 128 + getattr(signal, name)
        wrong = ('' if reached else 'ended too soon') or (f'exit {code}, not {usual}' if code != usual else '')
        wrong = wrong or (f'took {seconds:.0f} s' if seconds > 10 else '')
        wrong = wrong or ('' if 0 <= done - saved <= 1 else f'{done} done, {saved} saved')
        if door == 'train' and not wrong and 'the same command resumes' not in command.error():
            wrong = f'said {command.error()!r}'
        wrong = wrong or (f'going on: exit {code}' if (code := Command(words, work).end()) else compare(run, whole))
        yield f'{name} {kind} through {door} at step {at}', wrong


def keep_saving(file, log):
    "Save without end, in a process of its own."
    cfg = TrainConfig(image_size=32, gen_feature_maps=16, dis_feature_maps=16, precision='fp32')
    gan = init_gan(cfg)
    for _ in range(100_000):
        gan.steps += 1
        try:
            save_checkpoint(gan, cfg, file)
        except OSError as error:
            log.write_text(str(error))
            os._exit(7)


def loads(file):
    "Describe what is wrong with the checkpoints of a folder."
    cfg = TrainConfig(image_size=32, gen_feature_maps=16, dis_feature_maps=16, precision='fp32')
    said = []
    try:
        load_checkpoint(init_gan(cfg), cfg, file, log=said.append)
    except UserError as error:
        return str(error)
    return said[0] if said else ''


def try_saves(work, full):
    "Kill at a random moment of saving: what is on the disk can be loaded, and nothing is damaged."
    rng = random.Random(3)
    for i in range(200 if full else 8):
        folder = work / f'saving{i}'
        folder.mkdir()
        process = SERVER.Process(target=keep_saving, args=(folder / 'checkpoint.pt', folder / 'said'))
        process.start()
        while not list_checkpoints(folder / 'checkpoint.pt'):
            time.sleep(.005)
        time.sleep(rng.random() * .3)
        process.kill()
        process.join()
        yield f'kill -9 while saving, {i}', loads(folder / 'checkpoint.pt')


def mounted(folder, size):
    folder.mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}k', 'tmpfs', str(folder)], capture_output=True, text=True)
    return done.returncode == 0


def try_disks(work, full):
    "Save to a disk that fills up or becomes read-only: one line of error, and the last good checkpoint stays."
    rng = random.Random(4)
    for what in ('full', 'read-only'):
        for i in range(20 if full else 2):
            folder = work / f'{what}{i}'
            if not mounted(folder, 40_000):
                print('skipped: nothing can be mounted here')
                return
            try:
                process = SERVER.Process(target=keep_saving, args=(folder / 'checkpoint.pt', work / f'said-{what}{i}'))
                process.start()
                while len(list_checkpoints(folder / 'checkpoint.pt')) < 2:
                    time.sleep(.005)
                time.sleep(rng.random() * .2)
                begun = time.monotonic()
                while process.is_alive() and time.monotonic() - begun < 30:
                    if what == 'read-only':  # busy, while a file is open to be written
                        subprocess.run(['mount', '-o', 'remount,ro', str(folder)], capture_output=True)
                    else:
                        with open(folder / 'other', 'ab') as other, contextlib.suppress(OSError):
                            other.write(bytes(rng.randrange(1_000_000)))
                    time.sleep(.01)
                process.join(60)
                said = (work / f'said-{what}{i}').read_text() if process.exitcode == 7 else ''
                wrong = '' if said and '\n' not in said and 'checkpoint.pt' in said else f'exit {process.exitcode}, said {said!r}'
                yield f'{what} disk while saving, {i}: {said}', wrong or loads(folder / 'checkpoint.pt')
            finally:
                if process.is_alive():
                    process.kill()
                subprocess.run(['umount', '-l', str(folder)], capture_output=True)


def poison(where, at):
    "Replace what `opening` and `capture` use, so that step `at` has a NaN in the gradients of D or G, or in the images."
    counted, real_init, real_signed = [0], opening.init_gan, capture.to_signed

    def poisoned(cfg, device='cpu', classes=()):
        gan = real_init(cfg, device, classes)
        if where != 'data':
            first = next(getattr(gan, where).parameters())
            first.register_hook(lambda grad: grad * float('nan') if gan.step == at - 1 else grad)
        return gan

    def signed(images):
        counted[0] += 1
        return real_signed(images) * (float('nan') if where == 'data' and counted[0] == at else 1)
    return poisoned, signed


def try_numbers(work, full):
    "Put a NaN into the gradients of D or G, or into the data: the run stops in that step, names it, and keeps its checkpoints."
    places = ('discriminator', 'generator', 'data')
    for i, (where, kind, at) in enumerate([(w, k, s) for w in places for k in ('DCGAN', 'SNGAN') for s in (7, 64)][::1 if full else 5]):
        run, cfg = work / 'runs' / f'{where}-{kind}-{at}', make_config({**TINY, **KINDS[kind], 'out': str(work / 'runs')})
        (opening.init_gan, capture.to_signed), before = poison(where, at), (opening.init_gan, capture.to_signed)
        try:
            wrong = 'it went on'
            launcher.run(replace(cfg, run=run.name, score_every=2), log=lambda line: None)
        except FloatingPointError as error:
            wrong = '' if f'after step {at},' in str(error) and 'first in the ' in str(error) else str(error)
        finally:
            opening.init_gan, capture.to_signed = before
        if at > 24 and not wrong:  # a checkpoint was saved at step 24
            kept = saved_step(run, replace(cfg, score_every=2))
            wrong = '' if kept <= at - 1 else f'a checkpoint of step {kept}'
        yield f'NaN in the {where} of {kind} at step {at}', wrong
        if i == 0:  # with `rollback`, it returns once
            (opening.init_gan, capture.to_signed), before = poison(where, 64), (opening.init_gan, capture.to_signed)
            try:
                folder = launcher.run(replace(cfg, run=f'{run.name}-back', score_every=2, rollback=.5), log=lambda line: None)
            except FloatingPointError:  # the trial puts a NaN into the same step again
                folder = RunFolder(work / 'runs' / f'{run.name}-back')
            finally:
                opening.init_gan, capture.to_signed = before
            rows = pd.read_csv(folder.path / 'resumes.csv')
            assert list(rows['what']) == ['rolled back'] and rows['was'][0] == 'step 64' and rows['step'][0] < 64


def train_twice(folder, cfg, threads):
    "Train twice, in a process of its own."
    torch.set_num_threads(threads)
    launcher.run(replace(cfg, out=str(folder)), log=lambda line: None)


def try_seeds(work, full):
    "Train twice with one seed: samples and history have the same bytes."
    for seed in range(5 if full else 1):
        for kind in ('DCGAN', 'SNGAN'):
            for threads in (1, 2) if full else (2,) if kind == 'SNGAN' else (1,):
                cfg = make_config({**TINY, **KINDS[kind], 'seed': seed, 'run': f'seed{seed}-{kind}-{threads}'})
                for twin in 'ab':
                    process = SERVER.Process(target=train_twice, args=(work / twin, cfg, threads))
                    process.start()
                    process.join()
                pair = [work / twin / cfg.run for twin in 'ab']
                names = (*EQUAL, 'samples/epoch_00010.png', 'scores.json')
                wrong = [name for name in names if pair[0].joinpath(name).read_bytes() != pair[1].joinpath(name).read_bytes()]
                yield f'seed {seed} of {kind} twice, {threads} threads', ' '.join(wrong)


TRIALS = {'kills': try_kills, 'signals': try_signals, 'saves': try_saves, 'disks': try_disks, 'numbers': try_numbers, 'seeds': try_seeds}


def trial(name, full=False):
    "Return [(what was tried, what was wrong or '')]."
    with tempfile.TemporaryDirectory() as d:
        return list(TRIALS[name](Path(d), full))


if __name__ == '__main__':
    torch.set_num_threads(1)
    os.environ['OMP_NUM_THREADS'] = '1'
    make_phantoms(TINY['n_images'], TINY['image_size'])
    chosen, told = [word for word in sys.argv[1:] if not word.startswith('-')], []
    for name in chosen or TRIALS:
        begun = time.monotonic()
        mine = trial(name, '--full' in sys.argv)
        told += mine
        for what, wrong in mine:
            if wrong:
                print(f'{what}: {wrong}')
        print(f'{name}: {len(mine)} tried, {sum(not wrong for _, wrong in mine)} held, {time.monotonic() - begun:.0f} s', flush=True)
    held = sum(not wrong for _, wrong in told)
    print(f'{len(told)} tried, {held} held')
    sys.exit(held < len(told))
