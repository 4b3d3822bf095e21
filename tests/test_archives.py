"""Archives of real data sets that were once misread: each must be read rightly, or refused with what to do."""
import zlib
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from medimagegan.cli.main import main
from medimagegan.core.config import TrainConfig
from medimagegan.core.errors import UserError
from medimagegan.data.answers import collect_answers
from medimagegan.data.layouts import is_mask, patient_from_name
from medimagegan.data.parts import has_parts
from medimagegan.data.reading import report_reading, understand
from medimagegan.data.training_images import follow_parts


def make(folder, names, **texts):
    "Write empty images, and texts under names in which `__` stands for a dot and `___` for a folder."
    files = {name: '' for name in names} | {name.replace('___', '/').replace('__', '.'): text for name, text in texts.items()}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(folder):
    rows, lost, reading, listing = understand(folder)
    return rows.set_index('path'), lost, '\n'.join(report_reading(reading, listing).report)


def lines(*rows):
    return '\n'.join(rows) + '\n'


def test_a_second_table_is_joined_by_the_path_and_not_by_the_name_alone(tmp_path):
    names = [f'case{k}/{i}.jpg' for k in range(4) for i in range(3)]
    rows, _, _ = read(make(tmp_path, names, labels__csv=lines('path,label', *(f'{n},{"ab"[i % 2]}' for i, n in enumerate(names))),
                           patients__csv=lines('path,patient_id', *(f'{n},P{n[4]}' for n in names))))
    assert {path: group[-1] for path, group in rows['group'].items()} == {path: path[4] for path in names}


def test_tables_in_sub_folders_speak_of_the_files_beside_them(tmp_path):
    names = [f'{kind}/{i}.jpg' for kind in 'ab' for i in range(4)]
    rows, _, _ = read(make(tmp_path, names, a___patients__csv=lines('image,patient_id', *(f'{i}.jpg,P{i // 2}' for i in range(4))),
                           b___patients__csv=lines('image,patient_id', *(f'{i}.jpg,Q{i // 2}' for i in range(4)))))
    assert list(rows['group']) == [f'patient {p}{i // 2}' for p in 'PQ' for i in range(4)]


def test_several_tables_of_patients_fill_each_others_gaps(tmp_path):
    rows, _, _ = read(make(tmp_path, [f'{i}.jpg' for i in range(8)], labels__csv=lines('image,dx', *(f'{i},{"ab"[i % 2]}' for i in range(8))),
                           one__csv=lines('image,patient_id', *(f'{i},P{i // 2}' for i in range(4))),
                           two__csv=lines('image,patient_id,ward', *(f'{i},P{i // 2},w' for i in range(4, 8)))))
    assert list(rows['group']) == [f'patient P{i // 2}' for i in range(8)]


def test_a_form_for_predictions_gives_no_labels(tmp_path):
    rows, lost, said = read(make(tmp_path, [f'{i}.png' for i in range(8)], train__csv=lines('id_code,diagnosis', *(f'{i},{i % 2}' for i in range(4))),
                                 sample_submission__csv=lines('id_code,diagnosis', *(f'{i},0' for i in range(4, 8)))))
    assert len(rows) == 4 and len(lost) == 4 and 'sample_submission.csv is not read: a submission form' in said


def test_a_row_of_one_patient_does_not_label_the_image_of_another(tmp_path):
    rows, lost, _ = read(make(tmp_path, ['P1/1.jpg', 'P2/2.jpg', 'P9/7.jpg'], metadata__csv=lines(
        'path,label,patient_id', 'P1/1.jpg,a,P1', 'P2/2.jpg,b,P2', 'P7/7.jpg,b,P7', 'P8/1.jpg,a,P8')))
    assert list(rows.index) == ['P1/1.jpg', 'P2/2.jpg'] and ('P9/7.jpg', 'no row in the table') in lost


def test_folders_of_masks_are_no_class(tmp_path):
    for i, (images, masks) in enumerate([('images', 'labels'), ('imagesTr', 'labelsTr'), ('cxr', 'lungmask')]):
        rows, _, said = read(make(tmp_path / str(i), [f'{folder}/{i}.png' for folder in (images, masks) for i in range(6)]))
        assert len(rows) == 6 and rows['class'].nunique() == 1 and '6 masks are left out' in said
    rows, _, _ = read(make(tmp_path / 'classes', [f'{kind}/{i}.png' for kind in ('labels', 'noise') for i in range(3)] + ['noise/9.png']))
    assert len(rows) == 4


