"""What the tests share: the checkout's root, and a real process of the command line."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SMALL = {'image_size': 32, 'gen_feature_maps': 4, 'dis_feature_maps': 4, 'n_images': 40, 'num_epochs': 2, 'n_gpu': 0, 'batch_size': 8,
         'score_images': 8, 'curve_images': 4}


def flags(**settings):
    return [word for name, value in settings.items() for word in (f'--{name}', str(value))]


def command(*words, cwd, code=0, **env):
    "Run a program; its exit code must be `code`. Gives the finished process with its text."
    done = subprocess.run([str(w) for w in words], cwd=cwd, capture_output=True, text=True, timeout=300,
                          env={**os.environ, 'OMP_NUM_THREADS': '1', **env})
    assert done.returncode == code, f'exit {done.returncode}\n{done.stdout}\n{done.stderr}'
    return done


@pytest.fixture
def medimagegan(tmp_path):
    "The installed command, in a folder of its own."
    def call(*words, code=0, cwd=tmp_path):
        return command(Path(sys.executable).parent / 'medimagegan', *words, cwd=cwd, code=code)
    return call
