"""Splits, synthetic sets and studies in real processes, with planted leaks and a kill."""
import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import ROOT, command, launch, wait_for
from PIL import Image

from medimagegan.runs.folder import RunFolder
from medimagegan.runs.release import resolve
from medimagegan.studies.balance import load_balance
from medimagegan.studies.balance_outcome import conclude_balance, read_outcome
from medimagegan.studies.balance_plan import plan_generators, prepare_study
from medimagegan.studies.balance_training import generate_set, plan_fits

TINY = ['--arch', 'DCGAN', '--image_size', 32, '--gen_feature_maps', 4, '--dis_feature_maps', 4, '--num_epochs', 1, '--n_gpu', 0, '--score_every', 0,
        '--features', 'random:test_efficientnet']
STUDY = '''title: Tiny
n_images: 160
image_size: 32
keep: 8
doses: [100]
seeds: 1
n_gpu: 0
generator: {arch: SNGAN, gen_feature_maps: 4, dis_feature_maps: 4, num_epochs: 1, batch_size: 4, score_every: 0, features: 'random:test_efficientnet'}
classifier: {model: test_efficientnet, pretrained: false, steps: 2, batch_size: 4, checks: 1}
'''


@pytest.fixture
def lesions(medimagegan, tmp_path):
    "Make a folder of phantoms without a table, and its split."
    medimagegan('phantoms', 'lesions', '--n', 160, '--image-size', 32)
    (tmp_path / 'lesions' / 'metadata.csv').unlink()
    said = medimagegan('split', 'lesions', '--out', 'split.csv').stdout
    assert 'melanoma: ' in said and ' validation, ' in said
    with open(tmp_path / 'split.csv', newline='') as f:
        return list(csv.DictReader(f))


def test_a_leak_ends_the_run_and_is_named(medimagegan, lesions, tmp_path):
    test = next(row['file'] for row in lesions if row['split'] == 'test' and row['class'] == 'melanoma')
    words = ['train', '--path', 'lesions', '--split', 'split.csv', '--holdout', 0, *TINY, '--out', 'runs', '--run', 'one']
    planted = tmp_path / 'lesions' / 'nevus' / 'innocent.png'
    for put, reason in ((lambda: shutil.copy(tmp_path / 'lesions' / test, planted), 'under another name'),
                        (lambda: Image.open(tmp_path / 'lesions' / test).rotate(180).save(planted, quality=90), 'in a changed form')):
        put()
        line = medimagegan(*words, code=2).stderr
        assert 'nevus/innocent.png' in line and f'is {test}, an image of the test part' in line and reason in line and line.count('\n') == 1
        assert not (tmp_path / 'runs').exists()
    planted.unlink()
    text = (tmp_path / 'split.csv').read_text()
    train = next(row for row in lesions if row['split'] == 'train')
    other = next(row for row in lesions if row['split'] == 'test')
    leaky = text.replace(f"{train['file']},{train['class']},{train['group']},", f"{train['file']},{train['class']},{other['group']},")
    (tmp_path / 'leaky.csv').write_text(leaky)
    line = medimagegan(*['leaky.csv' if w == 'split.csv' else w for w in words], code=2).stderr
    assert train['file'] in line and 'one lesion or patient' in line and 'in two parts' in line
    assert 'never overwritten' in medimagegan('split', 'lesions', '--out', 'split.csv', code=2).stderr
    assert (tmp_path / 'split.csv').read_text() == text

    medimagegan(*words)  # without a leak it trains, on the train rows only
    with open(tmp_path / 'runs' / 'one' / 'split.csv', newline='') as f:
        seen = {row['file'] for row in csv.DictReader(f) if row['split'] == 'train'}
    assert seen == {row['file'] for row in lesions if row['split'] == 'train'}
    medimagegan('train', 'runs/one', '--num_epochs', 2)  # the split is still known
    medimagegan('sample', 'runs/one', '--n', 2, '--out', 'samples')
    assert len(list((tmp_path / 'samples').glob('*.png'))) == 2