def test_a_main_table_is_never_passed_over(tmp_path):
    names, table = ['a.png', 'b.png'], lines('image,dx', 'a,0', 'b,1')
    for i, text in enumerate(('\n' + table, '# exported\n' + table, table.replace('\n', '\r'))):
        assert list(read(make(tmp_path / str(i), names, metadata__csv=text))[0]['class']) == ['0', '1']
    with pytest.raises(UserError, match='metadata.csv is not a table: more than 400 columns'):
        read(make(tmp_path / 'wide', names, metadata__csv=lines(','.join(f'x{i}' for i in range(500)))))
    with pytest.raises(UserError, match='metadata.csv is not a table'):
        read(make(tmp_path / 'title', names, metadata__csv='Images of 2020\n' + table))


def test_parts_are_found_under_their_usual_names_and_doubts_are_refused(tmp_path):
    for i, parts in enumerate((('training_set', 'test_set'), ('train', 'external_test'), ('imagesTr', 'imagesTs'), ('development', 'holdout'))):
        rows, _, _ = read(make(tmp_path / str(i), [f'{part}/{k}.png' for part in parts for k in range(3)]))
        assert rows['split'].nunique() == 2 and rows['class'].nunique() == 1, parts
    with pytest.raises(UserError, match='extra lies beside test and train'):
        read(make(tmp_path / 'extra', [f'{part}/{k}.png' for part in ('train', 'test', 'extra') for k in range(3)]))


def test_lists_of_a_split_are_read_and_an_unknown_column_of_parts_is_named(tmp_path):
    table = lines('Image Index,Finding Labels,Patient ID', *(f'{i}.png,Hernia,{i}' for i in range(6)))
    rows, _, _ = read(make(tmp_path / 'nih', [f'{i}.png' for i in range(6)], Data_Entry__csv=table,
                           train_val_list__txt=lines(*(f'{i}.png' for i in range(4))), test_list__txt=lines('4.png', '5.png')))
    assert list(rows['split']) == ['train'] * 4 + ['test'] * 2
    _, _, said = read(make(tmp_path / 'odd', ['a.png', 'b.png'], metadata__csv=lines('image,dx,split', 'a,0,1', 'b,1,2')))
    assert "split of metadata.csv has '1', '2' and names no part of a split, so it is not used" in said


def test_an_odd_cell_among_flags_is_refused_with_its_row(tmp_path):
    table = lines('image,MEL,NV,BCC,AKIEC,BKL,DF,VASC', *(f'{i},{i % 2}.0,{1 - i % 2}.0,0,0,0,0,0' for i in range(6)), '6,0.5,0.5,0,0,0,0,0')
    with pytest.raises(UserError, match="MEL has '0.5' in row 8: expected 0 or 1"):
        read(make(tmp_path, [f'{i}.png' for i in range(7)], truth__csv=table))


def test_a_table_that_names_no_image_is_refused_with_both_names(tmp_path):
    with pytest.raises(UserError, match="image has '7', and files are called '0007.jpg'"):
        read(make(tmp_path, ['0007.jpg', '0008.jpg'], labels__csv=lines('image,diagnosis', '7,a', '8,b')))


def test_an_image_that_is_called_like_a_mask_is_one_if_a_table_gives_it_a_class(tmp_path):
    rows, _, _ = read(make(tmp_path, ['a.jpg', 'a_lesion.jpg'], labels__csv=lines('image,dx', 'a.jpg,x', 'a_lesion.jpg,y')))
    assert list(rows['class']) == ['x', 'y']


def test_words_for_no_patient_join_nobody_and_two_patients_of_one_image_are_joined(tmp_path):
    rows, _, _ = read(make(tmp_path / 'a', ['a.jpg', 'b.jpg'], metadata__csv=lines('image,dx,patient_id', 'a,x,removed', 'b,y,removed')))
    assert list(rows['group']) == ['', '']
    rows, _, _ = read(make(tmp_path / 'b', ['a.jpg', 'b.jpg', 'c.jpg'], metadata__csv=lines(
        'image,dx,patient_id', 'a,x,P0', 'a,x,P9', 'b,y,P9', 'c,y,P0')))
    assert rows['group'].nunique() == 1


def test_what_is_not_read_is_counted(tmp_path):
    _, _, said = read(make(tmp_path, ['a/1.png', 'b/1.png', 'a/2.heic', 'b/2.HEIC', 'b/3.mp4', 'README.md', 'labels.xlsx']))
    assert '4 files are not read: 2 .heic, 1 .mp4, 1 .xlsx' in said


NAMES = [f'{i}.png' for i in range(8)]


def table_of(classes, names=NAMES):
    return lines('image,label', *(f'{name},{kind}' for name, kind in zip(names, classes, strict=True)))


