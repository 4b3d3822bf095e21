"""Reading images: the short form of the trial, DICOM through the command line, and every bug that was found."""
import importlib.util
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, flags
from trial_images import GREY, MUTATORS, RGB, SECRETS, SIDE, TWELVE, bases, file_of, picture, scan, trial

from medimagegan.core.errors import UserError
from medimagegan.data.datasets import read_folder
from medimagegan.data.images import list_images, read_image

ALL = {k: v for k, v in SMALL.items() if k != 'n_images'}


def test_the_quick_trial_holds():
    told = trial()
    assert not [f'{name}: {wrong}' for name, wrong in told if wrong]
    assert len(MUTATORS) >= 25 and sum(name.startswith('golden: ') for name, _ in told) >= 40


@pytest.fixture
def ward(tmp_path):
    "Make a folder as it comes from a ward: twelve scans of six patients, two pictures, and files that are not images."
    folder = tmp_path / 'images'
    folder.mkdir()
    for i in range(12):
        ds = scan(TWELVE, BitsStored=12, PatientID=f'PID-9-SECRET-{i // 2}', StudyInstanceUID=f'1.2.777.{i}')
        (folder / (f'{i:02}.dcm' if i % 3 else f'IM{i:04}')).write_bytes(file_of(ds))
    for i in range(2):
        (folder / f'picture {i}.png').write_bytes(picture(RGB))
    for name, data in bases().items():
        if name.endswith('.dcm') and name != '.dcm':
            (folder / f'z {name}').write_bytes(data)
            (folder / f'cut {name}').write_bytes(data[:len(data) // 2])
    (folder / 'empty.dcm').touch()
    (folder / 'words.jpg').write_text('Doe^Secretjane, born 19551231')
    (folder / 'words.dcm').write_text('Doe^Secretjane, born 19551231')
    (folder / 'frames.dcm').write_bytes(file_of(scan(TWELVE, NumberOfFrames=2)))
    (folder / 'spoilt.dcm').write_bytes(file_of(scan(GREY)).replace(b'MONOCHROME2 ', b'Secretjane  '))
    os.mkfifo(folder / 'pipe.dcm')
    return folder


def test_a_ward_is_trained_on_and_no_patient_leaves_it(installed, ward, tmp_path):
    done = installed('train', *flags(**ALL, path='images', run='a', holdout=0.4), MEDIMAGEGAN_CACHE=str(tmp_path / 'cache'))
    run = tmp_path / 'runs' / 'a'
    rejected = pd.read_csv(run / 'rejected.csv')
    cut = {f.name for f in ward.glob('cut *')}
    assert set(rejected['file']) == {'empty.dcm', 'words.jpg', 'words.dcm', 'frames.dcm', 'spoilt.dcm', 'pipe.dcm'} | cut
    assert rejected['reason'].str.len().min() > 5
    split = pd.read_csv(run / 'split.csv')
    scans = split[split['group'].str.startswith('DICOM patient')]
    assert len(split) == 19 and scans['group'].nunique() == 7 and (split.groupby('group')['split'].nunique() == 1).all()
    kept = [f for folder in (tmp_path / 'cache', run) for f in folder.rglob('*') if f.is_file()]
    assert len(kept) > 10
    for word in (*SECRETS, 'SECRET', 'Secret', '1.2.777'):
        assert not [f for f in kept if word.encode() in f.read_bytes() or word in f.name], word
        assert word not in done.stdout + done.stderr


def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / 'a.dcm').write_bytes(file_of(scan(GREY)))
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *rest: None if name == 'pydicom' else found(name, *rest))
    with pytest.raises(UserError, match=r'has DICOM files, the first a.dcm: pip install "medimagegan\[dicom\]"$'):
        read_folder(tmp_path, SIDE)


@pytest.mark.parametrize('base', ['lossless.dcm', 'ls.dcm'])
def test_a_flipped_bit_that_ends_the_decoder_ends_one_file(tmp_path, base):
    whole = bases()[base]
    broken = bytearray(whole)
    broken[whole.rfind(b'\xe0\x7f\x10\x00') + 34] ^= 1  # this one crashes GDCM
    (tmp_path / 'broken.dcm').write_bytes(broken)
    (tmp_path / 'whole.dcm').write_bytes(whole)
    data = read_folder(tmp_path, SIDE, workers=1)
    assert data.files == ('whole.dcm',) and 'damaged' in dict(data.rejected)['broken.dcm']


