"""Tables and folders: the trial, answers that are saved, links, and splits that are published or know no patient."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trial_tables import GROUP_SPELLINGS, layouts, trial

from medimagegan.cli.main import main
from medimagegan.core.config import make_config
from medimagegan.core.errors import UserError
from medimagegan.data.answers import collect_answers
from medimagegan.data.datasets import read_folder
from medimagegan.data.inspection import inspect
from medimagegan.data.parts import UNKNOWN_GROUPS, warn_of_groups
from medimagegan.data.reading import report_reading, understand
from medimagegan.data.splits import GROUP_COLUMN, make_split, read_split
from medimagegan.data.training_images import open_images, split_images
from medimagegan.evaluate.folders import read_shuffled
from medimagegan.runs.inspection import inspection_page
from medimagegan.runs.privacy import DO_NOT_SHARE


def test_the_trial_holds():
    told = trial()
    assert not [f'{name}: {wrong}' for name, wrong in told if wrong]
    assert len(layouts()) >= 25 and len(GROUP_SPELLINGS) >= 20 and len(told) >= 95


def write_images(folder, names):
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def ham(tmp_path):
    "Make eighteen images of nine lesions, whose table is not called metadata.csv."
    folder = write_images(tmp_path / 'images', [f'HAM10000_images_part_{1 + i // 6}/ISIC_{i:07}.jpg' for i in range(18)])
    rows = [f'HAM_{i // 2},ISIC_{i:07},{("nv", "mel", "bkl")[i // 2 % 3]},histo' for i in range(18)]
    (folder / 'HAM10000_metadata.csv').write_text('lesion_id,image_id,dx,dx_type\n' + '\n'.join(rows) + '\n')
    return folder


def test_what_was_understood_is_said_and_a_file_of_answers_makes_it_silent(ham, tmp_path):
    data = read_folder(ham, 32)
    assert data.reading.report == ['read from HAM10000_metadata.csv (HAM10000); image: image_id, class: dx, lesion: lesion_id; '
                                   '6 bkl, 6 mel, 6 nv; 9 lesions']
    answers = tmp_path / 'reading.yaml'
    answers.write_text('tables: [images/HAM10000_metadata.csv]\nimage_column: image_id\nclass_column: dx\ngroup_columns: lesion_id\n'
                       'class_map: {nv: nevus}\n')
    again = read_folder(ham, 32, labels=str(answers))
    assert again.reading.report == [] and again.groups == data.groups and again.classes == ('bkl', 'mel', 'nevus')


def test_settings_say_what_a_file_of_answers_says(ham):
    cfg = make_config({'path': str(ham), 'image_column': 'image_id', 'class_column': 'dx', 'group_columns': 'Lesion ID',
                       'class_map': {'nv': 'nevus', 'bkl': ''}})
    assert cfg.class_map == ('nv=nevus', 'bkl=')
    rows, lost, reading, _ = understand(ham, collect_answers(None, cfg.image_column, cfg.class_column, cfg.group_columns, cfg.class_map))
    assert reading.classes == {'mel': 6, 'nevus': 6} and reading.n_groups == 6
    assert {reason for _, reason in lost} == {'of a class that class_map leaves out'}


def test_a_split_that_knows_no_patient_says_so_in_its_table(tmp_path):
    folder = write_images(tmp_path / 'images', [f'{kind}/{i}.png' for kind in ('a', 'b') for i in range(5)])
    data = read_folder(folder, 32)
    table = make_split(data, folder)
    assert set(table[GROUP_COLUMN]) == {'unknown'} and warn_of_groups(tuple(table['group'])) == UNKNOWN_GROUPS
    run, _, _ = split_images(data, make_config({'path': str(folder), 'image_size': 32}))
    assert set(run[GROUP_COLUMN]) == {'unknown'}
    assert any('no lesion or patient is known' in line for line in data.reading.report)


def test_folders_of_a_split_are_followed_and_their_test_images_left_alone(tmp_path):
    folder = write_images(tmp_path / 'set', [f'{part}/{kind}/{i}.png' for part in ('train', 'test') for kind in ('a', 'b') for i in range(6)])
    data = read_folder(folder, 32)
    assert data.classes == ('a', 'b')
    table, chosen, held = split_images(data, make_config({'path': str(folder), 'image_size': 32}))
    assert {data.files[i].split('/')[0] for i in chosen + held} == {'train'} and (table['split'] == 'test').sum() == 12
    split = make_split(data, folder).set_index('file')
    assert set(split['split'][[f.startswith('test/') for f in split.index]]) == {'test'} and 'validation' in set(split['split'])


def test_a_patient_in_two_published_parts_is_not_torn(tmp_path):
    names = [f'{i}.png' for i in range(48)]
    folder = write_images(tmp_path / 'set', names)
    rows = [f'{name},{"ab"[i // 24]},P{i // 2},{("train", "test")[i % 12 == 3]}' for i, name in enumerate(names)]
    (folder / 'metadata.csv').write_text('image,label,Patient ID,split\n' + '\n'.join(rows) + '\n')
    data = read_folder(folder, 32)
    table = make_split(data, folder)
    assert table.groupby('group')['split'].nunique().max() == 1
    run, _, _ = split_images(data, make_config({'path': str(folder), 'image_size': 32}))
    assert run.groupby('group')['split'].nunique().max() == 1


def test_links_are_followed_once_and_others_are_named(tmp_path):
    folder = write_images(tmp_path / 'set', ['nevus/a.png', 'wart/b.png'])
    elsewhere = write_images(tmp_path / 'elsewhere', ['c.png'])
    (folder / 'again').symlink_to(folder / 'nevus')
    (folder / 'nevus' / 'loop').symlink_to(folder)
    (folder / 'out').symlink_to(elsewhere)
    rows, _, reading, listing = understand(folder)
    said = '\n'.join(report_reading(reading, listing).report)
    assert list(rows['path']) == ['nevus/a.png', 'wart/b.png']
    assert 'out is a link that leads out of the data set' in said and 'nevus/loop is a link to a folder above it (a loop)' in said


def test_formats_of_other_suffixes_are_read_or_counted(tmp_path):
    folder = write_images(tmp_path / 'set', ['a.png'])
    for name, kind in (('b.jfif', 'JPEG'), ('c.jpe', 'JPEG'), ('d.gif', 'GIF'), ('e', 'PNG')):
        Image.new('RGB', (32, 32), 'red').save(folder / name, kind)
    (folder / 'notes.docx').touch()
    data = read_folder(folder, 32)
    assert data.files == ('a.png', 'b.jfif', 'c.jpe', 'd.gif', 'e')
    assert understand(folder)[3].ignored == [('notes.docx', '.docx is no image')]


def test_a_row_without_a_class_and_a_file_without_a_row_are_each_counted_once(tmp_path):
    folder = write_images(tmp_path / 'set', ['a.png', 'b.png', 'c.png', 'd.png'])
    (folder / 'metadata.csv').write_text('image,dx\na,x\nb,\nz,x\nc,y\n')
    data = read_folder(folder, 32)
    assert dict(data.rejected) == {'b': 'in the table without a class', 'z': 'in the table, but no such file', 'd.png': 'no row in the table'}
    assert len(data.rejected) == 3


def test_class_names_with_commas_can_be_given(tmp_path):
    assert make_config({'classes': '"nevus, blue",wart'}).classes == ('nevus, blue', 'wart')
    folder = write_images(tmp_path / 'set', ['nevus, blue/a.png', 'wart/b.png'])
    assert read_folder(folder, 32, classes=('nevus, blue',)).files == ('nevus, blue/a.png',)
    with pytest.raises(UserError, match='which is one class: write'):
        read_folder(folder, 32, classes=('nevus', 'blue'))


def test_a_number_as_a_class_means_the_same_as_its_text():
    assert make_config({'classes': 4}).classes == make_config({'classes': '4'}).classes == ('4',)


def test_a_file_of_medmnist_is_read_with_its_published_split(tmp_path, monkeypatch):
    monkeypatch.setenv('MEDIMAGEGAN_CACHE', str(tmp_path / 'cache'))
    pixels, arrays = np.random.default_rng(0).integers(0, 256, (60, 28, 28, 3)).astype(np.uint8), {}
    for part, (start, end) in {'train': (0, 40), 'val': (40, 50), 'test': (50, 60)}.items():
        arrays |= {f'{part}_images': pixels[start:end], f'{part}_labels': np.arange(start, end)[:, None] % 2}
    np.savez(tmp_path / 'bloodmnist.npz', **arrays)
    data = read_folder(tmp_path / 'bloodmnist.npz', 32)
    assert data.classes == ('0', '1') and len(data) == 60 and data.reading.layout == 'MedMNIST' and not data.reading.known
    split = make_split(data, tmp_path / 'bloodmnist.npz')
    assert split['split'].value_counts().to_dict() == {'train': 40, 'validation': 10, 'test': 10}
    assert {kind: [k for k in range(60) if k % 2 == int(kind)] for kind in '01'} == {
        kind: sorted(int(Path(f).stem) + {'train': 0, 'val': 40, 'test': 50}[f.split('/')[0]] for f, c in
                     zip(split['file'], split['class'], strict=True) if c == kind) for kind in '01'}


def call(*words):
    "Run a command in this process; return its exit code."
    return main([str(word) for word in words])


def test_inspect_names_everything_and_its_answers_make_the_next_run_silent(ham, tmp_path, capsys):
    (ham / 'HAM10000_images_part_1' / 'ISIC_0000000_segmentation.png').touch()
    (ham / 'notes.docx').touch()
    page, answers = tmp_path / 'page.html', tmp_path / 'reading.yaml'
    assert call('inspect', ham, '--out', page, '--save', answers) == 0
    said = capsys.readouterr().out
    for words in ('layout: HAM10000', 'image: image_id', 'class: dx', 'lesion: lesion_id', 'bkl: 6', '9 lesions; 0 images without',
                  'format: JPEG (18)', 'size: 32 × 32 (18)', '1 masks', '1 .docx is no image'):
        assert words in said, words
    html = page.read_text()
    assert html.count('data:image/png') == 3 and DO_NOT_SHARE in html and 'http:' not in html
    assert call('inspect', ham, '--labels', answers) == 0
    assert 'note:' not in capsys.readouterr().out
    assert call('split', ham, '--labels', answers, '--out', tmp_path / 'split.csv', '--validation', .3, '--test', .3) == 0
    assert 'read from' not in capsys.readouterr().out
    assert call('inspect', ham, '--class-column', 'dxx') == 2 and "Did you mean 'dx'?" in capsys.readouterr().err


def test_inspect_does_not_import_torch():
    code = 'import sys, medimagegan.data.inspection, medimagegan.data.answers, medimagegan.runs.inspection; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], timeout=60, check=False).returncode == 0


def test_the_page_of_a_set_without_patients_says_so_before_the_examples(tmp_path):
    folder = write_images(tmp_path / 'set', [f'{kind}/{i}.png' for kind in ('a', 'b') for i in range(3)])
    html = inspection_page(inspect(folder))
    assert html.index('The lesion and patient of these images are unknown') < html.index('<h2>Examples')


def test_scores_read_a_folder_whose_classes_are_ambiguous(tmp_path):
    folder = write_images(tmp_path / 'set', ['benign/nevus/a.png', 'benign/wart/b.png', 'malignant/melanoma/c.png'])
    with pytest.raises(UserError, match='set class_column: folder 1'):
        read_folder(folder, 32)
    assert len(read_shuffled(folder, 32)) == 3


def test_a_run_table_is_no_split_and_the_message_says_what_it_is(tmp_path):
    (tmp_path / 'split.csv').write_text('file,class,group,split\na.png,x,image a.png,train\n')
    with pytest.raises(UserError, match='the table of a run or of a released generator'):
        read_split(tmp_path / 'split.csv')


IMAGES = [f'{kind}/{i:02}.jpg' for kind in ('melanoma', 'nevus') for i in range(20)]


def read_empty(folder, images, **tables):
    "Understand a folder of empty images, with tables of rows of cells."
    for name in images:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for name, rows in tables.items():
        (folder / f'{name}.csv').write_text(rows if isinstance(rows, str) else '\n'.join(','.join(map(str, row)) for row in rows))
    rows, lost, reading, listing = understand(folder)
    return rows.set_index('path'), lost, report_reading(reading, listing), listing


def test_a_split_or_a_run_of_this_program_is_no_table_of_patients(tmp_path):
    run = tmp_path / 'runs' / 'a'
    (run / 'samples').mkdir(parents=True)
    (run / 'config.yaml').touch()
    (run / 'closest.png').touch()
    (run / 'split.csv').write_text('file,class,split\n')
    rows = [('file', 'class', 'group', 'split', 'sha256', 'phash', 'group_is')]
    rows += [(name, name.split('/')[0], f'image {name}', 'train', 'ab', 'cd', 'unknown') for name in IMAGES]
    found, _, reading, listing = read_empty(tmp_path, IMAGES, split=rows)
    assert len(found) == len(IMAGES) and not reading.known and 'groups: none known' in reading.headline
    assert 'split.csv is a split that medimagegan wrote, and no table of the data; pass it with --split' in reading.warnings
    assert ('runs/a', 'a run of medimagegan') in listing.ignored


@pytest.mark.parametrize('broken, line', [('melanoma/03.jpg,back, left,p1', 'row 5 has 4 cells, expected 3')])
def test_a_main_table_that_cannot_be_read_is_not_ignored(broken, line, tmp_path):
    rows = [['image,site,patient_id'], *([f'{name},back,p{i // 4}'] for i, name in enumerate(IMAGES))]
    rows[4] = [broken]
    with pytest.raises(UserError, match=line):
        read_empty(tmp_path / 'main', IMAGES, metadata=rows)
    reading = read_empty(tmp_path / 'other', IMAGES, patients=rows)[2]
    assert any(warning.startswith('patients.csv is not read: ') and line in warning for warning in reading.warnings)


def test_a_line_for_excel_is_no_header(tmp_path):
    rows = 'sep=;\nimage;dx;patient_id\n' + '\n'.join(f'{i:02}.jpg;{"mel" if i % 2 else "nv"};p{i // 4}' for i in range(20))
    found, _, reading, _ = read_empty(tmp_path, [f'{i:02}.jpg' for i in range(20)], metadata=rows)
    assert found['class'].nunique() == 2 and reading.groups == '5 patients'


@pytest.mark.parametrize('written, patients, without', [
    (lambda i: f'{i // 4}.0' if i % 3 else i // 4, 10, 0),  # pandas wrote some of them as fractions
    (lambda i: 'NA' if i % 2 else f'P{i // 4}', 10, 20), (lambda i: 'unknown' if i % 2 else f'P{i // 4}', 10, 20),
    (lambda i: 'nan' if i % 2 else f'{i // 4}.0', 10, 20), (lambda i: '-' if i % 2 else i // 4, 10, 20)])
def test_patients_are_the_same_however_their_number_is_written(written, patients, without, tmp_path):
    reading = read_empty(tmp_path, IMAGES, metadata=[('file', 'class', 'patient_id'), *((name, name[:3], written(i)) for i, name in enumerate(IMAGES))])[2]
    assert (reading.groups, reading.ungrouped) == (f'{patients} patients', without)


def test_a_class_that_is_not_available_is_none_and_numbers_are_equal(tmp_path):
    names = [f'{i}.jpg' for i in range(20)]
    kinds = ['0', '1', '1.0', '0.0', 'NA'] * 4
    found, lost, _, _ = read_empty(tmp_path, names, metadata=[('file', 'dx'), *zip(names, kinds, strict=True)])
    assert set(found['class']) == {'0', '1'} and len(lost) == 4


@pytest.mark.parametrize('column', ['lesion_number', 'study_id', 'visit_id'])
def test_numbers_that_begin_anew_with_each_patient_join_nobody(column, tmp_path):
    rows = [('file', 'class', 'patient_id', column), *((name, name[:3], f'P{i // 4}', i % 4 + 1) for i, name in enumerate(IMAGES))]
    assert read_empty(tmp_path, IMAGES, metadata=rows)[2].n_groups == 10


def test_cases_and_controls_are_no_lesions(tmp_path):
    rows = [('file', 'class', 'group'), *((name, name[:3], 'case' if i % 2 else 'control') for i, name in enumerate(IMAGES))]
    assert not read_empty(tmp_path, IMAGES, metadata=rows)[2].known


def test_parts_are_named_in_many_ways_and_never_taken_for_training(tmp_path):
    words = ['train', 'internal_val', 'holdout', 'external test']
    rows = [('file', 'class', 'split'), *((name, name[:3], words[i % 4]) for i, name in enumerate(IMAGES))]
    assert read_empty(tmp_path / 'a', IMAGES, metadata=rows)[2].parts == {'train': 10, 'validation': 10, 'test': 20}
    rows[5] = (*rows[5][:2], 'site B')
    with pytest.raises(UserError, match="split has 'site B' beside 'train': expected train, validation or test in every row"):
        read_empty(tmp_path / 'b', IMAGES, metadata=rows)


def test_tables_called_train_and_test_are_a_split(tmp_path):
    names = [f'{i}.jpg' for i in range(30)]
    tables = {part: [('image', 'dx'), *((name, 'mel' if i % 2 else 'nv') for i, name in enumerate(names[k * 10:k * 10 + 10]))]
              for k, part in enumerate(('train', 'val', 'test'))}
    found, _, reading, _ = read_empty(tmp_path, names, **tables)
    assert reading.parts == {'train': 10, 'validation': 10, 'test': 10} and found['split']['25.jpg'] == 'test'


def test_dots_in_names_are_no_suffixes(tmp_path):
    names = [f'scan.p{i:02}x.jpg' for i in range(20)]
    stems = [name.removesuffix('.jpg') for name in names]
    tables = {'metadata': [('image', 'dx'), *((stem, 'mel' if i % 2 else 'nv') for i, stem in enumerate(stems))],
              'patients': [('image', 'patient_id'), *((stem, f'P{i // 4}') for i, stem in enumerate(stems))]}
    assert read_empty(tmp_path, names, **tables)[2].groups == '5 patients'


def test_classes_that_sound_like_masks_or_containers_are_classes(tmp_path):
    for kinds in (('benign_lesion', 'malignant_lesion'), ('Stage 1', 'Stage 2'), ('Stage_0', 'Stage_1'), ('v1', 'v2')):
        found = read_empty(tmp_path / kinds[0], [f'{kind}/{i}.jpg' for kind in kinds for i in range(4)])[0]
        assert found['class'].value_counts().to_dict() == dict.fromkeys(kinds, 4)
    beside = [f'nevus/{i}{end}.png' for i in range(4) for end in ('', '_roi', '_label', ' (mask)', 'mask', '_contour')]
    found, _, _, listing = read_empty(tmp_path / 'masks', [*beside, 'melanoma/white_label.png', 'melanoma/a.png'])
    assert len(found) == 6 and len(listing.masks) == 20 and 'melanoma/white_label.png' in found.index


def test_equal_images_are_on_one_side_of_a_run(tmp_path):
    write_images(tmp_path / 'images', [f'{kind}/{i}.png' for kind in ('a', 'b') for i in range(12)])
    for i in range(0, 12, 2):
        (tmp_path / 'images' / 'b' / f'{i} (1).png').write_bytes((tmp_path / 'images' / 'a' / f'{i}.png').read_bytes())
    for seed in range(4):
        rows = split_images(read_folder(tmp_path / 'images', 32), make_config({'path': str(tmp_path / 'images'), 'holdout': .3, 'seed': seed}))[0]
        side = rows.set_index('file')['split']
        assert all(side[f'a/{i}.png'] == side[f'b/{i} (1).png'] for i in range(0, 12, 2)) and (side == 'held out').sum() >= 5


def test_equal_images_with_different_classes_are_named(tmp_path, capsys):
    write_images(tmp_path / 'images', [f'{kind}/{i}.png' for kind in ('a', 'b') for i in range(12)])
    for i in (3, 7):
        (tmp_path / 'images' / 'b' / f'{i} (1).png').write_bytes((tmp_path / 'images' / 'a' / f'{i}.png').read_bytes())
    line = ('2 images have the same pixels as an image of another class, so one of the two classes is wrong; '
            'the first: b/3 (1).png (b) and a/3.png (a)')
    assert line in open_images(make_config({'path': str(tmp_path / 'images'), 'image_size': 32})).notes
    assert call('split', tmp_path / 'images', '--out', tmp_path / 'split.csv') == 0 and f'note: {line}' in capsys.readouterr().out.replace('\n', ' ')


def test_spellings_of_a_class_are_named_and_yaml_words_are_not_taken_for_names(tmp_path):
    rows = [('file', 'dx'), *((f'{i}.jpg', ('melanoma', 'Melanoma', 'nevus')[i % 3]) for i in range(30))]
    warnings = read_empty(tmp_path / 'images', [f'{i}.jpg' for i in range(30)], metadata=rows)[2].warnings
    assert "'Melanoma' and 'melanoma' are different classes; class_map: melanoma=Melanoma joins them" in warnings
    with pytest.raises(UserError, match='class_map'):
        make_config({'class_map': {'nevus': False, 'melanoma': False}})
    (tmp_path / 'answers.yaml').write_text('class_map: {nevus: no, melanoma: off}\n')
    with pytest.raises(UserError, match='class_map: expected text, got yes, no, on or off'):
        collect_answers(str(tmp_path / 'answers.yaml'))