def test_a_table_that_the_user_names_is_not_mixed_with_others_however_it_is_spelled(tmp_path, monkeypatch):
    make(tmp_path, NAMES, metadata__csv=table_of('AAAABBBB'), own__csv=table_of('XXXXXXYY'))
    monkeypatch.chdir(tmp_path)
    for name in ('own.csv', './own.csv', str(tmp_path / 'own.csv')):
        rows, lost, reading, _ = understand('.' if name[0] != '/' else tmp_path, collect_answers(labels=name))
        assert list(rows['class']) == list('XXXXXXYY') and not lost and len(reading.tables) == 1, name


def test_a_second_table_of_the_same_images_neither_adds_images_nor_removes_them(tmp_path):
    rows, _, _ = read(make(tmp_path / 'one', NAMES, metadata__csv=table_of('AABB', NAMES[:4]), metadata_original__csv=table_of('AAAABBBB')))
    assert len(rows) == 4  # the others were left out on purpose
    with pytest.raises(UserError, match='classes in two tables, a.csv and b.csv'):
        read(make(tmp_path / 'two', NAMES, a__csv=table_of('AAAABBBB'), b__csv=table_of('BBBBAAAA')))


def test_an_image_in_two_parts_is_not_trained_on(tmp_path):
    rows, _, _ = read(make(tmp_path, NAMES, metadata__csv=lines('image,label,split', *(f'{n},A,train' for n in NAMES), '0.png,A,test', '1.png,A,test')))
    assert list(rows['split'][:3]) == ['test', 'test', 'train']


def test_a_published_test_part_is_enough_for_a_split():
    for parts, kept in ((('', 'test'), True), (('train', 'test'), True), (('', 'train'), False), (('test', 'validation'), False)):
        assert has_parts(SimpleNamespace(parts=parts)) == kept, parts


def test_patients_of_one_table_keep_the_lesions_of_another_together(tmp_path):
    names = [f'{kind}/{kind}{i}.png' for kind in 'ab' for i in range(4)]
    stems = [name.split('/')[1] for name in names]
    rows, _, _ = read(make(tmp_path, names, clinical__csv=lines('image,patient_id', *(f'{s},P{k // 4}' for k, s in enumerate(stems))),
                           lesions__csv=lines('image,lesion_id', *(f'{s},L{k}' for k, s in enumerate(stems)))))
    assert rows['group'].nunique() == 2


@pytest.mark.parametrize('mask', ['BraTS_001_seg.nii.gz', 'segmentation.nii.gz', 'patient001_gt.nii.gz', 'BraTS_001_seg.nii'])
def test_masks_of_volumes_are_masks(mask):
    assert is_mask(f'images/{mask}') and not is_mask('images/BraTS_001_t1.nii.gz')


def test_a_date_in_a_name_is_no_patient_and_blanks_before_quotes_are_no_part_of_a_class(tmp_path):
    names = [f'nevus/2019031{i}_001.png' for i in range(4)]
    rows, _, _ = read(make(tmp_path / 'dates', names))
    assert not any('patient' in group for group in rows['group']) and patient_from_name('00000001_000.png')[1] == '00000001'
    quoted = [*(f'{n}, "A, b"' for n in NAMES[:4]), *(f'{n}, B' for n in NAMES[4:])]
    rows, _, _ = read(make(tmp_path / 'quotes', NAMES, labels__csv=lines('image, label', *quoted)))
    assert set(rows['class']) == {'A, b', 'B'}


def test_a_column_of_flags_with_an_odd_cell_is_named(tmp_path):
    flags = [[int(i % 3 == k) for k in range(3)] for i in range(8)]
    flags[5][2] = 'I'
    make(tmp_path, NAMES, labels__csv=lines('image,MEL,NV,BCC', *(','.join(map(str, [n, *row])) for n, row in zip(NAMES, flags, strict=True))))
    with pytest.raises(UserError, match="BCC has 'I' in row 7: expected 0 or 1"):
        understand(tmp_path, collect_answers(class_column=('MEL', 'NV', 'BCC')))
    rows, *_ = understand(tmp_path, collect_answers(class_column=('MEL', 'NV', 'MEL')))  # named twice
    assert set(rows['class']) == {'MEL', 'NV'}


def test_a_published_split_that_leaves_nothing_to_train_on_is_refused():
    data = SimpleNamespace(parts=('train', 'test'), groups=('P1', 'P1'), files=('a', 'b'))
    with (patch('medimagegan.data.training_images.merge_equal_groups', return_value=data.groups),
          pytest.raises(UserError, match='so none is left to train on')):
        follow_parts(data, TrainConfig())