def test_a_synthetic_set_is_an_image_folder_with_manifest_and_scorecard(medimagegan, lesions, tmp_path):
    medimagegan('train', '--path', 'lesions', '--split', 'split.csv', *TINY, '--conditional', 'true', '--run', 'told')
    assert 'which class' in medimagegan('synthesize', 'runs/told', '--out', 'set', code=2).stderr and not (tmp_path / 'set').exists()
    medimagegan('synthesize', 'runs/told', '--class', 'melanoma', '--n', 12, '--out', 'set', '--licence', 'CC0 <b>1.0</b>')
    with open(tmp_path / 'set' / 'manifest.csv', newline='') as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 12 and all((tmp_path / 'set' / row['file']).exists() and row['class'] == 'melanoma' for row in rows)
    train = {row['file'] for row in lesions if row['split'] == 'train'}  # of all classes, since the generator has seen them
    nearest = resolve(RunFolder(tmp_path / 'runs' / 'told'), tuple(row['nearest'] for row in rows))
    assert nearest and set(nearest.values()) <= train and len({row['generator'] for row in rows}) == 1
    page = (tmp_path / 'set' / 'scorecard.html').read_text()
    assert 'CC0 &lt;b&gt;1.0' in page and 'https:' not in page and 'Intended use' in page
    before = sorted(f.name for f in tmp_path.iterdir())
    assert 'not an empty folder' in medimagegan('synthesize', 'runs/told', '--class', 'melanoma', '--out', 'set', code=2).stderr
    assert sorted(f.name for f in tmp_path.iterdir()) == before


def test_a_study_that_was_killed_continues_in_the_notebook_and_the_command_gives_the_same_answer(medimagegan, tmp_path):
    (tmp_path / 'experiment.ipynb').write_bytes((ROOT / 'experiments' / 'experiment.ipynb').read_bytes())
    (tmp_path / 'tiny.yaml').write_text(STUDY)
    fits, words = tmp_path / 'runs' / 'tiny' / 'fits', ('balance', 'tiny.yaml', '--workers', 1)
    study = launch(words, tmp_path, tmp_path)
    wait_for(lambda: len(list(fits.glob('*.json'))) >= 3, study)
    study.kill()
    study.join()
    kept = {f.name: f.read_bytes() for f in fits.glob('*.json')}
    command(Path(sys.executable).parent / 'papermill', ROOT / 'experiments' / 'balance.ipynb', 'out.ipynb', '-p', 'study', 'tiny.yaml',
            '-p', 'workers', 1, '--no-progress-bar', cwd=tmp_path)
    assert {name: (fits / name).read_bytes() for name in kept} == kept, 'finished classifiers are not trained again'
    assert len(list(fits.glob('*.json'))) == 8
    cells = json.loads((tmp_path / 'out.ipynb').read_text())['cells']
    shown = ''.join(text for cell in cells for out in cell.get('outputs', []) for text in out.get('data', {}).get('text/markdown', []))
    answer = next(line for line in medimagegan(*words).stdout.splitlines() if line.startswith('Answer: '))
    first = shown.split(';')[0]
    assert first.startswith('Answer: ') and first in answer


PLANTED = '''n_images: 400
image_size: 32
arms: [synthetic]
seeds: 3
n_gpu: 0
classifier: {model: test_efficientnet, pretrained: false, learning_rate: 3.0e-3, steps: 80, batch_size: 32, checks: 4}
'''


@pytest.mark.parametrize('source, settings, answer', [
    ('fresh phantoms', {'keep': 10, 'test': .4, 'doses': (100,)}, 'helps: '),
    ('wrong labels', {'validation': .1, 'test': .8, 'doses': (400,)}, 'hurts: ')])
def test_a_study_says_when_planted_images_help_and_when_they_hurt(source, settings, answer, tmp_path):
    (tmp_path / 'planted.yaml').write_text(PLANTED)
    study = prepare_study(load_balance(tmp_path / 'planted.yaml', {'source': source, **settings}), tmp_path, lambda line: None)
    for cfg in plan_generators(study):
        generate_set(study.balance, study.paths, cfg)
    for function, *arguments in plan_fits(study).values():
        function(*arguments)
    assert conclude_balance(read_outcome(study))[0].startswith(answer)
