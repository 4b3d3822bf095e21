"""Runs that are stopped, short of resources or changed: the short form of the trials, and cases that they lack."""
import os
import signal

import pandas as pd
import pytest
import torch
import trial_runs
from conftest import SMALL, flags
from PIL import Image

from medimagegan.core.config import FOLDER_SETTINGS
from medimagegan.data.phantoms import write_phantoms
from medimagegan.runs.folder import RunFolder


@pytest.mark.parametrize('name', ['kills', 'signals', 'saves', 'disks', 'numbers', 'seeds'])
def test_trial(name):
    told = trial_runs.trial(name)
    assert not [f'{what}: {wrong}' for what, wrong in told if wrong]
    if name == 'disks' and not told:
        pytest.skip('a small disk cannot be mounted here')
    assert told, 'nothing was tried'


def test_max_time_saves_and_stops_and_the_same_command_goes_on(medimagegan, tmp_path):
    straight = medimagegan('train', *flags(**SMALL, run='straight'))
    words = flags(**SMALL, run='short')
    said = medimagegan('train', *words, '--max_time', '0.00001', code=124)
    assert said.stderr == 'medimagegan train: max_time: 1e-05 minutes are up; the same command resumes\n'
    assert 'resumes after epoch 0 and 1 step' in medimagegan('train', *words).stdout, straight
    files = [(tmp_path / 'runs' / run / 'generator.safetensors').read_bytes() for run in ('straight', 'short')]
    assert files[0] == files[1]


def test_a_run_with_every_setting_that_needs_a_folder_goes_on_and_is_used(medimagegan, tmp_path):
    "Its checkpoint and its generator have these settings without the path."
    write_phantoms(tmp_path / 'images', 40, 32)
    reading = {'labels': 'images/metadata.csv', 'image_column': 'image', 'class_column': 'diagnosis', 'group_columns': 'lesion_id',
               'class_map': 'melanoma=mel,nevus=nv', 'window': 'lung', 'frames': 'first'}
    assert {*reading} == {*FOLDER_SETTINGS} - {'split'}
    words = flags(**{**SMALL, 'path': 'images', 'conditional': 'true', **reading})
    medimagegan('train', *words, '--run', 'straight')
    medimagegan('train', *words, '--run', 'a', '--max_time', '0.00001', code=124)
    assert 'resumes after' in medimagegan('train', *words, '--run', 'a').stdout
    files = [(tmp_path / 'runs' / run / 'generator.safetensors').read_bytes() for run in ('straight', 'a')]
    assert files[0] == files[1]
    medimagegan('release', 'runs/a', '--out', 'a.safetensors')
    for i, source in enumerate(('runs/a', 'a.safetensors')):
        medimagegan('sample', source, '--n', 4, '--classes', 'mel', '--candidates', 2, '--like', 'images', '--out', f'samples{i}')
        assert len(list((tmp_path / f'samples{i}').glob('*_mel.png'))) == 4
    medimagegan('train', *words, '--run', 'warm', '--warm_start', 'a.safetensors')
    medimagegan('report', 'runs/a')


