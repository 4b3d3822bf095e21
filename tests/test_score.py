"""`medimagegan score` on folders, and what a run reports at its end."""
import json

import numpy as np
import pytest
from conftest import SMALL, flags
from PIL import Image

from medimagegan.data.phantoms import make_phantoms
from medimagegan.evaluate.verdict import VERDICTS


def save(folder, images, suffix='png'):
    folder.mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f'image_{i:04d}.{suffix}')
    return folder


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp('folders')
    train = make_phantoms(60, 64).images
    save(root / 'reals', train)
    save(root / 'held', make_phantoms(40, 64, seed=1).images)
    save(root / 'good', make_phantoms(40, 64, seed=2).images)
    save(root / 'flipped', train[:40].flip(-1))
    save(root / 'one', train[:1].repeat(40, 1, 1, 1))
    (root / 'noise').mkdir()
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3)).astype(np.uint8)):
        Image.fromarray(image).save(root / 'noise' / f'{i}.png')
    return root


@pytest.mark.parametrize('kind, verdict', [('good', 'healthy'), ('flipped', 'copies training data'), ('one', 'mode collapse'),
                                           ('noise', 'diverged')])
def test_folders_get_their_verdict(medimagegan, folders, tmp_path, kind, verdict):
    done = medimagegan('score', folders / kind, folders / 'reals', '--reference', folders / 'held', '--out', 'out/s.json', '--n_gpu', 0)
    assert f'verdict: {verdict}\n' in done.stdout and 'real vs. real' in done.stdout
    scores = json.loads((tmp_path / 'out' / 's.json').read_text())
    assert scores['verdict']['value'] == verdict and scores['verdict']['reasons']
    for name in ('FD(efficientnet_lite0)', 'KD(efficientnet_lite0)', 'precision', 'recall', 'density', 'coverage', 'PSNR', 'HaarPSI'):
        cell = scores['metrics'][name]
        assert {'value', 'low', 'high', 'n_real', 'n_fake', 'reference', 'backbone'} <= set(cell), name
        assert cell['n_real'] == cell['n_fake'] == 40
    assert {'real vs. real', 'mean image', 'noise'} <= set(scores['reference_rows'])
    page = (tmp_path / 'out' / 's.html').read_text()
    assert verdict in page and page.count('data:image/png') == 3 and 'src="http' not in page
    assert not list(tmp_path.rglob('*.new'))


def test_without_a_reference_half_of_the_reals_serves_and_says_so(medimagegan, folders, tmp_path):
    done = medimagegan('score', folders / 'flipped', folders / 'reals', '--out', 's.json', '--n_gpu', 0)
    scores = json.loads((tmp_path / 's.json').read_text())
    assert 'a seeded half of' in done.stdout and scores['metrics']['FD(efficientnet_lite0)']['n_real'] == 30
    assert scores['copies']['n_train'] == 60 and scores['verdict']['value'] == 'copies training data'
    assert 'a seeded half of' in (tmp_path / 's.html').read_text()


@pytest.mark.parametrize('words, said', [
    (('nowhere', 'reals'), 'nowhere: no such folder'), (('good', 'nowhere'), 'nowhere: no such folder'),
    (('good', 'reals', '--features', 'inceptoin'), "Did you mean 'inception'?"), (('good', 'reals', '--out', 'x.txt'), 'ends in .json'),
    (('good', 'reals', '--reference', 'reals'), 'images that were not trained on'),
    (('good', 'reals', '--out', 'good/image_0000.png/x.json'), 'found a file'),
    (('good', 'reals', '--n', '2'), 'got 2'), (('good', 'reals', '--image-size', '9'), 'in the range 32<=x<=512'), (('two', 'reals'), 'at least 4'),
    (('good', 'reals', '--referense', 'x'), "Did you mean '--reference'?")])
def test_what_is_wrong_is_one_line(medimagegan, folders, words, said):
    if not (folders / 'two').exists():
        save(folders / 'two', make_phantoms(2, 64).images)
    done = medimagegan('score', *words, cwd=folders, code=2)
    assert said in done.stderr and done.stderr.count('\n') == 1 and done.stdout == ''


def test_a_run_ends_with_a_verdict_and_keeps_its_best(medimagegan, tmp_path):
    done = medimagegan('train', *flags(**SMALL, run='r'))
    run = tmp_path / 'runs' / 'r'
    scores = json.loads((run / 'scores.json').read_text())
    word = scores['verdict']['value']
    assert word in VERDICTS and f'verdict: {word}' in done.stdout and word in (run / 'report.html').read_text()
    assert scores['metrics']['coverage']['reference'] == 'held-out images'
    assert (run / 'best.safetensors').exists() and (run / 'closest.png').exists()
    drawn = medimagegan('sample', run / 'best.safetensors', '--n', 3, '--out', 'drawn')
    assert '3 images' in drawn.stdout


def test_the_training_set_as_reference_is_possible_and_labelled(medimagegan, tmp_path):
    medimagegan('train', *flags(**SMALL, run='r', reference='train', holdout=0))
    run = tmp_path / 'runs' / 'r'
    assert 'rewards memorization' in json.loads((run / 'scores.json').read_text())['metrics']['coverage']['reference']
    assert 'rewards memorization' in (run / 'report.html').read_text()
    assert 'set reference: train' in medimagegan('train', *flags(**SMALL, holdout=0), code=2).stderr


def test_a_run_that_cannot_recover_is_stopped_early_and_stays_stopped(medimagegan, tmp_path):
    "Check early stopping: at this learning rate G learns nothing and generates one grey forever."
    small = {**SMALL, 'num_epochs': 12, 'n_images': 120, 'batch_size': 32, 'score_images': 24, 'curve_images': 24}  # 20 for a verdict
    hopeless = flags(**small, score_every=1, learning_rate=1e-9, run='r', stop_on='mode collapse')
    done = medimagegan('train', *hopeless)
    assert 'stopped after epoch' in done.stdout
    scores = json.loads((tmp_path / 'runs' / 'r' / 'scores.json').read_text())
    assert scores['stopped'] and 6 <= scores['epoch'] < 12 and 'stopped early' in (tmp_path / 'runs' / 'r' / 'report.html').read_text()
    (tmp_path / 'runs' / 'r' / 'scores.json').unlink()  # killed between the last epoch and its scores
    assert f"stopped after epoch {scores['epoch']} of 12" in medimagegan('train', *hopeless).stdout
