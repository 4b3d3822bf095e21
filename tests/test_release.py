"""A released generator as another person uses it: sample from the file, and fine-tune it without a leak."""
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SMALL, command, flags
from PIL import Image

from medimagegan.data.phantoms import write_phantoms
from medimagegan.runs.folder import RunFolder
from medimagegan.runs.release import read_seen, resolve


@pytest.fixture
def released(medimagegan, tmp_path):
    "Return the file of a generator that was trained on about half of the phantoms in `set/`."
    write_phantoms(tmp_path / 'set', 40, 32)
    (tmp_path / 'set' / 'metadata.csv').unlink()
    medimagegan('train', *flags(**SMALL, path='set', holdout=.5, run='first'))
    said = medimagegan('release', 'runs/first', '--out', 'models/small.safetensors', '--best').stdout
    n = (RunFolder(tmp_path / 'runs' / 'first').split['split'] == 'train').sum()
    assert f'trained on {n} images; models/small.csv lists them' in said
    return tmp_path / 'models' / 'small.safetensors'


def read(folder):
    return np.stack([np.asarray(Image.open(file)) for file in sorted(folder.iterdir())]).astype(float)


def test_a_release_is_sampled_and_fine_tuned_and_a_leak_is_refused(medimagegan, released, tmp_path):
    run, best = tmp_path / 'runs' / 'first', tmp_path / 'runs' / 'first' / 'best.safetensors'
    assert released.stat().st_size < .6 * best.stat().st_size
    table, split = read_seen(released), RunFolder(run).split
    assert list(table) == ['file', 'class', 'split', 'sha256', 'phash'], 'no groups: they may be patient numbers'
    assert list(resolve(RunFolder(run), tuple(table['file'])).values()) == list(split['file']) and list(table['split']) == list(split['split'])
    for source, out in ((best, 'whole'), (released, 'half')):
        medimagegan('sample', source, '--n', 8, '--out', out)
    assert abs(read(tmp_path / 'whole') - read(tmp_path / 'half')).mean() < 2

    (tmp_path / 'other').mkdir()  # the same images in another layout
    for file in (tmp_path / 'set').rglob('*.png'):
        Image.open(file).save(tmp_path / 'other' / f'{file.stem}.bmp')
    words = {**SMALL, 'warm_start': 'models/small.safetensors', 'num_epochs': 1}
    refused = medimagegan('train', *flags(**words, path='other', seed=1, run='leak'), code=2).stderr
    assert 'small.safetensors was trained on phantom_' in refused and 'which is held out here' in refused
    assert refused.count('\n') == 1 and not (tmp_path / 'runs' / 'leak').exists()

    write_phantoms(tmp_path / 'own', 40, 32, seed=1)  # images of another person
    (tmp_path / 'own' / 'metadata.csv').unlink()
    for i, file in enumerate(sorted((tmp_path / 'own').rglob('*.png'))):
        file.rename(file.with_name(f'own_{i}.png'))
    said = medimagegan('train', *flags(**words, path='own', seed=1, run='tuned')).stdout
    assert 'begins with the weights of models/small.safetensors, the discriminator with random ones' in said

    medimagegan('release', 'runs/tuned', '--out', 'tuned.safetensors')
    seen = table.query('split == "train"')
    rows = RunFolder(tmp_path / 'runs' / 'tuned').split
    assert len((tmp_path / 'tuned.csv').read_text().splitlines()) == 1 + len(rows) + len(seen), 'the images of both runs'


def test_the_quality_notebook_judges_a_released_generator(released, tmp_path):
    shutil.copy(ROOT / 'experiments' / 'quality.ipynb', tmp_path)
    words = ('-p', 'generator', 'models/small.safetensors', '-p', 'path', 'set', '-p', 'columns', 2, '-p', 'out', 'numbers',
             '-y', 'networks: [efficientnet_lite0]')
    command(Path(sys.executable).parent / 'papermill', 'quality.ipynb', 'out.ipynb', '--no-progress-bar', *words, cwd=tmp_path)
    numbers = json.loads((tmp_path / 'numbers' / 'scores.json').read_text())
    assert [row['images'] for row in numbers['scores']] == ['synthetic', 'real vs. real'] and numbers['shown'] == []
    assert {f.name for f in (tmp_path / 'numbers').iterdir()} == {'scores.json', 'synthetic.jpg', 'spectrum.png'}, 'no real image'


def test_what_cannot_be_released_or_started_from_is_one_line(medimagegan, tmp_path):
    (tmp_path / 'open').mkdir()
    (tmp_path / 'lone.safetensors').touch()
    before = sorted(tmp_path.iterdir())
    for words, reason in ((('release', 'open', '--out', 'a.safetensors'), 'expected a finished run'),
                          (('release', 'open'), '--out: expected a value, but it is not given'),
                          (('train', *flags(**SMALL, warm_start='lone.safetensors')), 'expected lone.csv beside it'),
                          (('train', *flags(**SMALL, warm_start='none.safetensors')), 'no such file')):
        said = medimagegan(*words, code=2).stderr
        assert reason in said and said.count('\n') == 1
    assert sorted(tmp_path.iterdir()) == before