def test_a_run_is_extended_and_other_settings_need_force(medimagegan, tmp_path):
    medimagegan('train', *flags(**SMALL, run='a'))
    config = (tmp_path / 'runs' / 'a' / 'config.yaml').read_bytes()
    for words, reason in ((flags(**SMALL, run='a', ttur=4), 'run: runs/a holds a run with ttur 1.0, not 4.0: resuming would mix two settings'),
                          (flags(**{**SMALL, 'num_epochs': 1}, run='a'), 'num_epochs: expected at least 2, the length of runs/a, got 1'),
                          (['runs/a', '--budget_images', 20], 'already trained for 2 epochs, 64 images and')):
        line = medimagegan('train', *words, code=2).stderr
        assert reason in line and line.count('\n') == 1
        assert (tmp_path / 'runs' / 'a' / 'config.yaml').read_bytes() == config
    said = medimagegan('train', 'runs/a', '--budget_images', 80).stdout
    assert 'extended: budget_images 80, was unlimited' in said and '80 images; on cpu' in said
    page = (tmp_path / 'runs' / 'a' / 'report.html').read_text()
    assert 'This run was extended at step 8: budget_images 80, before unlimited.' in page and 'not bit-identical' not in page
    assert RunFolder(tmp_path / 'runs' / 'a').history['step'].max() == 10
    assert 'nothing to do' in medimagegan('train', 'runs/a').stdout
    faster = medimagegan('train', 'runs/a', '--num_epochs', 4, '--ttur', 4, '--force').stdout
    assert 'resumes with ttur 4.0, started with ttur 1.0: the result is no longer byte-identical' in faster
    assert 'ttur: 1.0, then 4.0' in (tmp_path / 'runs' / 'a' / 'report.html').read_text()
    assert 'held out now, and runs/a was trained on it' in medimagegan('train', 'runs/a', '--num_epochs', 5, '--seed', 1, '--force', code=2).stderr
    wider = flags(gen_feature_maps=8, num_epochs=5)
    assert 'cannot resume from this checkpoint' in medimagegan('train', 'runs/a', *wider, '--force', code=2).stderr
    assert 'keeps images_are_public: false; to change that, edit' in medimagegan('train', 'runs/a', '--images_are_public', 'true').stdout
    (tmp_path / 'linked').mkdir()
    (tmp_path / 'linked' / 'other').symlink_to(tmp_path / 'runs' / 'a')  # the same run, whatever the way to it
    assert 'runs/a: already finished' in medimagegan('train', '.', cwd=tmp_path / 'runs' / 'a').stdout
    assert 'linked/other: already finished' in medimagegan('train', 'linked/other').stdout
    for file in (tmp_path / 'runs' / 'a').glob('checkpoint*.pt'):
        file.unlink()
    scores = (tmp_path / 'runs' / 'a' / 'scores.json').read_bytes()
    for more in ((), ('--force',)):
        assert 'has no checkpoint.pt any more' in medimagegan('train', 'runs/a', '--num_epochs', 9, *more, code=2).stderr
    assert (tmp_path / 'runs' / 'a' / 'scores.json').read_bytes() == scores


def test_images_that_changed_under_their_names_are_other_images(medimagegan, tmp_path):
    (tmp_path / 'images').mkdir()
    for i in range(20):
        Image.new('RGB', (40, 40), (i * 10, 90, 90)).save(tmp_path / 'images' / f'{i}.png')
    words = flags(**{**SMALL, 'n_images': 20}, path='images', run='a')
    medimagegan('train', *words, '--max_time', '0.00001', code=124)
    for i in range(20):
        Image.new('RGB', (40, 40), (9, i * 10, 90)).save(tmp_path / 'images' / f'{i}.png')
    said = medimagegan('train', *words, code=2).stderr
    assert 'path: images of images have changed since runs/a was started' in said and said.count('\n') == 1


def test_a_log_that_lost_rows_is_reported(medimagegan, tmp_path):
    words = flags(**{**SMALL, 'log_every': 1}, run='a')
    medimagegan('train', *words, '--max_time', '0.00001', code=124)
    (tmp_path / 'runs' / 'a' / 'history.csv').unlink()
    said = medimagegan('train', *words, code=2).stderr
    assert 'history.csv: damaged: expected the 1 rows that the checkpoint counted, found 0' in said


def test_an_unfinished_run_of_an_earlier_version_goes_on(medimagegan, tmp_path):
    "Its history has no mean signs, its checkpoint has a step without them, and its critic takes one step."
    small = {**SMALL, 'num_epochs': 3, 'log_every': 2, 'loss': 'wgan-gp'}
    earlier = flags(dis_steps=1, beta_adam=.5, beta2_adam=.999)  # its defaults
    medimagegan('train', *flags(**small, run='straight'), *earlier)
    medimagegan('train', *flags(**small, run='a'), *earlier, '--max_time', '0.00001', code=124)  # after one step
    runs = tmp_path / 'runs'
    state = torch.load(runs / 'a' / 'checkpoint.pt', weights_only=True)
    assert [len(numbers) for numbers in state['since']] == [10]
    torch.save(state | {'since': [state['since'][0][:7]]}, runs / 'a' / 'checkpoint.pt')
    (runs / 'a' / 'history.csv').write_text('epoch,step,d_loss,g_loss,d_real,d_fake,penalty,d_grad,g_grad\n')
    config = runs / 'a' / 'config.yaml'
    config.write_text(config.read_text().replace('dis_steps: 1\n', ''))
    medimagegan('train', *flags(**small, run='a'))
    assert RunFolder(runs / 'a').config.dis_steps == 1
    assert (runs / 'a' / 'generator.safetensors').read_bytes() == (runs / 'straight' / 'generator.safetensors').read_bytes()
    rows, straight = (pd.read_csv(runs / run / 'history.csv') for run in ('a', 'straight'))
    assert list(rows) == list(straight) and rows.iloc[:, :9].equals(straight.iloc[:, :9]) and rows.notna().all(axis=None)


