"""What travels with synthetic images shows no real image and names none; the owner's pages do, and say so."""
import json
import stat

import pandas as pd
import torch
from conftest import SMALL, flags
from PIL import Image
from real_pixels import count_reals, make_patients, orientations, pictures_in, reals_in, write_patients

from medimagegan.data.show import tile_images
from medimagegan.runs.privacy import DO_NOT_SHARE


def test_the_search_finds_real_images_in_any_form_and_no_others(tmp_path):
    reals = make_patients(16, 32)
    sheet = Image.fromarray(tile_images(orientations(reals[:8].float()).to(torch.uint8)[16:32]))
    sheet.save(tmp_path / 'a.jpg', quality=60)
    sheet.resize((sheet.width // 2, sheet.height // 2)).save(tmp_path / 'b.png')
    assert [reals_in(file, reals.float()) for file in sorted(tmp_path.iterdir())] == [8, 8]
    assert count_reals(Image.fromarray(tile_images(make_patients(64, 32, seed=1))), reals.float()) == 0


def test_nothing_that_travels_shows_or_names_a_training_image(medimagegan, tmp_path):
    reals, run, home = write_patients(tmp_path / 'clinic', 24), tmp_path / 'runs' / 'r', str(tmp_path)
    small = {**SMALL, 'n_images': 24, 'holdout': .25, 'path': tmp_path / 'clinic'}
    medimagegan('train', *flags(**small, run='r'))
    medimagegan('report', 'runs/r', '--public')
    medimagegan('synthesize', 'runs/r', '--n', 8, '--out', 'sent/set', '--n-gpu', 0)
    medimagegan('sample', 'runs/r', '--n', 4, '--out', 'sent/pictures', '--n-gpu', 0)
    medimagegan('release', 'runs/r', '--out', 'sent/small.safetensors')
    medimagegan('score', tmp_path / 'sent' / 'pictures', tmp_path / 'clinic', '--n-gpu', 0, '--public', '--out', 'sent/scores.json')

    travelling = [run / 'report_public.html', *(f for f in (tmp_path / 'sent').rglob('*') if f.is_file())]
    secrets = ['Doe_Jane', '1+1', home, (run / 'names.key').read_text().strip()]
    assert len(travelling) > 16 and stat.S_IMODE((run / 'names.key').stat().st_mode) == 0o600
    for file in travelling:
        assert reals_in(file, reals) == 0, f'{file.name} shows a real image'
        text = file.read_bytes().decode('utf-8', 'ignore')
        assert not [word for word in secrets if word in text] and DO_NOT_SHARE not in text, file.name
    assert len(pictures_in(run / 'report_public.html')) == 4, 'curves and generated images stay'
    page = run / 'report.html'
    assert reals_in(page, reals) >= 18 and DO_NOT_SHARE in page.read_text(), 'the search can fail'

    names = pd.read_csv(tmp_path / 'sent' / 'set' / 'manifest.csv')['nearest']
    said = medimagegan('resolve', 'runs/r', *names[:2]).stdout.splitlines()
    assert [line.split()[0] for line in said] == list(dict.fromkeys(names[:2])) and all(line.endswith('.png') for line in said)
    assert "\n'=1+1.png," in (run / 'split.csv').read_text()

    others = tmp_path / 'hospital'  # the same images under other names, in another format
    others.mkdir()
    for i, file in enumerate(sorted((tmp_path / 'clinic').iterdir())):
        Image.open(file).rotate(90).save(others / f'{i}.jpg', quality=90)
    tuned = flags(**{**small, 'path': others}, seed=1, warm_start='sent/small.safetensors', run='leak')
    line = medimagegan('train', *tuned, code=2).stderr
    assert 'which is held out here' in line and 'small.csv lists an image of this content' in line and line.count('\n') == 1

    config = run / 'config.yaml'  # the owner declares the same images public
    config.write_text(config.read_text().replace('images_are_public: false', 'images_are_public: true'))
    medimagegan('report', 'runs/r', '--public')
    medimagegan('synthesize', 'runs/r', '--n', 8, '--out', 'public', '--n-gpu', 0)
    for page in (run / 'report_public.html', tmp_path / 'public' / 'scorecard.html'):
        assert reals_in(page, reals) > 3 and DO_NOT_SHARE not in page.read_text() and home not in page.read_text(), page.name
    assert 'Doe_Jane' in (tmp_path / 'public' / 'manifest.csv').read_text()
    card = json.loads((tmp_path / 'public' / 'scorecard.json').read_text())
    assert card['copies']['closest'][0]['train'].endswith('.png')