def groups(rows):
    return {path: group.rsplit(' ', 1)[-1] for path, group in rows['group'].items()}


def test_tables_of_patients_are_joined_by_the_patient_and_visits_by_both(tmp_path):
    names = [f'{i}.jpg' for i in range(8)]
    images = lines('file,patient_id', *(f'{name},P{i // 2}' for i, name in enumerate(names)))
    rows, _, _ = read(make(tmp_path / 'a', names, images__csv=images, patients__csv=lines('patient_id,dx,split', *(
        f'P{k},{"ab"[k % 2]},{("train", "train", "val", "test")[k]}' for k in range(4)))))
    assert list(rows['class']) == list('aabbaabb') and list(rows['split']) == ['train'] * 4 + ['validation'] * 2 + ['test'] * 2
    rows, lost, _ = read(make(tmp_path / 'b', names[:4], images__csv=lines('file,patient_id,visit_id', '0.jpg,A,1', '1.jpg,A,2', '2.jpg,B,1', '3.jpg,B,2'),
                              labels__csv=lines('patient_id,visit_id,dx', 'A,1,a', 'B,2,b')))
    assert dict(rows['class']) == {'0.jpg': 'a', '3.jpg': 'b'} and len(lost) == 2


@pytest.mark.parametrize('above', ('', 'images/'))
def test_folders_named_after_the_patients_of_a_table_get_their_classes(above, tmp_path):
    rows, _, said = read(make(tmp_path, [f'{above}P{k:03}/{i}.png' for k in range(6) for i in range(2)],
                              patients__csv=lines('patient_id,diagnosis', *(f'P{k:03},{"ab"[k % 2]}' for k in range(6)))))
    assert list(rows['class']) == list('aabb' * 3) and 'patient: patient_id' in said and '6 patients' in said
    answers = tmp_path / 'r.yaml'
    answers.write_text(f'tables: [{tmp_path / "patients.csv"}]\nimage_column: files in folders\nclass_column: diagnosis\ngroup_columns: patient_id\n')
    again = understand(tmp_path, collect_answers(labels=str(answers)))[0]
    assert list(again['class']) == list(rows['class']) and list(again['group']) == list(rows['group'])


def test_numbers_of_patients_are_not_taken_for_those_of_images(tmp_path):
    rows, _, _ = read(make(tmp_path, [f'{i}.png' for i in range(1, 9)], images__csv=lines('file,patient_id', *(f'{i}.png,{(i + 1) // 2}' for i in range(1, 9))),
                           patients__csv=lines('patient_id,diagnosis', '1,a', '2,b', '3,a', '4,b')))
    assert list(rows['class']) == list('aabbaabb')


def test_frames_that_are_numbered_for_each_patient_are_not_those_of_another_patient(tmp_path):
    frames = [f'benign/P1/{i:06}.png' for i in range(3)] + [f'malignant/P3/{i:06}.png' for i in range(5)]
    table = lines('file,patient', *(f'P{k}/{i:06}.png,pat{k}' for k in (4, 2, 1, 3) for i in range(5)))
    assert groups(read(make(tmp_path / 'a', frames, patients__csv=table))[0]) == {name: f'pat{name.split("/P")[1][0]}' for name in frames}
    rows, lost, _ = read(make(tmp_path / 'b', [f'P1/{i}.png' for i in range(4)], labels__csv=lines('file,class', *(f'P2/{i}.png,nv' for i in range(4)))))
    assert not len(rows) and len(lost) == 8
    _, _, said = read(make(tmp_path / 'c', [f'site B/{i}.png' for i in range(4)], labels__csv=lines('file,class', *(f'site A/{i}.png,nv' for i in range(4)))))
    assert 'site A/0.png in the table is taken for site B/0.png' in said


def test_columns_of_parts_and_of_views_are_no_classes(tmp_path):
    names = [f'{kind}/{kind}{i}.png' for kind in ('normal', 'pneumonia') for i in range(4)]

    def with_columns(folder, columns, cells):
        return make(tmp_path / folder, names, info__csv=lines(f'file,{columns}', *(f'{name},{cells(int(name[-5]) > 1)}' for name in names)))
    for folder, columns, cells in (('a', 'train,test', lambda late: '0,1' if late else '1,0'), ('b', 'is_test', lambda late: int(late))):
        rows = read(with_columns(folder, columns, cells))[0]
        assert set(rows['class']) == {'normal', 'pneumonia'} and list(rows['split']) == ['train', 'train', 'test', 'test'] * 2
    views = with_columns('c', 'AP,PA', lambda late: '0,1' if late else '1,0')
    with pytest.raises(UserError, match='set class_column: folder 1, or class_column: AP, PA'):
        read(views)
    assert set(understand(views, collect_answers(class_column=('folder 1',)))[0]['class']) == {'normal', 'pneumonia'}


