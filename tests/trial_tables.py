"""Trial of tables and folders: the published layouts in their real naming, and odd forms of tables.

`python tests/trial_tables.py` prints `N tried, N held`. Each data set is built here from scratch, with empty files in place of
images: what is tried is which image gets which class, which images belong together, and what is said about it. The expected classes
and owners are written beside each set, without any of the code under test."""
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from medimagegan.core.errors import UserError
from medimagegan.data.answers import collect_answers, write_answers
from medimagegan.data.inspection import Inspection, answers_of
from medimagegan.data.reading import report_reading, understand


def csv(header, *rows, sep=','):
    "Write a table as text; cells may be tuples or lines."
    return '\n'.join([header, *(row if isinstance(row, str) else sep.join(map(str, row)) for row in rows)]) + '\n'


def one_hot(classes, kind, form='{:.1f}'):
    return [form.format(float(name == kind)) for name in classes]


def isic(number):
    return f'ISIC_{number:07}'


CYCLE = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]  # Class of image i
OWNER = [i // 2 for i in range(12)]  # Lesion or patient of image i
ISIC2018 = ['MEL', 'NV', 'BCC', 'AKIEC', 'BKL', 'DF', 'VASC']
ISIC2019 = ['MEL', 'NV', 'BCC', 'AK', 'BKL', 'DF', 'VASC', 'SCC', 'UNK']
MILK = ['AKIEC', 'BCC', 'BEN_OTH', 'BKL', 'DF', 'INF', 'MAL_OTH', 'MEL', 'NV', 'SCCKA', 'VASC']
FINDINGS = ['No Finding', 'Enlarged Cardiomediastinum', 'Cardiomegaly', 'Lung Opacity', 'Lung Lesion', 'Edema',
            'Consolidation', 'Pneumonia', 'Atelectasis', 'Pneumothorax', 'Pleural Effusion', 'Pleural Other', 'Fracture', 'Support Devices']


def layouts():
    """Return {name: (files {path: text of a table, or '' for an image}, {image: class}, {image: owner} or None, said)}.

    An owner is the lesion or patient that must not be torn; None where the layout has neither."""
    found = {}

    def add(name, images, tables, classes, owners=None, said=(), **answers):
        wanted = dict(zip(images, classes, strict=True))
        belongs = dict(zip(images, owners, strict=True)) if owners is not None else None
        found[name] = ({**dict.fromkeys(images, ''), **tables}, {k: v for k, v in wanted.items() if v}, belongs, said, answers)

    ids = [isic(i) for i in range(12)]
    two = [['benign', 'malignant'][i % 2] for i in range(12)]
    images = [f'ISBI2016_ISIC_Part3_Training_Data/{i}.jpg' for i in ids]
    add('ISIC 2016', images, {'ISBI2016_ISIC_Part3_Training_GroundTruth.csv': csv(f'{ids[0]},{two[0]}', *zip(ids[1:], two[1:], strict=True))}, two,
        said=('ISIC 2016', 'groups: none known'))
    add('ISIC 2016 test', [f'ISBI2016_ISIC_Part3_Test_Data/{i}.jpg' for i in ids],
        {'ISBI2016_ISIC_Part3_Test_GroundTruth.csv': csv(f'{ids[0]},0.0', *((i, f'{float(k == "malignant")}') for i, k in
                                                                           zip(ids[1:], two[1:], strict=True)))}, two, said=('0.0 is benign',))
    kinds = ['nevus', 'melanoma', 'seborrheic_keratosis']
    cells = [f'{float(k == 1)},{float(k == 2)}' for k in CYCLE]
    images = [f'ISIC-2017_Training_Data/{i}.jpg' for i in ids[:8]] + [f'ISIC-2017_Test_v2_Data/{i}.jpg' for i in ids[8:]]
    extra = {f'ISIC-2017_Training_Data/{i}_superpixels.png': '' for i in ids[:8]}
    add('ISIC 2017', images, extra | {
        'ISIC-2017_Training_Part3_GroundTruth.csv': csv('image_id,melanoma,seborrheic_keratosis', *zip(ids[:8], cells[:8], strict=True)),
        'ISIC-2017_Test_v2_Part3_GroundTruth.csv': csv('image_id,melanoma,seborrheic_keratosis', *zip(ids[8:], cells[8:], strict=True)),
        'ISIC-2017_Training_Data_metadata.csv': csv('image_id,age_approximate,sex', *((i, 55, 'male') for i in ids[:8]))},
        [kinds[k] for k in CYCLE], said=('an all-zero row means nevus', 'groups: none known', 'masks are left out'))
    kinds = [ISIC2018[k] for k in CYCLE]
    images = [f'ISIC2018_Task3_Training_Input/{i}.jpg' for i in ids]
    add('ISIC 2018', images, {
        'ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv':
            csv(','.join(['image', *ISIC2018]), *([i, *one_hot(ISIC2018, k)] for i, k in zip(ids, kinds, strict=True))),
        'ISIC2018_Task3_Training_LesionGroupings.csv':
            csv('image,lesion_id,diagnosis_confirm_type', *((i, f'HAM_{o:07}', 'histopathology') for i, o in zip(ids, OWNER, strict=True)))},
        kinds, OWNER, ('ISIC 2018', 'lesion_id of ISIC2018_Task3_Training_LesionGroupings.csv', '6 lesions'))
    kinds = ['SCC', 'AK', 'NV']
    names = [i if n % 3 else f'{i}_downsampled' for n, i in enumerate(ids)]
    add('ISIC 2019', [f'ISIC_2019_Training_Input/{i}.jpg' for i in names], {
        'ISIC_2019_Training_GroundTruth.csv':
            csv(','.join(['image', *ISIC2019]), *([i, *one_hot(ISIC2019, kinds[k])] for i, k in zip(names, CYCLE, strict=True))),
        'ISIC_2019_Training_Metadata.csv': csv('image,age_approx,anatom_site_general,lesion_id,sex', *(
            (i, '55.0', 'anterior torso', f'BCN_{o:07}', 'female') for i, o in zip(names, OWNER, strict=True)))},
        [kinds[k] for k in CYCLE], OWNER, ('lesion_id of ISIC_2019_Training_Metadata.csv',))
    kinds, rows = ['unknown', 'nevus', 'melanoma'], []
    for i, k, o in zip(ids, CYCLE, OWNER, strict=True):
        rows.append((i, f'IP_{o:07}', 'male', 45.0, 'head/neck', kinds[k], 'malignant' if k == 2 else 'benign', int(k == 2)))
    header = 'image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target'
    add('ISIC 2020', [f'train/{i}.jpg' for i in ids], {'train.csv': csv(header, *rows)}, [kinds[k] for k in CYCLE], OWNER,
        ('class from diagnosis; benign_malignant, target can be chosen',))
    add('ISIC 2020, benign or malignant', [f'train/{i}.jpg' for i in ids], {'train.csv': csv(header, *rows)},
        ['malignant' if k == 2 else 'benign' for k in CYCLE], OWNER, class_column=('benign_malignant',))
    add('ISIC 2020 by lesion', [f'ISIC_2020_Training_JPEG/train/{i}.jpg' for i in ids], {
        'ISIC_2020_Training_GroundTruth_v2.csv': csv(
            header.replace('patient_id', 'patient_id,lesion_id'), *((r[0], r[1], f'IL_{n:07}', *r[2:]) for n, r in enumerate(rows)))},
        [kinds[k] for k in CYCLE], OWNER)
    header = ('isic_id,target,patient_id,age_approx,sex,anatom_site_general,clin_size_long_diam_mm,image_type,tbp_tile_type,tbp_lv_A,'
              'attribution,copyright_license,lesion_id,iddx_full,iddx_1,mel_thick_mm,tbp_lv_dnn_lesion_confidence')
    add('ISIC 2024', [f'train-image/image/{i}.jpg' for i in ids], {'train-metadata.csv': csv(header, *(
        (i, k % 2, f'IP_{o:07}', 60.0, 'male', 'lower extremity', 3.04, 'TBP tile: close-up', '3D: white', 20.2,
         'Memorial Sloan Kettering Cancer Center', 'CC-BY', '', 'Benign', 'Benign', '', 97.5) for i, k, o in zip(ids, CYCLE, OWNER, strict=True)))},
        [str(k % 2) for k in CYCLE], OWNER, ('licence: copyright_license',))
    header = ('isic_id,attribution,copyright_license,acquisition_day,age_approx,anatom_site_general,concomitant_biopsy,diagnosis_1,'
              'diagnosis_2,diagnosis_3,diagnosis_confirm_type,image_type,lesion_id,melanocytic,patient_id,sex')
    kinds = ['Benign', 'Malignant', 'Indeterminate']
    add('ISIC archive', [f'{i}.jpg' for i in ids], {'metadata.csv': csv(header, *(
        (i, 'Anonymous', 'CC-0', 1, 55, 'anterior torso', True, kinds[k], 'x', 'Nevus', 'histopathology', 'dermoscopic', f'IL_{o:07}', True,
         '', 'male') for i, k, o in zip(ids, CYCLE, OWNER, strict=True)))}, [kinds[k] for k in CYCLE], OWNER, ('ISIC archive', '6 lesions'))
    kinds, header = ['bkl', 'nv', 'mel'], 'lesion_id,image_id,dx,dx_type,age,sex,localization'
    rows = [(f'HAM_{o:07}', i, kinds[k], 'histo', 80.0, 'male', 'scalp') for i, k, o in zip(ids, CYCLE, OWNER, strict=True)]
    pixels = ','.join(f'pixel{i:04}' for i in range(784)) + ',label'
    images = [f'HAM10000_images_part_{1 + n // 6}/{i}.jpg' for n, i in enumerate(ids)]
    add('HAM10000, Kaggle', images, {'HAM10000_metadata.csv': csv(header, *rows), 'hmnist_28_28_L.csv': csv(pixels, [1] * 785)},
        [kinds[k] for k in CYCLE], OWNER, ('HAM10000', 'lesion: lesion_id'))
    tabs = csv(header.replace(',', '\t') + '\tdataset', *('\t'.join(map(str, (*row, 'vidir_modern'))) for row in rows))
    add('HAM10000, Dataverse', images + [], {'HAM10000_metadata.tab': tabs} | {
        f'HAM10000_segmentations_lesion_tschandl/{i}_segmentation.png': '' for i in ids}, [kinds[k] for k in CYCLE], OWNER,
        ('masks are left out',))
    add('HAM10000, no suffix', images, {'HAM10000_metadata': csv(header + ',dataset', *((*row, 'rosendahl') for row in rows))},
        [kinds[k] for k in CYCLE], OWNER)
    kinds, names = ['MEL', 'NV', 'BKL'], [f'BCN_{n:010}' for n in range(12)]
    add('BCN20000', [f'BCN_20k_train/bcn_20k_train/{n}.jpg' for n in names], {'bcn_20k_train.csv': csv(
        'bcn_filename,age_approx,anatom_site_general,diagnosis,lesion_id,capture_date,sex,split', *(
            (f'{n}.jpg', 55.0, 'anterior torso', kinds[k], f'BCN_{o:07}', '2012-05-16', 'male', 'train')
            for n, k, o in zip(names, CYCLE, OWNER, strict=True)))}, [kinds[k] for k in CYCLE], OWNER)
    kinds = [['BCC', 'NV', 'SCCKA'][o % 3] for o in OWNER]
    add('MILK10k', [f'MILK10k_Training_Input/IL_{o:07}/{i}.jpg' for i, o in zip(ids, OWNER, strict=True)], {
        'MILK10k_Training_GroundTruth.csv': csv(','.join(['lesion_id', *MILK]), *(
            [f'IL_{o:07}', *one_hot(MILK, ['BCC', 'NV', 'SCCKA'][o % 3])] for o in range(6))),
        'MILK10k_Training_Metadata.csv': csv(
            'lesion_id,image_type,isic_id,attribution,copyright_license,image_manipulation,age_approx,sex,skin_tone_class,site', *(
                (f'IL_{o:07}', ['clinical: close-up', 'dermoscopic'][n % 2], i, 'MILK study team', 'CC-BY-NC', 'instrument only', 70,
                 'male', 3, 'trunk') for n, (i, o) in enumerate(zip(ids, OWNER, strict=True))))}, kinds, OWNER, ('MILK10k', '6 lesions'))
    kinds = ['ACK', 'NEV', 'SEK']
    names = [f'PAT_{o}_{n}_{n * 7}.png' for n, o in enumerate(OWNER)]
    header = ('patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,gender,skin_cancer_history,'
              'cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,diameter_1,diameter_2,diagnostic,itch,grew,hurt,'
              'changed,bleed,elevation,img_id,biopsed')
    add('PAD-UFES-20', [f'images/imgs_part_{1 + n % 3}/{name}' for n, name in enumerate(names)], {'metadata.csv': csv(header, *(
        (f'PAT_{o}', n, False, False, 'POMERANIA', 'POMERANIA', 55, False, 'FEMALE', True, True, True, True, 3.0, 'NECK', 6.0, 5.0, kinds[k],
         True, True, False, True, True, True, name, True) for n, (name, k, o) in enumerate(zip(names, CYCLE, OWNER, strict=True))))},
        [kinds[k] for k in CYCLE], OWNER, ('PAD-UFES-20', '6 patients'))
    names, kinds = [f'{n:032x}' for n in range(12)], ['drug induced pigmentary changes', 'lichen planus', 'psoriasis']
    add('Fitzpatrick17k', [f'{n}.jpg' for n in names], {'fitzpatrick17k.csv': csv(
        'md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,url_alphanum', *(
            (n, 3, 3, kinds[k], 'inflammatory', 'non-neoplastic', '', 'http://x', 'httpx') for n, k in zip(names, CYCLE, strict=True)))},
        [kinds[k] for k in CYCLE], said=('Fitzpatrick17k', 'groups: none known'))
    header = ('case_num,diagnosis,seven_point_score,pigment_network,streaks,pigmentation,regression_structures,dots_and_globules,'
              'blue_whitish_veil,vascular_structures,level_of_diagnostic_difficulty,elevation,location,sex,management,clinic,derm,case_id,notes')
    kinds = ['basal cell carcinoma', 'blue nevus', 'melanoma (less than 0.76 mm)']
    add('Derm7pt', [f'images/NEL/Nel{n:03}.jpg' for n in range(12)], {f'images/NEL/NEC{n:03}.JPG': '' for n in range(12)} | {
        'meta/meta.csv': csv(header, *((n + 1, kinds[k], 0, 'absent', 'absent', 'absent', 'absent', 'absent', 'absent', 'absent', 'medium',
                                        'nodular', 'abdomen', 'female', 'excision', f'NEL/NEC{n:03}.JPG', f'NEL/Nel{n:03}.jpg', '', '')
                                       for n, k in enumerate(CYCLE)))}, [kinds[k] for k in CYCLE], range(12), ('image_column: clinic',))
    names = [f'IMD{n:03}' for n in range(12)]
    masks = {f'PH2 Dataset images/{n}/{n}_lesion/{n}_lesion.bmp': '' for n in names} | {
        f'PH2 Dataset images/{n}/{n}_roi/{n}_R1_Label4.bmp': '' for n in names}
    kinds = ['common nevus', 'atypical nevus', 'melanoma']
    images = [f'PH2 Dataset images/{n}/{n}_Dermoscopic_Image/{n}.bmp' for n in names]
    add('PH2', images, masks | {'PH2_dataset.txt': csv(
        '||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry || Pigment Network ||                 Colors ||', *(
            f'|| {n} ||                        ||                  {k} ||         0 ||               T ||                4 ||'
            for n, k in zip(names, CYCLE, strict=True)), '', 'Legends:', 'Clinical Diagnosis:', '     0 - Common Nevus;')},
        [kinds[k] for k in CYCLE], said=('PH2', '0 is common nevus', 'groups: none known'))
    kinds = ['Common Nevus', 'Atypical Nevus', 'Melanoma']
    add('PH2, as saved from its workbook', images, masks | {'PH2_dataset.csv': csv(
        'Image Name;Histological Diagnosis;Common Nevus;Atypical Nevus;Melanoma;Asymmetry;Colors', *(
            ';'.join([n, '', *('X' if k == c else '' for c in range(3)), '0', '4']) for n, k in zip(names, CYCLE, strict=True)))},
        [kinds[k] for k in CYCLE], said=('PH2',))
    names, kinds = [f'{n + 1:06}.png' for n in range(12)], ['melanoma-in-situ', 'verruca-vulgaris', 'psoriasis']
    add('DDI', names, {'ddi_metadata.csv': csv(',DDI_ID,DDI_file,skin_tone,malignant,disease', *(
        (n, n + 1, name, 56, k == 0, kinds[k]) for n, (name, k) in enumerate(zip(names, CYCLE, strict=True))))}, [kinds[k] for k in CYCLE],
        said=('DDI', 'groups: none known'))
    header = ('Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,Height],'
              'OriginalImagePixelSpacing[x,y],')
    kinds = ['No Finding', 'Cardiomegaly|Emphysema', 'Effusion']
    names = [f'{o + 1:08}_{n % 2:03}.png' for n, o in enumerate(OWNER)]
    add('NIH ChestX-ray14', [f'images_{1 + n // 6:03}/images/{name}' for n, name in enumerate(names)], {
        'Data_Entry_2017.csv': csv(header, *((name, kinds[k], n % 2, o + 1, 58, 'M', 'PA', 2682, 2749, 0.143, 0.143, '')
                                             for n, (name, k, o) in enumerate(zip(names, CYCLE, OWNER, strict=True)))),
        'BBox_List_2017.csv': csv('Image Index,Finding Label,Bbox [x,y,w,h],,,', (names[2], 'Effusion', 225, 547, 86, 79, '', '', ''))},
        [kinds[k] if k != 1 else '' for k in CYCLE], OWNER, ('4 rows with several findings are left out',))
    names = [f'train/patient{o + 1:05}/study{1 + n % 2}/view1_frontal.jpg' for n, o in enumerate(OWNER)]
    rows, kinds = [], ['No Finding', 'Cardiomegaly', '']
    for name, k in zip(names, CYCLE, strict=True):
        values = ['1.0' if f == kinds[k] else '' for f in FINDINGS] if kinds[k] else ['-1.0' if f == 'Edema' else '1.0' if f == 'Pneumonia'
                                                                                      else '' for f in FINDINGS]
        rows.append([f'CheXpert-v1.0-small/{name}', 'Female', 68, 'Frontal', 'AP', *values])
    add('CheXpert', names, {'train.csv': csv(','.join(['Path,Sex,Age,Frontal/Lateral,AP/PA', *FINDINGS]), *rows)},
        [kinds[k] for k in CYCLE], OWNER, ('several or uncertain findings are left out', '6 patients'))
    names = [f'{n:08}-1111-2222-3333-{n:012}' for n in range(12)]
    rows = [(n, '', '', '', '', 0) if k != 1 else (n, 264.0, 152.0, 213.0, 379.0, 1) for n, k in zip(names, CYCLE, strict=True)]
    rows += [(names[1], 562.0, 152.0, 256.0, 453.0, 1)]
    add('RSNA', [f'stage_2_train_images/{n}.dcm' for n in names], {
        'stage_2_train_labels.csv': csv('patientId,x,y,width,height,Target', *rows),
        'stage_2_detailed_class_info.csv': csv('patientId,class', *((n, ['Normal', 'Lung Opacity', 'No Lung Opacity / Not Normal'][k])
                                                                    for n, k in zip(names, CYCLE, strict=True)))},
        [str(int(k == 1)) for k in CYCLE], names, ('RSNA', 'patient: patientId'))
    kinds, names = ['normal', 'pneumonia', 'COVID-19'], [f'SARS-10.1148rg.2420351{n:02}-fig{n}.jpeg' for n in range(12)]
    rows = [f'{o + 3} {n} {kinds[k]} cohen' for n, k, o in zip(names, CYCLE, OWNER, strict=True)]
    add('COVIDx', [f'{("train", "test")[n > 7]}/{name}' for n, name in enumerate(names)], {
        'train.txt': '\n'.join(rows[:8]) + '\n', 'test.txt': '\n'.join(rows[8:]) + '\n'}, [kinds[k] for k in CYCLE], OWNER,
        ('COVIDx', '6 patients', '4 test'))
    names = [f'{n:012x}' for n in range(12)]
    add('APTOS', [f'train_images/{n}.png' for n in names], {
        'train.csv': csv('id_code,diagnosis', *zip(names, [k * 2 for k in CYCLE], strict=True)), 'test.csv': csv('id_code', 'ffff')},
        [str(k * 2) for k in CYCLE], said=('APTOS', 'groups: none known'))
    paths = []
    for n, o in enumerate(OWNER):
        kind, short, letter = (('benign', 'adenosis', 'B_A'), ('malignant', 'ductal_carcinoma', 'M_DC'))[o % 2]
        zoom = (40, 100)[n % 2]
        paths.append(f'BreaKHis_v1/histology_slides/breast/{kind}/SOB/{short}/SOB_{letter}_14-{22549 + o}AB/{zoom}X/'
                     f'SOB_{letter}-14-{22549 + o}AB-{zoom}-{n:03}.png')
    add('BreaKHis', paths, {'BreaKHis_v1/README.txt': 'see the paper'}, [('benign', 'malignant')[o % 2] for o in OWNER], OWNER,
        ('BreaKHis', '6 patients'))
    return found


def torn(rows, owners):
    "Return the owners whose images are in two parts after a split by the groups that were understood."
    from medimagegan.data.splits import assign_groups
    groups = tuple(g or f'image {p}' for g, p in zip(rows['group'], rows['path'], strict=True))
    parts = assign_groups(np.unique(rows['class'], return_inverse=True)[1], groups, (.5, .25, .25))
    of = {}
    for path, part in zip(rows['path'], parts, strict=True):
        of.setdefault(owners[path], set()).add(part)
    return [owner for owner, found in of.items() if len(found) > 1]


def write_set(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def try_layout(folder, files, classes, owners, said, answers):
    "Return what is wrong with how a data set is understood; '' if nothing is."
    write_set(folder, files)
    refusal = classes if isinstance(classes, list) else None
    try:
        rows, lost, reading, listing = understand(folder, collect_answers(**answers))
    except UserError as error:
        missing = [words for words in refusal or [] if words not in str(error)]
        return f'not in the message: {missing}; {error}' if missing else f'refused: {error}' if refusal is None else ''
    if refusal:
        return f'not refused: {report_reading(reading, listing).report}'
    notes = '\n'.join(report_reading(reading, listing).report)
    found = dict(zip(rows['path'], rows['class'], strict=True))
    if found != classes:
        odd = {k: (v, found.get(k)) for k, v in classes.items() if found.get(k) != v} or {k: v for k, v in found.items() if k not in classes}
        return f'classes: {len(odd)} differ, such as {next(iter(odd.items()))}; {notes}'
    if owners is None and reading.known:
        return f'a group is known where there is none: {notes}'
    if owners is not None and (not reading.known or reading.ungrouped or torn(rows, owners)):
        return f'torn: {torn(rows, owners)}; {notes}'
    missing = [words for words in said if words not in notes]
    if missing:
        return f'not said: {missing}; {notes}'
    write_answers(answers_of(Inspection(str(folder), rows, lost, reading, listing, None)), folder / 'reading.yaml')
    again, _, silent, listing = understand(folder, collect_answers(str(folder / 'reading.yaml')))
    columns = ['path', 'class', 'group', 'split']
    if report_reading(silent, listing).report or not again[columns].reset_index(drop=True).equals(rows[columns].reset_index(drop=True)):
        return f"saved answers are read differently: {(folder / 'reading.yaml').read_text()}"
    return ''


GROUP_SPELLINGS = ('patient_id', 'patientId', 'Patient ID', 'PatientID', 'PATIENT_ID', 'patient', 'Patients', 'patient-id', 'subject',
                   'subject_id', 'SubjectID', 'Subject ID', 'lesion', 'lesion_id', 'LesionId', 'lesion_ids', 'Lesion Group', 'lesion_group',
                   'case_id', 'Case', 'case_num', 'group', 'pid', 'participant_id', 'study_id')
FOUR = ['a.png', 'b.png', 'c.png', 'd.png']
ABCD = dict(zip(FOUR, ['x', 'y', 'x', 'y'], strict=True))
TABLE = 'image,label\na,x\nb,y\nc,x\nd,y\n'


def odd_cases():
    """Return {name: (files, {image: class}, {image: owner} or None, said, answers)} of tables and folders in odd forms.

    In place of the classes there may be a list of words: those of a refusal."""
    found = {}

    def add(name, files, expected, owners=None, said=(), **answers):
        images = files if isinstance(files, dict) else dict.fromkeys(files, '')
        found[name] = (images, expected, owners, said, answers)

    def four(text, name='labels.csv', files=FOUR):
        return {**dict.fromkeys(files, ''), name: text}

    rows = ['a,x,1', 'b,y,1', 'c,x,2', 'd,y,2']
    for spelling in GROUP_SPELLINGS:
        add(f'groups: {spelling}', four(csv(f'image,label,{spelling}', *rows)), ABCD, dict(zip(FOUR, '1122', strict=True)))
    for spelling in ('filename', 'Image Name', 'img', 'image_path', 'ID', 'imageId', 'File Names', 'Bild'):
        add(f'images: {spelling}', four(TABLE.replace('image', spelling)), ABCD, said=(spelling,))
    add('semicolons and a byte order mark', four('\ufeff' + TABLE.replace(',', ';')), ABCD)
    add('tabs', four(TABLE.replace(',', '\t'), 'labels.tsv'), ABCD)
    add('suffix, case and folder differ', four('image,label\nimages/A.JPG,x\nimages\\B.jpeg,y\n./c.PNG,x\n/data/d.tif,y\n'), ABCD)
    add('a header of two columns is kept', four('filename,label\na.png,0\nb.png,1\nc.png,0\nd.png,1\n'),
        dict(zip(FOUR, '0101', strict=True)))
    add('no header', four('a.png,x\nb.png,y\nc.png,x\nd.png,y\n'), ABCD)
    add('no header, three columns', four('a.png,x,1\nb.png,y,1\nc.png,x,2\nd.png,y,2\n'), ['column 1', 'class_column'])
    add('no header, three columns, said', four('a.png,x,1\nb.png,y,1\nc.png,x,2\nd.png,y,2\n'), ABCD, dict(zip(FOUR, '1122', strict=True)),
        class_column=('column 2',), group_columns=('column 3',))
    add('one-hot, unknown columns, a row of zeros', four('image,ACK,BCC,MEL,NEV,SCC,SEK\na,1,0,0,0,0,0\nb,0,0,0,0,0,1\nc,0,0,0,0,0,0\n'
                                                         'd,0,1,0,0,0,0\n'), {'a.png': 'ACK', 'b.png': 'SEK', 'd.png': 'BCC'})
    add('one-hot of true and false', four('image,wart,mole\na,True,False\nb,False,True\nc,True,False\nd,False,True\n'),
        dict(zip(FOUR, ['wart', 'mole'] * 2, strict=True)))
    add('flags that are no classes', four('image,wet,red\na,1,1\nb,0,1\nc,0,0\nd,1,1\n'), ['wet', 'red', 'class_column'])
    add('two columns of classes', four('image,label,category\na,x,1\nb,y,1\nc,x,2\nd,y,2\n'), ['class_column: label', 'class_column: category'])
    add('two columns of classes, said', four('image,label,category\na,x,1\nb,y,1\nc,x,2\nd,y,2\n'), dict(zip(FOUR, '1122', strict=True)),
        class_column=('category',))
    add('a code and its name', four('image,label,label_name\na,0,x\nb,1,y\nc,0,x\nd,1,y\n'), ABCD)
    add('no classes', four('image,age\na,1\nb,2\n', 'metadata.csv'), ['image, age', 'class_column'])
    add('no images', four('colour,label\nred,1\nblue,2\n', 'metadata.csv'), ['colour, label', 'image_column'])
    add('two columns of images', {**dict.fromkeys(FOUR, ''), 't.csv': 'left,right,label\na,b,x\nc,d,y\n'},
        ['image_column: left', 'image_column: right'])
    add('two columns of images, said', {**dict.fromkeys(FOUR, ''), 't.csv': 'left,right,label\na,b,x\nc,d,y\n'}, {'a.png': 'x', 'c.png': 'y'},
        image_column='left')
    add('a column that is not there', four(TABLE), ["no column 'Label2'", 'image, label'], class_column=('Label2',))
    add('a group column that is not there', four(TABLE), ["a column 'ward'", 'image, label'], group_columns=('ward',))
    add('new names', four(TABLE), {'a.png': 'nevus', 'c.png': 'nevus'}, class_map=('x=nevus', 'y='))
    add('a class with a comma', four('image,label\na,"x, y"\nb,z\n'), {'a.png': 'x, y', 'b.png': 'z'})
    add('two tables that disagree', four(TABLE) | {'other.csv': 'image,diagnosis\na,y\nb,x\n'}, ['labels.csv', 'other.csv'])
    add('two tables that agree', four(TABLE) | {'other.csv': 'image,diagnosis\na,x\nb,y\n'}, ABCD)
    add('a table beside folders wins', {f'f{i % 3}/{name}': '' for i, name in enumerate(FOUR)} | {'labels.csv': TABLE},
        {f'f{i % 3}/{name}': ABCD[name] for i, name in enumerate(FOUR)})
    add('groups beside class folders', {f'{ABCD[name]}/{name}': '' for name in FOUR} | {'who.csv': 'image,patient\na,1\nb,1\nc,2\nd,2\n'},
        {f'{ABCD[name]}/{name}': ABCD[name] for name in FOUR}, {f'{ABCD[n]}/{n}': o for n, o in zip(FOUR, '1122', strict=True)})
    add('folders of a split', [f'{part}/{kind}/{i}.png' for part in ('train', 'val', 'test') for kind in 'xy' for i in range(2)],
        {f'{part}/{kind}/{i}.png': kind for part in ('train', 'val', 'test') for kind in 'xy' for i in range(2)}, said=('4 train', '4 validation'))
    add('a class called test', ['test/a.png', 'control/b.png'], {'test/a.png': 'test', 'control/b.png': 'control'})
    add('parts of a download', [f'images_{i:03}/{name}' for i, name in enumerate(FOUR)], {f'images_{i:03}/{n}': 'images' for i, n in enumerate(FOUR)})
    add('classes below one folder', [f'data v1/x{ABCD[n]}/{n}' for n in FOUR], {f'data v1/x{ABCD[n]}/{n}': f'x{ABCD[n]}' for n in FOUR})
    nested = ['benign/nevus/a.png', 'benign/wart/b.png', 'malignant/melanoma/c.png']
    add('classes in two levels', nested, ['class_column: folder 1 (benign, malignant)', 'class_column: folder 2 (melanoma, nevus, wart)'])
    add('classes in two levels, said', nested, dict(zip(nested, ['nevus', 'wart', 'melanoma'], strict=True)), class_column=('folder 2',))
    below = [f'{"xy"[i // 2 % 2]}/P{i // 2:02}/{i}.png' for i in range(8)]
    add('folders of patients', below, {f: f[0] for f in below}, {f: f[2:5] for f in below}, said=('folder 2',))
    add('images and masks', [f'{kind}/{where}/{i}.png' for kind in 'xy' for where in ('images', 'masks') for i in range(2)],
        {f'{kind}/images/{i}.png': kind for kind in 'xy' for i in range(2)}, said=('4 masks',))
    add('masks beside images', ['x (1).png', 'x (1)_mask.png', 'x (1)_mask_1.png', 'GT/x.png'], {'x (1).png': 'images'})
    add('people with and without masks', ['with_mask/a.png', 'without_mask/b.png'], {'with_mask/a.png': 'with_mask', 'without_mask/b.png': 'without_mask'})
    add('another folder of the same name', {'train/p1/a.png': '', 't.csv': 'path,label\nval/p1/a.png,y\ntrain/p1/a.png,x\n'}, {'train/p1/a.png': 'x'})
    add('groups in two columns', four('image,label,site,room\na,x,1,r\nb,y,1,s\nc,x,2,s\nd,y,3,t\n'), ABCD,
        dict(zip(FOUR, '1112', strict=True)), group_columns=('site', 'room'))
    add('a column of parts', four('image,label,Set\na,x,Train\nb,y,training\nc,x,test\nd,y,VAL\n'), ABCD,
        said=('2 train', '1 test', '1 validation'))
    add('licences', four('image,label,copyright_license\na,x,CC-0\nb,y,CC-BY\nc,x,CC-0\nd,y,CC-0\n'), ABCD, said=('copyright_license',))
    return found


def trial(full=False):
    "Return [(name, what is wrong or '')] of every case."
    told = []
    with tempfile.TemporaryDirectory() as d:
        for i, (name, (files, classes, owners, said, answers)) in enumerate((layouts() | odd_cases()).items()):
            told.append((name, try_layout(Path(d, str(i)), files, classes, owners, said, answers)))
            shutil.rmtree(Path(d, str(i)), ignore_errors=True)
    return told


if __name__ == '__main__':
    told = trial('--full' in sys.argv)
    for name, wrong in told:
        if wrong:
            print(f'{name}: {wrong}')
    print(f'{len(told)} tried, {sum(not wrong for _, wrong in told)} held')
