"""Imperfect folders of images: usable files are used, and the others are listed with a reason."""
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, command, flags
from PIL import Image


def picture(seed=0, size=(60, 48)):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), np.uint8))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / 'images'
    made.mkdir()
    return made


def test_bad_files_are_named_and_the_rest_is_trained_on(medimagegan, folder, tmp_path):
    for i in range(10):
        picture(i).save(folder / f'{i}.png')
    (folder / 'ümläut 病.png').write_bytes((folder / '0.png').read_bytes())
    (folder / 'empty.jpg').touch()
    (folder / 'cut.png').write_bytes((folder / '1.png').read_bytes()[:400])
    (folder / 'loop').symlink_to(folder)
    said = medimagegan('train', *flags(**{**SMALL, 'n_images': 13}, path='images', run='a', holdout=0.5)).stdout
    assert 'note: 2 of 13 images cannot be read and are left out' in said
    rejected = pd.read_csv(tmp_path / 'runs' / 'a' / 'rejected.csv')
    assert dict(zip(rejected['file'], rejected['reason'], strict=True)).keys() == {'empty.jpg', 'cut.png'}
    split = pd.read_csv(tmp_path / 'runs' / 'a' / 'split.csv')
    assert len(split) == 11 and 'ümläut 病.png' in set(split['file'])
    assert '2 entries were left out' in (tmp_path / 'runs' / 'a' / 'report.html').read_text()


@pytest.mark.parametrize('what', ['nothing', 'only broken', 'a file'])
def test_no_usable_image_is_one_line(medimagegan, folder, tmp_path, what):
    if what == 'only broken':
        (folder / 'a.png').write_text('no picture')
    if what == 'a file':
        folder.rmdir()
        folder.write_text('')
    said = medimagegan('train', *flags(**SMALL, path='images'), code=2).stderr
    assert said.startswith('medimagegan train: path: images') and said.count('\n') == 1
    assert not (tmp_path / 'runs').exists()


def test_too_few_images_to_score_against_are_refused_before_anything_is_written(medimagegan, folder, tmp_path):
    for i in range(9):
        picture(i).save(folder / f'{i}.png')
    small = {k: v for k, v in SMALL.items() if k != 'n_images'}
    said = medimagegan('train', *flags(**small, path='images'), code=2).stderr
    assert '2 of 9 images can be the reference' in said and said.count('\n') == 1
    assert not (tmp_path / 'runs').exists()
    said = medimagegan('train', *flags(**{**small, 'batch_size': 100}, path='images', run='all', reference='train', holdout=0)).stdout
    assert '9 images to train on, 0 held out' in said and 'exceeds the 9 training images' in said


def test_lesions_are_never_parted(medimagegan, folder, tmp_path):
    for i in range(30):
        picture(i).save(folder / f'ISIC_{i:07d}.jpg')
    rows = [f'ISIC_{i:07d},HAM_{i // 3},{"mel" if i < 9 else "nv"}' for i in range(30)]
    (folder / 'metadata.csv').write_text('image_id,lesion_id,dx\n' + '\n'.join(rows) + '\nISIC_9999999,HAM_99,nv\n')
    small = {k: v for k, v in SMALL.items() if k != 'n_images'}
    said = medimagegan('train', *flags(**small, path='images', holdout=0.3, run='ham')).stdout
    assert 'note: 1 left out, in the table, but no such file; the first: ISIC_9999999' in said
    split = pd.read_csv(tmp_path / 'runs' / 'ham' / 'split.csv')
    assert (split.groupby('group')['split'].nunique() == 1).all() and set(split['split']) == {'train', 'held out'}


def test_one_hostile_tiff_or_name_does_not_end_a_run(medimagegan, folder, tmp_path):
    for i in range(6):
        picture(i).save(folder / f'{i}.tif')
    whole = (folder / '0.tif').read_bytes()
    rng = np.random.default_rng(0)
    for i in range(60):  # flipped bytes in the tags, which a TIFF keeps at its end or its start
        broken = bytearray(whole)
        for at in rng.integers(0, 120, 6):
            broken[-int(at) - 1 if i % 2 else int(at)] = int(rng.integers(256))
        (folder / f'broken{i}.tif').write_bytes(broken)
    (folder / os.fsdecode(b'\xff.png')).write_bytes(whole)
    small = {k: v for k, v in SMALL.items() if k != 'n_images'}
    done = medimagegan('train', *flags(**small, path='images', run='hostile'))
    assert 'its name contains characters that cannot be stored' in done.stdout and done.stderr == ''
    assert len(pd.read_csv(tmp_path / 'runs' / 'hostile' / 'split.csv')) >= 6


def test_a_run_does_not_go_on_with_other_images(medimagegan, folder, tmp_path):
    for i in range(20):
        picture(i).save(folder / f'{i}.png')
    small = {k: v for k, v in SMALL.items() if k != 'n_images'}
    medimagegan('train', *flags(**small, path='images', run='a'))
    (tmp_path / 'runs' / 'a' / 'scores.json').unlink()
    picture(99).save(folder / '99.png')
    before = (tmp_path / 'runs' / 'a' / 'split.csv').read_bytes()
    said = medimagegan('train', *flags(**small, path='images', run='a'), code=2).stderr
    assert 'has other images than when' in said and said.count('\n') == 1
    assert (tmp_path / 'runs' / 'a' / 'split.csv').read_bytes() == before


def test_damaged_files_of_an_unfinished_run(medimagegan, tmp_path):
    medimagegan('train', *flags(**SMALL, run='a'))
    run = tmp_path / 'runs' / 'a'
    straight = (run / 'history.csv').read_bytes()
    (run / 'scores.json').unlink()
    (run / 'history.csv').write_bytes(straight + b'3,4')  # as after a power cut
    medimagegan('train', *flags(**SMALL, run='a'))
    assert (run / 'history.csv').read_bytes() == straight
    (run / 'scores.json').write_text('{')
    said = medimagegan('report', run, code=2).stderr
    assert 'damaged' in said and said.count('\n') == 1


def test_a_folder_that_is_no_run_is_left_alone(medimagegan, tmp_path):
    (tmp_path / 'runs' / 'mine').mkdir(parents=True)
    (tmp_path / 'runs' / 'mine' / 'thesis.txt').write_text('years of work')
    said = medimagegan('train', *flags(**SMALL, run='mine'), code=2).stderr
    assert 'is not a run folder and not empty (it contains thesis.txt)' in said
    assert [f.name for f in (tmp_path / 'runs' / 'mine').iterdir()] == ['thesis.txt']


def test_a_full_disk_is_one_line(medimagegan, tmp_path):
    words = ' '.join(flags(**{**SMALL, 'gen_feature_maps': 8, 'dis_feature_maps': 8}, run='full'))
    limit = 'ulimit -f 600; trap "" XFSZ; exec "$0" train ' + words  # files of at most 600 KB: the generator fits, the checkpoint does not
    done = command('bash', '-c', limit, Path(sys.executable).parent / 'medimagegan', cwd=tmp_path, code=1)
    assert done.stderr.count('\n') == 1 and 'checkpoint.pt' in done.stderr, done.stderr


def test_an_out_that_is_a_file_is_one_line(medimagegan, tmp_path):
    (tmp_path / 'taken').write_text('mine')
    said = medimagegan('train', *flags(**SMALL, out='taken', run='a'), code=2).stderr
    assert said == 'medimagegan train: out: expected a folder, found a file: taken\n'
    assert (tmp_path / 'taken').read_text() == 'mine'