@pytest.mark.parametrize('train, test', (('trainset', 'testset'), ('train', 'test_unseen'), ('Train_cropped', 'Test_cropped'), ('derm_train', 'derm_test'),
                                         ('a. Training Set', 'b. Testing Set'), ('isic/1. Training', 'isic/2. Test')))
def test_folders_with_a_word_for_a_part_are_parts(train, test, tmp_path):
    names = [f'{folder}/{folder[0]}{i}.png' for folder in (train, test) for i in range(4)]
    rows = read(make(tmp_path, sorted({name.rsplit('/', 1)[0] + f'/{k}.png' for k, name in enumerate(names)}),
                     labels__csv=lines('file,class', *(f'{k},{"ab"[k % 2]}' for k in range(8)))))[0]
    assert {path: part for path, part in rows['split'].items()} == {path: 'train' if path.startswith(train) else 'test' for path in rows.index}


def test_tables_with_a_word_for_a_part_are_parts_if_they_name_different_images(tmp_path):
    names = [f'images/ISIC_{i:07}.jpg' for i in range(6)]

    def truth(some):
        return lines('image,MEL,NV', *(f'ISIC_{i:07},{i % 2},{1 - i % 2}' for i in some))
    rows = read(make(tmp_path / 'a', names, ISIC2018_Training_GroundTruth__csv=truth(range(4)), ISIC2018_Test_GroundTruth__csv=truth((4, 5))))[0]
    assert list(rows['split']) == ['train'] * 4 + ['test'] * 2
    rows = read(make(tmp_path / 'b', names, blood_test__csv=lines('image,dx', *(f'ISIC_{i:07},a' for i in range(6))),
                     train_notes__csv=lines('image,patient_id', *(f'ISIC_{i:07},P{i}' for i in range(6)))))[0]
    assert set(rows['split']) == {''}


def test_lists_with_labels_are_read_and_ragged_ones_are_named(tmp_path):
    def listed(some, more=''):
        return ''.join(f'i{i}.png {i % 2}{more}\n' for i in some)
    names = [f'i{i}.png' for i in range(8)]
    rows = read(make(tmp_path / 'a', names, train__txt=listed(range(6)), test__txt=listed((6, 7))))[0]
    assert list(rows['class']) == list('01010101') and list(rows['split']) == ['train'] * 6 + ['test'] * 2
    rows = read(make(tmp_path / 'b', names, train__txt=listed(range(6)), test__txt=listed((6, 7)),
                     labels__csv=lines('file,class', *(f'{name},nv' for name in names))))[0]
    assert set(rows['class']) == {'nv'} and list(rows['split']) == ['train'] * 6 + ['test'] * 2
    said = read(make(tmp_path / 'c', names, labels__txt=listed(range(6)) + 'i 6.png 0\ni 7.png 0\n'))[2]
    assert 'labels.txt is not read' in said
    said = read(make(tmp_path / 'd', names, README__txt='These are images.\nPlease cite us, and our paper.\n'))[2]
    assert 'README' not in said


def test_what_gives_no_labels_is_left_out_and_said(tmp_path):
    names, truth = [f'ISIC_{i:07}.jpg' for i in range(6)], lines('image_name,dx', *(f'ISIC_{i:07},{"ab"[i % 2]}' for i in range(6)))
    rows, _, said = read(make(tmp_path / 'a', names, truth__csv=truth, duplicates__csv=lines('image_name_1,image_name_2', 'ISIC_0000000,ISIC_0000005'),
                              sampleSubmission__csv=truth))
    assert list(rows['class']) == list('ababab') and 'duplicates.csv is not read: pairs of images' in said and 'a submission form' in said
    twice = make(tmp_path / 'b', [f'{folder}/{name}' for folder in ('HAM_part_1', 'ham_part_1') for name in names], truth__csv=truth)
    rows, lost, _ = read(twice)
    assert len(rows) == 6 and not lost
    with pytest.raises(UserError, match='it has a header and no rows'):
        read(make(tmp_path / 'c', names, metadata__csv='file,class\n'))


def test_equal_names_in_two_parts_are_told_apart_by_the_part(tmp_path):
    names = [f'{part}/{i}.png' for part in ('train', 'test') for i in range(3)]
    rows = read(make(tmp_path, names, train_labels__csv=lines('id,label', '0,a', '1,a', '2,a'), test_labels__csv=lines('id,label', '0,b', '1,b', '2,b')))[0]
    assert {path[:5] + kind for path, kind in rows['class'].items()} == {'traina', 'test/b'}


