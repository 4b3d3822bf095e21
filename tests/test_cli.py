"""The command line as a user calls it: real processes, real folders."""
import json
import sys

import pytest
from conftest import SMALL, command, flags
from PIL import Image

from medimagegan.core.architectures import ARCHITECTURES
from medimagegan.core.config import describe_settings


def test_train_then_sample_then_report(installed, medimagegan, tmp_path):
    first = installed('train', *flags(**SMALL, run='a'))
    folder = tmp_path / 'runs' / 'a'
    assert 'runs/a/report.html' in first.stdout
    assert set(json.loads((folder / 'scores.json').read_text())) >= {'PSNR', 'SSIM', 'MS-GMSD', 'MDSI', 'HaarPSI'}
    before = {f: f.stat().st_mtime_ns for f in folder.rglob('*')}
    assert 'already finished' in medimagegan('train', *flags(**SMALL, run='a')).stdout
    assert 'already finished' in medimagegan('train', folder / 'config.yaml').stdout, 'the saved config alone names the run'
    assert {f: f.stat().st_mtime_ns for f in folder.rglob('*')} == before

    medimagegan('sample', folder, '--n', 3, '--out', 'pictures')
    pictures = sorted((tmp_path / 'pictures').iterdir())
    assert [p.name for p in pictures] == [f'seed0_0000{i}.png' for i in range(3)]
    assert Image.open(pictures[0]).size == (32, 32)
    assert 'not an empty folder' in medimagegan('sample', folder, '--out', 'pictures', code=2).stderr

    page = (folder / 'report.html').read_bytes()
    (folder / 'report.html').unlink()
    medimagegan('report', 'runs/a')
    assert (folder / 'report.html').read_bytes() == page
    modes = {(folder / name).stat().st_mode for name in ('generator.safetensors', 'best.safetensors', 'history.csv', 'scores.json')}
    assert len(modes) == 1, 'every file of a run has the permissions of any other'
    assert str(tmp_path) not in page.decode(), 'no absolute path of this machine'


def test_grey_images_train_sample_and_report(medimagegan, tmp_path):
    (tmp_path / 'films').mkdir()
    for i in range(24):
        Image.linear_gradient('L').rotate(15 * i).resize((80, 60)).save(tmp_path / 'films' / f'{i}.png')
    small = {**SMALL, 'n_images': 24, 'batch_size': 4}
    done = medimagegan('train', *flags(**{**small, 'arch': 'SNGAN'}, path='films', number_channels=1, run='grey'))
    assert done.stderr == '', 'no warning on the way'
    medimagegan('sample', 'runs/grey', '--n', 1, '--out', 'one')
    assert Image.open(tmp_path / 'one' / 'seed0_00000.png').mode == 'L'


def test_phantoms_are_a_folder_that_can_be_trained_on(medimagegan, tmp_path):
    medimagegan('phantoms', 'set', '--n', 30, '--image-size', 64)
    assert len(list((tmp_path / 'set').rglob('*.png'))) == 30
    assert (tmp_path / 'set' / 'metadata.csv').read_text().startswith('image,diagnosis,lesion_id,')
    done = medimagegan('train', *flags(**{**SMALL, 'n_images': 30}, path='set', classes='nevus', holdout=0.5, run='c'))
    assert '; nevus ' in done.stdout and 'melanoma' not in done.stdout
    assert 'not an empty folder' in medimagegan('phantoms', 'set', code=2).stderr


@pytest.mark.parametrize(('words', 'line'), [
    (['train', '--lr', '1'], 'medimagegan train: unknown setting --lr'),
    (['train', '--batch_siz', '8'], "medimagegan train: unknown setting --batch_siz. Did you mean '--batch_size'?"),
    (['train', 'none.yaml'], 'medimagegan train: none.yaml: cannot be read: No such file or directory'),
    (['train', '--path', 'nowhere'], 'medimagegan train: path: nowhere: no such folder'),
    (['train', '--n_gpu', '64'], 'medimagegan train: n_gpu: expected at most '),
    (['train', '--classes', 'melanom'], "medimagegan train: classes: 'melanom' is not among the phantoms: melanoma, nevus"),
    (['train', '--arch', 'StyleGAN'], f"medimagegan train: arch: expected one of {', '.join(ARCHITECTURES)}, auto, got 'StyleGAN'"),
    (['train', 'a.yaml', 'b.yaml'], 'medimagegan train: unexpected arguments: b.yaml'),
    (['sample', 'nowhere', '--out', 'x', '--n', '0'], 'medimagegan sample: --n: expected a number in the range 1<=x<=1000000, got 0'),
])
def test_errors_are_one_line_and_nothing_is_written(medimagegan, tmp_path, words, line):
    said = medimagegan(*words, code=2)
    assert said.stderr.strip().startswith(line) and said.stderr.count('\n') == 1, said.stderr
    assert not list(tmp_path.iterdir())