def test_a_pipe_does_not_keep_us_waiting(tmp_path):
    for name in ('a.png', 'a.dcm', 'a'):
        os.mkfifo(tmp_path / name)
    (tmp_path / 'b.png').write_bytes(picture(RGB))
    data = read_folder(tmp_path, SIDE)
    assert data.files == ('b.png',) and dict(data.rejected) == dict.fromkeys(('a.png', 'a.dcm'), 'not a file but a folder, pipe or device')


def test_postscript_under_another_name_starts_no_program(tmp_path, monkeypatch):
    (tmp_path / 'a.png').write_bytes(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\n%%EndComments\nshowpage\n%%EOF\n')
    monkeypatch.setattr(subprocess, 'Popen', lambda *words, **how: 1 / 0)
    with pytest.raises(ValueError, match='not an image that Pillow can read'):
        read_image(tmp_path / 'a.png', SIDE)


@pytest.mark.parametrize('name', ['می‌خواهم.png', 'a\u3000b.png', '👩‍⚕️.png'])
def test_a_name_in_any_script_is_no_reason_to_leave_an_image_out(tmp_path, name):
    Path(tmp_path, name).write_bytes(picture(RGB))
    assert read_folder(tmp_path, SIDE).files == (name,)


def test_an_index_and_other_files_are_no_images(tmp_path):
    for name in ('DICOMDIR', 'IM1', '1.2.3.4', 'notes.txt'):
        (tmp_path / name).write_bytes(file_of(scan(GREY)))
    (tmp_path / 'LICENSE').write_text('words')
    assert list_images(tmp_path) == ['1.2.3.4', 'IM1']


def test_scans_of_one_patient_are_one_group_under_a_number(tmp_path):
    for i in range(6):
        (tmp_path / f'IM{i}').write_bytes(file_of(scan(GREY, PatientID=f'P-{i // 2}', StudyInstanceUID=f'1.2.{i}')))
    assert read_folder(tmp_path, SIDE).groups == tuple(f'DICOM patient {i // 2 + 1}' for i in range(6))


def test_scans_that_all_name_one_patient_are_held_out_by_study(tmp_path):
    for i in range(6):
        (tmp_path / f'{i}.dcm').write_bytes(file_of(scan(GREY, PatientID='ANONYMOUS', StudyInstanceUID=f'1.2.{i // 2}')))
    data = read_folder(tmp_path, SIDE)
    assert data.groups == tuple(f'DICOM study {i // 2 + 1}' for i in range(6))
    assert data.notes == ('all DICOM files have the same patient; held out study by study',)


def test_images_of_one_series_without_a_window_stay_comparable(tmp_path):
    for name, factor, series in (('dark', 1, '1.5'), ('bright', 2, '1.5'), ('other', 1, '1.6')):
        (tmp_path / f'{name}.dcm').write_bytes(file_of(scan(TWELVE * factor, SeriesInstanceUID=series)))
    data = read_folder(tmp_path, SIDE, 1)
    bright, dark, other = (data[[i]][0, 0].numpy().astype(int) for i in range(3))
    low, high = np.percentile([TWELVE, TWELVE * 2], [.5, 99.5])
    for shown, values in ((dark, TWELVE), (bright, TWELVE * 2)):
        assert abs(shown - ((values.astype(float) - low) / (high - low)).clip(0, 1) * 255).max() <= .5
    assert other.max() == 255 and data.remarks == ('3 of 3 images: no usable DICOM window: scaled to the range of the series',)
    assert read_folder(tmp_path, SIDE, 1).remarks == data.remarks, 'from the cache'
    assert not (read_folder(tmp_path, SIDE, 1, window='lung').images != data.images).any(), 'not CT'


def test_one_image_is_one_line(medimagegan, tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'a.png').write_bytes(picture(RGB))
    said = medimagegan('train', *flags(**ALL, path='images'), code=2).stderr
    assert '0 of 1 images can be the reference' in said and said.count('\n') == 1


def test_images_that_go_while_training_are_not_missed(tmp_path):
    for i in range(8):
        (tmp_path / f'{i}.png').write_bytes(picture(np.roll(RGB, i, 0)))
    data = read_folder(tmp_path, SIDE)
    for i in range(8):
        (tmp_path / f'{i}.png').unlink()
    assert [int((data[[i]][0].numpy() != np.roll(RGB, i, 0).transpose(2, 0, 1)).sum()) for i in range(8)] == [0] * 8
