"""A killed run, started again with the same command, ends as one that was never killed."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import SMALL, flags

PROGRAM = Path(sys.executable).parent / 'medimagegan'
LONG = {**SMALL, 'num_epochs': 12, 'score_every': 1, 'n_images': 60, 'score_images': 4}


@pytest.mark.parametrize('arch', ['DCGAN', 'SNGAN'])
def test_killed_and_resumed_equals_straight(medimagegan, tmp_path, arch):
    medimagegan('train', *flags(**LONG, arch=arch, run='straight'))
    killed = tmp_path / 'runs' / 'killed'
    kills = 0
    for epoch in (2, 7):
        process = subprocess.Popen([PROGRAM, 'train', *flags(**LONG, arch=arch, run='killed')], cwd=tmp_path, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env={**os.environ, 'OMP_NUM_THREADS': '1'})
        while process.poll() is None and not (killed / 'samples' / f'epoch_{epoch:05d}.png').exists():
            time.sleep(.01)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills == 2
    assert not (killed / 'scores.json').exists()
    assert 'goes on after epoch' in medimagegan('train', *flags(**LONG, arch=arch, run='killed')).stdout
    for name in ('generator.safetensors', 'best.safetensors', 'history.csv', 'score_history.csv', 'samples/epoch_00012.png', 'scores.json'):
        assert (killed / name).read_bytes() == (tmp_path / 'runs' / 'straight' / name).read_bytes(), name


def test_ctrl_c_says_how_to_go_on(tmp_path):
    words = [PROGRAM, 'train', *flags(**{**LONG, 'num_epochs': 500}, run='long')]
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True,  # a shell's background jobs ignore Ctrl-C
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while not (tmp_path / 'runs' / 'long' / 'checkpoint.pt').exists():
        time.sleep(.05)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert 'the same command goes on' in process.communicate(timeout=60)[1] and process.returncode == 130