def test_help_lists_every_setting(medimagegan):
    said = medimagegan('train', '--help').stdout
    for row in describe_settings():
        assert f"--{row['name']}" in said


def test_bench_prints_a_table_and_writes_rows(medimagegan, tmp_path):
    words = ('--sizes', '32', '--batches', '2,4', '--device', 'cpu', '--width', 4, '--seconds', .02, '--rounds', 2)
    said = medimagegan('bench', *words, '--out', 'bench.json').stdout
    rows = json.loads((tmp_path / 'bench.json').read_text())
    assert [(row['batch'], row['variant']) for row in rows] == [(b, v) for b in (2, 4) for v in ('plain', 'eager', 'training')]
    assert set(rows[0]) >= {'size', 'batch', 'variant', 'ms_per_step', 'images_per_s', 'ratio', 'tflops', 'peak_share', 'memory_mib'}
    assert sum(line.startswith('| 32 |') for line in said.splitlines()) == 6 and Image.open(tmp_path / 'bench.png').width > 100
    for words, reason in ((('--sizes', '48'), 'image_size: expected one of 32, 64, 128, 256, 512, got 48'),
                          (('--batches', '4,x'), 'integers separated by commas'),
                          (('--out', 'rows.csv'), 'ends in .json'), (('--rounds', '0'), 'expected a number in the range 1<=x<=1000, got 0')):
        assert reason in medimagegan('bench', '--device', 'cpu', *words, code=2).stderr


def test_cache_shows_and_clears(medimagegan, tmp_path):
    def call(*words):
        return medimagegan(*words, MEDIMAGEGAN_CACHE=str(tmp_path / 'cache'), HOME=str(tmp_path / 'home')).stdout
    assert '0.0 MiB' in call('cache')
    call('phantoms', 'lesions', '--n', 40, '--image-size', 32)
    small = flags(**{**SMALL, 'path': 'lesions'})
    first = call('train', *small, '--run', 'a')
    place = next((tmp_path / 'cache' / 'images').iterdir())
    assert f'images: {place}, 0 MiB' in first
    made = place.joinpath('images.bytes').stat().st_mtime_ns
    call('train', *small, '--run', 'b')
    assert place.joinpath('images.bytes').stat().st_mtime_ns == made, 'decoded once'
    for name in ('generator.safetensors', 'scores.json', 'split.csv'):
        assert len({(tmp_path / 'runs' / run / name).read_bytes() for run in 'ab'}) == 1, name
    shown = call('cache')
    assert f"{tmp_path / 'lesions'}, 32 px, 40 by seed 0, 40 images" in shown and 'features of ' in shown
    assert 'MiB deleted' in call('cache', '--clear')
    assert not (tmp_path / 'cache' / 'images').exists() and '0.0 MiB' in call('cache')


def test_what_needs_no_torch_does_not_import_it(tmp_path):
    "Importing torch takes seconds, and a refusal or a split should not wait for it."
    wrong = (['train', '--seed', 'x'], ['train', '--path', 'nowhere'], ['balance', 'balance', '--set', 'dosis=3'], ['suite', 'ttur', '--set', 'x=1'],
             ['score', 'nowhere', 'nowhere'], ['audit', 'nowhere', 'nowhere'], ['compare', 'nowhere'])
    program = ('import sys; from medimagegan.cli.main import main\n'
               f'for words in {wrong!r}:\n    assert (main(words), "torch" in sys.modules) == (2, False), words')
    command(sys.executable, '-c', program, cwd=tmp_path)