def test_columns_of_one_name_and_numbers_of_lesions_with_a_point_are_read(tmp_path):
    names = [f'{i}.png' for i in range(4)]
    rows = read(make(tmp_path / 'a', names, labels__csv=lines('file,mel,nv,x,x,x 5', *(f'{i}.png,{i % 2},{1 - i % 2},a,b,c' for i in range(4)))))[0]
    assert list(rows['class']) == ['nv', 'mel'] * 2
    rows = read(make(tmp_path / 'b', names, images__csv=lines('file,lesion_id', '0.png,101.0', '1.png,101.0', '2.png,102.0', '3.png,'),
                     lesions__csv=lines('lesion_id,dx', '101,a', '102,b')))[0]
    assert list(rows['class']) == ['a', 'a', 'b']


def test_two_spellings_of_a_patient_are_named_without_the_patient(tmp_path):
    said = read(make(tmp_path, ['a.png', 'b.png', 'c.png'], labels__csv=lines('file,label,patient', 'a.png,x,Ward7', 'b.png,x,P2', 'c.png,y,ward7')))[2]
    assert '1 name of lesions or patients with spellings that differ only in case' in said and 'ard7' not in said


def test_a_split_says_what_it_moves_and_is_not_drawn_from_the_test_images(tmp_path, capsys):
    def write(folder, parts):
        for part, names in parts.items():
            for name in names:
                (folder / part / name[0]).mkdir(parents=True, exist_ok=True)
                noise = np.random.default_rng(zlib.crc32(f'{part}{name}'.encode())).integers(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(noise).save(folder / part / name[0] / f'{name}.png')
        return folder
    main(['split', str(write(tmp_path / 'a', {'train': [f'{k}{i}' for k in 'ab' for i in range(9)], 'test': [f'{k}{i}' for k in 'ab' for i in (9, 10)]})),
          '--out', str(tmp_path / 'a.csv')])
    assert 'moved' not in capsys.readouterr().out
    patients = write(tmp_path / 'b', {'train': [f'{k}{i}' for k in 'ab' for i in range(9)], 'test': [f'{k}{i}' for k in 'ab' for i in (9, 10)]})
    (patients / 'patients.csv').write_text(lines('file,patient', *(f'train/{k}/{k}{i}.png,P{k}{i}' for k in 'ab' for i in range(9)),
                                                 *(f'test/{k}/{k}{i}.png,P{k}{i - 9}' for k in 'ab' for i in (9, 10))))
    main(['split', str(patients), '--out', str(tmp_path / 'b.csv')])
    assert 'note: 4 training images are moved to the part in which' in capsys.readouterr().out
    assert main(['split', str(write(tmp_path / 'c', {'val': ['a1', 'b1'], 'test': ['a2', 'b2']})), '--out', str(tmp_path / 'c.csv')]) == 2
    assert 'no images to train on' in capsys.readouterr().err and not (tmp_path / 'c.csv').exists()


@pytest.mark.parametrize('above', ('# image, label, patient\n', '# by A, B, C\n# image,label,patient\n', '# our labels\nimage,label,patient\n'))
def test_a_header_behind_a_sign_of_comment_is_a_header(above, tmp_path):
    rows = read(make(tmp_path, [f'{i}.png' for i in range(4)], labels__csv=above + lines(*(f'{i}.png,a,P{i // 2}' for i in range(4)))))[0]
    assert set(rows['class']) == {'a'} and list(rows['group']) == ['patient P0', 'patient P0', 'patient P1', 'patient P1']


def test_what_was_read_before_is_read_as_before(tmp_path):
    numbers = [f'{i}.png' for i in range(12)]
    flags = make(tmp_path / 'a', numbers, l__csv=lines('file,melanoma', *(f'{i}.png,{i % 2}' for i in range(12))))
    assert list(understand(flags, collect_answers(class_column=('melanoma',)))[0]['class'].value_counts()) == [6, 6]
    rows = read(make(tmp_path / 'c', [*numbers, *(f'GT/{name}' for name in numbers)], labels__csv=lines(*(f'{i}.png,{"ab"[i % 2]}' for i in range(12)))))[0]
    assert list(rows['class'].value_counts()) == [6, 6]
    rows = read(make(tmp_path / 'd', numbers, labels__csv=lines('file,label,is_valid', *(f'{i}.png,{"ab"[i % 2]},{int(i > 1)}' for i in range(12)))))[0]
    assert set(rows['split']) == {''}
    rows = read(make(tmp_path / 'e', numbers, labels__csv=lines('patient_id,label', *(f'{i},{"ab"[i % 2]}' for i in range(12))),
                     licences__csv=lines('file,licence', *(f'{i}.png,CC0' for i in range(12)))))[0]
    assert list(rows['class'].value_counts()) == [6, 6]
    grades = [f'{i % 5}/x{i}.png' for i in range(20)]
    rows = read(make(tmp_path / 'f', grades, patients__csv=lines('patient_id,age', *(f'{i},50' for i in range(30)))))[0]
    assert rows['class'].nunique() == 5 and set(rows['group']) == {''}
    boxes = {f'{i}__txt': '2 0.5 0.5 0.2 0.2\n' for i in range(12)}
    assert list(read(make(tmp_path / 'g', numbers, **boxes))[0]['class'].value_counts()) == [12]
    table = lines('file,dx', *(f'resized256/x{i}.png,a' for i in range(4)))
    rows = read(make(tmp_path / 'h', [f'resized512/x{i}.png' for i in range(4)], labels__csv=table))[0]
    assert len(rows) == 4


def test_patients_with_two_classes_and_lesions_without_a_patient_are_joined_as_far_as_they_can_be(tmp_path):
    names = [f'{kind}/{kind}{i}.png' for kind in ('benign', 'malignant') for i in range(4)]
    rows, _, said = read(make(tmp_path / 'a', names, images__csv=lines('file,patient_id', *(f'{name},{name[:2]}{name[-5]}' for name in names)),
                              biopsies__csv=lines('patient_id,diagnosis', 'be0,x', 'be0,y', 'ma1,x', 'ma2,y')))
    assert set(rows['class']) == {'benign', 'malignant'} and 'no classes from biopsies.csv: it has several classes for 1 patient' in said
    rows = read(make(tmp_path / 'b', [f'{i}.png' for i in range(3)], images__csv=lines('file,lesion_id,patient_id', '0.png,L1,P1', '1.png,L1,', '2.png,L2,P2'),
                     lesions__csv=lines('lesion_id,patient_id,dx', 'L1,P1,a', 'L2,P2,b')))[0]
    assert list(rows['class']) == ['a', 'a', 'b']


def test_names_of_parts_with_classes_in_them_are_refused_and_two_tables_of_a_part_are_not_two_parts(tmp_path):
    folders = [f'{kind}_{part}/{kind[0]}{part[1]}{i}.png' for kind in ('benign', 'malignant') for part in ('train', 'test') for i in range(4)]
    with pytest.raises(UserError, match='name a part of a split and something else, which may be a class'):
        read(make(tmp_path / 'a', folders))
    truth = {f'ISIC2018_Task3_{part}_GroundTruth__csv': lines('image,MEL,NV', *(f'ISIC_{i:07},{i % 2},{1 - i % 2}' for i in some))
             for part, some in (('Training', range(4)), ('Test', (4, 5)))}
    rows = read(make(tmp_path / 'b', [f'ISIC_{i:07}.jpg' for i in range(6)], **truth, ISIC2018_Task3_Training_LesionGroupings__csv=lines(
        'image,lesion_id,diagnosis_confirm_type', *(f'ISIC_{i:07},HAM_{i // 2},x' for i in range(4)))))[0]
    assert list(rows['split']) == ['train'] * 4 + ['test'] * 2 and set(rows['group'][:4]) == {'lesion HAM_0', 'lesion HAM_1'}


def test_a_list_without_a_header_beside_folders_is_a_part_or_a_doubt(tmp_path):
    names = [f'{town}/{town}{i}.png' for town in ('oslo', 'rome') for i in range(4)]
    doubt = make(tmp_path / 'a', names, labels__csv=lines(*(f'{name},{"melanoma" if name < "p" else "nevus"}' for name in names)))
    with pytest.raises(UserError, match='labels.csv has no header, and its cells .* or the folders may be the classes: set class_column: folder 1'):
        read(doubt)
    assert set(understand(doubt, collect_answers(labels=str(doubt / 'labels.csv')))[0]['class']) == {'melanoma', 'nevus'}
    rows = read(make(tmp_path / 'b', names, splits__csv=lines(*(f'{name},{"test" if "3" in name else "train"}' for name in names))))[0]
    assert set(rows['class']) == {'oslo', 'rome'} and rows['split'].value_counts().to_dict() == {'train': 6, 'test': 2}
    codes = make(tmp_path / 'c', names, l__csv=lines(*(f'{name},{i % 2}' for i, name in enumerate(names))))
    rows = understand(codes, collect_answers(class_column=('column 2',)))[0]
    assert set(rows['class']) == {'0', '1'}


def test_tables_of_patients_find_their_folders_whatever_they_say(tmp_path):
    names = [f'images/P{k:03}/{i}.png' for k in range(20) for i in range(2)]
    rows = read(make(tmp_path / 'a', names, t__csv=lines('patient_id,melanoma,nevus', *(f'P{k:03},{k % 2},{1 - k % 2}' for k in range(50)))))[0]
    assert set(rows['class']) == {'melanoma', 'nevus'} and rows['group'].nunique() == 20
    numbers = [f'{1000 + k}/{i}.png' for k in range(20) for i in range(2)]
    rows = read(make(tmp_path / 'b', numbers, t__csv=lines('patient_id,diagnosis', *(f'{1000 + k},{"ab"[k % 2]}' for k in range(20)))))[0]
    assert set(rows['class']) == {'a', 'b'}
    unknown = make(tmp_path / 'c', [f'{i}.png' for i in range(4)], images__csv=lines('file,patient_id', *(f'{i}.png,P{i // 2}' for i in range(4))),
                   t__csv=lines('patient_id,dx', 'P0,a', 'P1,b', 'NA,a', 'NA,b'))
    assert list(read(unknown)[0]['class']) == ['a', 'a', 'b', 'b']


def test_a_flag_of_quality_is_no_part_and_parts_in_three_columns_are(tmp_path):
    names = [f'{i}.png' for i in range(12)]
    rows = read(make(tmp_path / 'a', names, t__csv=lines('file,dx,train,valid,test', *(
        f'{i}.png,{"ab"[i % 2]},{int(i < 6)},{int(6 <= i < 9)},{int(i > 8)}' for i in range(12)))))[0]
    assert sorted(rows['split'].value_counts().to_dict().items()) == [('test', 3), ('train', 6), ('validation', 3)]


def test_readers_of_one_part_are_compared(tmp_path):
    def marks(kinds):
        return lines('file,dx', *(f'{i}.png,{kind}' for i, kind in kinds.items()))
    with pytest.raises(UserError, match='classes in two tables'):
        read(make(tmp_path, [f'{i}.png' for i in range(6)], train_reader1__csv=marks({0: 'a', 1: 'b', 2: 'a', 3: 'b'}),
                  train_reader2__csv=marks({0: 'b', 1: 'b', 2: 'a', 3: 'b'}), test_all__csv=marks({4: 'a', 5: 'b'})))


def test_a_comment_with_a_comma_is_no_header_and_no_match_is_no_traceback(tmp_path):
    assert set(read(make(tmp_path / 'a', ['0.png', '1.png'], t__csv='# dataset, version 2\n0.png,a\n1.png,b\n'))[0]['class']) == {'a', 'b'}
    rows, lost, _ = read(make(tmp_path / 'b', ['0.png'], t__csv=lines('file,dx,patient', 'P2/x.png,a,P1'), metadata__csv=lines('file,dx', 'y.png,a')))
    assert not len(rows) and lost


def test_tables_that_say_nothing_of_patients_group_nothing(tmp_path):
    names = [f'{kind}/{kind}{i}.png' for kind in ('MEL', 'NV', 'BCC') for i in range(6)]
    rows = read(make(tmp_path / 'a', names, classes__csv=lines('lesion,description', 'MEL,melanoma', 'NV,nevus', 'BCC,carcinoma')))[0]
    assert rows['class'].nunique() == 3 and set(rows['group']) == {''}
    rows = read(make(tmp_path / 'b', names, labels__txt=''.join(f'{name} {name.split("/")[0].lower()}\n' for name in names)))[0]
    assert {kind.casefold() for kind in rows['class']} == {'mel', 'nv', 'bcc'}


def test_tables_that_share_an_image_and_agree_are_one_table(tmp_path):
    names = [f'{i}.png' for i in range(12)]
    one, two = (lines('file,dx', *(f'{i}.png,{"ab"[i % 2]}' for i in some)) for some in (range(7), range(6, 12)))
    assert len(read(make(tmp_path / 'a', names, train_1__csv=one, train_2__csv=two))[0]) == 12
    flags = lines('file,dx,is_valid,is_test', *(f'{i}.png,{"ab"[i % 2]},{int(i > 0)},{int(i > 8)}' for i in range(12)))
    assert read(make(tmp_path / 'b', names, t__csv=flags))[0]['split'].value_counts().to_dict() == {'train': 9, 'test': 3}
    rows, lost, _ = read(make(tmp_path / 'c', [f'P102/x{i}.png' for i in range(3)], t__csv=lines('file,dx', *(f'P101/x{i}.png,a' for i in range(3)))))
    assert not len(rows) and len(lost) == 6