def test_a_folder_that_vanishes_is_one_line(medimagegan, tmp_path, monkeypatch):
    import shutil
    import threading
    import time

    def take_away():
        while not (tmp_path / 'runs' / 'a' / 'history.csv').exists():
            time.sleep(.01)
        shutil.rmtree(tmp_path / 'runs' / 'a', ignore_errors=True)
    thread = threading.Thread(target=take_away)
    thread.start()
    said = medimagegan('train', *flags(**{**SMALL, 'num_epochs': 200}, run='a'), code=1).stderr
    thread.join()
    assert 'runs/a' in said and said.count('\n') == 1


def test_a_fastgan_trains_is_scored_resumes_with_equal_bytes_and_samples(medimagegan, tmp_path):
    small = {**SMALL, 'arch': 'FastGAN', 'latent_vector': 16, 'score_every': 0}
    medimagegan('train', *flags(**small, run='straight'))
    medimagegan('train', *flags(**small, run='short'), '--max_time', '0.00001', code=124)
    assert 'resumes after epoch 0 and 1 step' in medimagegan('train', *flags(**small, run='short')).stdout
    straight, short = (tmp_path / 'runs' / run for run in ('straight', 'short'))
    for name in ('generator.safetensors', 'history.csv'):
        assert (straight / name).read_bytes() == (short / name).read_bytes(), name
    assert (straight / 'scores.json').exists()
    medimagegan('sample', 'runs/straight', '--n', 3, '--out', 'images')
    assert len(list((tmp_path / 'images').rglob('*.png'))) == 3
    said = medimagegan('train', *flags(**{**small, 'features': 'timm:tf_efficientnet_lite1'}), code=2).stderr
    assert 'score with another one' in said and said.count('\n') == 1


def test_a_budget_ends_a_run_normally_and_at_the_same_total_when_it_was_interrupted(medimagegan, tmp_path):
    small = {name: value for name, value in SMALL.items() if name != 'num_epochs'} | {'log_every': 1, 'score_every': 0}
    folders = {run: RunFolder(tmp_path / 'runs' / run) for run in ('straight', 'parts')}
    words = {run: flags(**small, budget_minutes=.05, run=run) for run in folders}
    said = medimagegan('train', *words['straight']).stdout
    assert 'trained for 0.05' in said and '1000000' not in said

    command = trial_runs.Command(words['parts'], tmp_path)
    assert trial_runs.reach(command, folders['parts'].path, 20)
    os.kill(command.process.pid, signal.SIGTERM)
    assert command.end() == 128 + signal.SIGTERM and not folders['parts'].finished
    medimagegan('train', *words['parts'])

    for folder in folders.values():
        timing, history = folder.timing, folder.history
        assert 3 <= timing['seconds'].sum() <= 3 + timing['seconds'].max()  # no step takes longer than an epoch
        assert folder.scores['stopped'] is False and folder.scores['epoch'] == timing['epoch'].iloc[-1] == max(folder.sheets)
        assert (timing['seconds'] * timing['images_per_s']).sum() == pytest.approx(8 * len(history), rel=1e-3)
        assert '1000000' not in (folder.path / 'report.html').read_text()
    files = {file: file.read_bytes() for file in folders['parts'].path.iterdir() if file.is_file() and file.suffix != '.html'}
    medimagegan('train', *words['parts'])
    assert files == {file: file.read_bytes() for file in files}, 'a second start does nothing'
