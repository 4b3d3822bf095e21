"""The documentation site builds without a warning, and a page opened from disk loads nothing from elsewhere."""
import importlib.util
import json
import os
import re
import runpy
import shutil
import sys

import pytest
from conftest import ROOT, SERVER

from medimagegan.data.splits import read_split
from medimagegan.evaluate.evidence import REAL, largest_allowed
from medimagegan.evaluate.measures import gap_closed


@pytest.mark.parametrize('name', ['melanoma', 'hundred', 'chest', 'chest_cutout', 'isic_64_seed1', 'isic_64_seed2'])
def test_the_table_of_a_run_equals_its_file(name):
    page = (ROOT / 'docs' / 'architectures.md').read_text(encoding='utf-8')
    found = json.loads((ROOT / 'experiments' / 'reports' / 'quality' / f'{name}.json').read_text(encoding='utf-8'))
    digits = {'KD(efficientnet_lite0)': 3, 'precision': 2, 'recall': 2, 'coverage': 2, 'color': 1, 'spectrum': 1, 'pattern': 3}
    for title, rows in (('synthetic', found['metrics']), ('real vs. real', found['real vs. real'])):
        cells = [f"{rows[name]['value']:.{d}f} [{rows[name]['low']:.{d}f}, {rows[name]['high']:.{d}f}]" for name, d in digits.items()]
        gap = rows['KD(efficientnet_lite0)'].get('gap_closed', 1) if title == 'synthetic' else 1
        assert f"| {title} | {found['n']} | {cells[0]} | {gap:.2f} | {' | '.join(cells[1:])} |" in page
    assert found['command'] in page


REPORTS = ROOT / 'experiments' / 'reports'
DIGITS = {'KD': 3, 'gap_closed': 2, 'precision': 2, 'recall': 2, 'coverage': 2, 'color': 1, 'spectrum': 1, 'pattern': 3}


def _page(name):
    return (ROOT / 'docs' / f'{name}.md').read_text(encoding='utf-8')


def _cell(value, digits):  # a number, or a number with its interval
    if isinstance(value, float):
        return f'{value:.{digits}f}'
    return '{:.{d}f} [{:.{d}f}, {:.{d}f}]'.format(*value, d=digits).replace('-0.000 ', '0.000 ')


def test_the_tables_of_the_released_generator_and_of_64_pixels_equal_their_files():
    page = _page('architectures')
    for file, name, shows_n in (('scores', 'efficientnet_lite', True), ('scores_long', 'efficientnet_lite', True), ('scores_64', 'lite', False)):
        rows = json.loads((REPORTS / 'quality' / f'{file}.json').read_text(encoding='utf-8'))['scores']
        assert len(rows) == 4
        for row in rows:
            cells = [row['space'].removeprefix('timm:tf_').replace('efficientnet_lite', name), row['images'], *([str(row['N'])] if shows_n else [])]
            line = ' | '.join([*cells, *(_cell(row[key], d) for key, d in DIGITS.items())])
            assert f'| {line} |' in page, f'docs/architectures.md does not have the row of {file}.json: | {line} |'


def test_the_results_at_a_glance_are_those_of_the_runs():
    section, runs = _page('architectures').split('## Results at a glance')[1].split('\n## ')[0], []
    for name in ('isic_64_seed1', 'isic_64_seed2', 'melanoma', 'hundred', 'chest_cutout'):
        found = json.loads((REPORTS / 'quality' / f'{name}.json').read_text(encoding='utf-8'))
        kd, recall, coverage = (found['metrics'][key] for key in ('KD(efficientnet_lite0)', 'recall', 'coverage'))
        runs.append([found['n'], *([row['value'], row['low'], row['high']] for row in (kd, recall, coverage)), kd['gap_closed'], found['verdict']['value']])
    released = json.loads((REPORTS / 'quality' / 'scores_long.json').read_text(encoding='utf-8'))['scores'][0]
    runs.append([released['N'], released['KD'], released['recall'], released['coverage'], released['gap_closed'], 'far from real'])
    for n, kd, recall, coverage, gap, verdict in runs:
        assert f'| {n} | {_cell(kd, 3)} | {gap:.2f} | {_cell(recall, 2)} | {_cell(coverage, 2)} | {verdict} |' in section, (n, kd)
    assert section.count('\n| [') == len(runs)


def test_the_sentences_on_radiographs_and_three_seeds_equal_their_files():
    page = re.sub(r'\s+', ' ', _page('architectures'))
    found = {name: json.loads((REPORTS / 'quality' / f'{name}.json').read_text(encoding='utf-8'))
             for name in ('chest_cutout', 'scores_64', 'isic_64_seed1', 'isic_64_seed2')}
    chest = found['chest_cutout']
    best, last = min(chest['curve'], key=lambda row: row['KD']), chest['curve'][-1]
    assert f"{best['KD']:.3f} after {best['images_seen']:,} images and {last['KD']:.3f} after {last['images_seen']:,} (N {last['n']})" in page
    assert f"{100 * chest['near_duplicates']:.0f} % near-duplicates" in page
    first = found['scores_64']['scores'][0]
    others = [found[f'isic_64_seed{seed}']['metrics'] for seed in (1, 2)]
    gaps = sorted([first['gap_closed'], *(rows['KD(efficientnet_lite0)']['gap_closed'] for rows in others)])
    covers = sorted([first['coverage'][0], *(rows['coverage']['value'] for rows in others)])
    assert f'closes {gaps[0]:.2f} to {gaps[-1]:.2f} of the gap in three seeds, and coverage is {covers[0]:.2f} to {covers[-1]:.2f}' in page
    assert [found[f'isic_64_seed{seed}']['verdict']['value'] for seed in (1, 2)] == ['healthy', 'far from real']


def test_the_table_of_what_was_tried_for_variety_equals_its_file():
    page, found = _page('architectures'), json.loads((REPORTS / 'quality' / 'variety.json').read_text(encoding='utf-8'))
    for row in found['runs']:
        cells = [_cell(row[name], digits) for name, digits in (('KD', 3), ('recall', 2), ('coverage', 2))]
        line = ' | '.join([row['data'].replace('isic', 'ISIC'), str(row['seed']), row['what'], *cells, f"{100 * row['near_duplicates']:.0f} %"])
        assert f'| {line} |' in page, line
    patterns = {shifts: [row['pattern'][0] for row in found['runs'] if row['data'] == 'radiographs' and ('shift' in row['what']) == shifts]
                for shifts in (False, True)}
    assert f'({min(patterns[False]):.3f} to {max(patterns[False]):.3f}, with it {patterns[True][0]:.3f} and {patterns[True][1]:.3f})' in page
    assert found['command'] in page and found['command_radiographs'] in page


def test_the_table_of_melanomas_and_the_card_of_the_generators_equal_their_files():
    page, card = _page('architectures'), (ROOT / 'models' / 'README.md').read_text(encoding='utf-8')
    now, before = (json.loads((REPORTS / 'quality' / f'{name}.json').read_text(encoding='utf-8')) for name in ('melanoma', 'melanoma_first'))
    keys = {'KD(efficientnet_lite0)': 3, 'precision': 2, 'recall': 2, 'coverage': 2, 'color': 1, 'spectrum': 1, 'pattern': 3}
    for title, found, which, pages in (('synthetic', now, 'metrics', (page, card)), ('real vs. real', now, 'real vs. real', (page, card)),
                                       ('the same from the first generator', before, 'metrics', (page,))):
        cells = [_cell([found[which][name][key] for key in ('value', 'low', 'high')], digits) for name, digits in keys.items()]
        cells.insert(1, f"{found[which]['KD(efficientnet_lite0)'].get('gap_closed', 1.):.2f}")
        assert all(f"| {title} | {found['n']} | {' | '.join(cells)} |" in text for text in pages), cells
    gap = now['metrics']['KD(efficientnet_lite0)']['gap_closed']
    said = f"erdict is *{now['verdict']['value']}*: gap closed is {gap:.2f} (limit 0.75)"
    assert all(said in ' '.join(text.split()) for text in (page, card)) and now['command'] in page
    for row in json.loads((REPORTS / 'quality' / 'scores_long.json').read_text(encoding='utf-8'))['scores']:
        assert ' | '.join(_cell(row[key], digits) for key, digits in DIGITS.items()) in card


def test_the_table_of_chosen_samples_equals_its_files():
    page, gaps, worse = _page('architectures'), [], set()
    for title, plain, chosen in (('lesions', 'scores_long', 'scores_chosen'), ('melanomas', 'melanoma_plain', 'melanoma_chosen'),
                                 ('radiographs', 'chest64_plain', 'chest64_chosen')):
        found = [json.loads((REPORTS / 'quality' / f'{name}.json').read_text(encoding='utf-8')) for name in (plain, chosen)]
        assert [each.get('candidates', 1) for each in found] == [1, 10] and len({each['seed'] for each in found}) == 1
        for of, each in zip(('the first of the seed', 'chosen'), found, strict=True):
            for row in (row for row in each['scores'] if row['images'] == 'synthetic'):
                cells = [title, row['space'].removeprefix('timm:tf_').replace('efficientnet_', ''), of, str(row['N'])]
                assert f"| {' | '.join([*cells, *(_cell(row[key], d) for key, d in DIGITS.items())])} |" in page
        gaps.append(found[1]['scores'][0]['gap_closed'])
        for before, after in zip(found[0]['scores'][::2], found[1]['scores'][::2], strict=True):
            worse |= {(title, before['space'], key) for key in ('precision', 'recall', 'coverage') if after[key][0] < before[key][0]}
            worse |= {(title, before['space'], key) for key in ('KD', 'color', 'spectrum', 'pattern') if after[key][0] > before[key][0]}
    assert {(title, key) for title, _, key in worse} == {('melanomas', 'precision'), ('melanomas', 'recall'), ('radiographs', 'precision')}
    assert {space for _, space, _ in worse} == {'efficientnet_lite0'}  # the exceptions that the page names
    assert f'close {gaps[0]:.2f} (lesions) and {gaps[1]:.2f} (melanomas) of the gap' in page
    row, real = json.loads((REPORTS / 'quality' / 'scores_chosen.json').read_text(encoding='utf-8'))['scores'][:2]
    assert not [name for name in ('color', 'spectrum', 'pattern') if row[name][0] > largest_allowed(name, 440, real[name][0])]
    assert row['coverage'][0] > real['coverage'][0] / 2 and row['gap_closed'] > .75
    over, off = row['pattern'][0] - real['pattern'][0], row['color'][0]
    assert f'{over:.4f} above that of real images (limit 0.02), and their colours are off by {off:.1f} levels' in ' '.join(page.split())


def test_every_fault_of_the_released_generator_is_named_in_all_three_pages():
    found, real = json.loads((REPORTS / 'quality' / 'scores_long.json').read_text())['scores'][:2]
    over = {name for name in ('color', 'spectrum', 'pattern') if found[name][0] > largest_allowed(name, 440, real[name][0])}
    assert over == {'color', 'pattern'} and round(largest_allowed('color', 440, real['color'][0]), 1) == 10.5
    for page in (_page('architectures'), (ROOT / 'models' / 'README.md').read_text(), (ROOT / 'README.md').read_text()):
        assert f"colours are off by {found['color'][0]:.1f} levels" in ' '.join(page.split()) and 'limit 10.5' in page


def test_the_split_of_the_hundred_melanomas_is_that_of_the_page():
    counts = read_split(REPORTS / 'quality' / 'hundred_split.csv')['split'].value_counts()
    assert (counts['train'], counts['validation']) == (100, json.loads((REPORTS / 'quality' / 'hundred.json').read_text())['n'])


def test_c_t_of_the_runs_at_64_pixels_is_stated():
    found = [json.loads((REPORTS / 'quality' / f'isic_64_seed{seed}.json').read_text())['copies']['c_t'] for seed in (1, 2)]
    assert f'is {found[0]:.1f} with seed 1 and {found[1]:.1f} with seed 2' in ' '.join(_page('architectures').split())


def test_the_maps_of_the_classifier_study_are_those_of_their_files():
    page, sets = _page('classifier_study'), {'map.json': ('',), 'isic/map.json': ('', ', UDA-1'),
                                            'isic/uda_map.json': ('', ', ISIC 2017'), 'radiographs/map.json': ('',)}
    for file, suffixes in sets.items():
        for row in json.loads((REPORTS / file).read_text())['sizes']:
            for of in suffixes:
                cells = f"| {row['difference in ROC-AUC' + of]} ({row['conclusion' + of]}) | {row['control' + of]} |"
                assert any(line.startswith(f"| {row['real images']} |") and line.endswith(cells) for line in page.splitlines()), cells


@pytest.mark.parametrize('section, file', [('### At 128 pixels', 'map_128'), ('### With chosen synthetic images', 'herded_map')])
def test_the_scores_of_one_size_are_those_of_their_file(section, file):
    page, found = _page('classifier_study').split(section)[1].split('\n### ')[0], json.loads((REPORTS / 'isic' / f'{file}.json').read_text())
    for row in found['scores']:
        cells = next(line for line in page.splitlines() if line.startswith(f"| {row['arm']} |")).split('|')
        assert cells[2 if row['test_set'] == 'test' else 3].strip() == f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]", row
    text = ' '.join(page.split())
    quoted = re.findall(r'(?:is|ROC-AUC) ([-+][.\d]+ \[[^]]+\])', found['answer'])
    assert len(quoted) == 4 and not [said for said in quoted if said not in text], quoted
    assert found['command'] in page


def test_what_the_border_changed_stands_in_both_files():
    before, now = (json.loads((REPORTS / 'quality' / f'{name}.json').read_text())['scores'][0] for name in ('scores_zeros', 'scores'))
    changed = f"{now['KD'][0]:.3f} in place of {before['KD'][0]:.3f}, coverage {now['coverage'][0]:.2f} in place of {before['coverage'][0]:.2f}"
    assert changed in ' '.join(_page('changelog').split())


def test_the_numbers_in_the_readme_equal_their_file():
    rows = json.loads((REPORTS / 'quality' / 'scores_long.json').read_text(encoding='utf-8'))['scores']
    fake, real = (next(row for row in rows if row['space'].endswith('efficientnet_lite0') and row['images'] == kind)
                  for kind in ('synthetic', 'real vs. real'))
    readme = ' '.join((ROOT / 'README.md').read_text(encoding='utf-8').split())
    assert f"closes {100 * fake['gap_closed']:.0f} % of the gap between noise and real images" in readme
    for name in ('coverage', 'recall'):
        assert f"{name} is {_cell(fake[name], 2)} (real images {real[name][0]:.2f})" in readme
    assert f"N = {fake['N']}" in readme


def test_copies_of_all_images_that_the_melanoma_generator_has_seen_are_those_of_their_file():
    found = json.loads((REPORTS / 'quality' / 'melanoma_seen.json').read_text(encoding='utf-8'))
    share, low, high = (100 * value for value in found['copies']['copies'])
    page = ' '.join(_page('architectures').split())
    assert (f"among {found['copies']['n_fake']} samples, {share:.1f} % [{low:.1f}, {high:.1f}] are copies of one of all {found['n_seen']:,} images, "
            f"{100 * found['copies']['by_chance']:.0f} % by chance") in page


def test_the_limits_of_far_from_real_are_those_of_the_verdict():
    section = _page('verdict').split('## Far from real')[1].split('\n## ')[0]
    rows = [f"gap closed | below {REAL['gap_closed']}", f"coverage | below {REAL['coverage']} times real vs. real",
            f"precision | below real vs. real by {REAL['precision']}", f"color | above real vs. real by {REAL['color']} levels",
            f"spectrum | above real vs. real by {REAL['spectrum']} dB", f"pattern | above real vs. real by {REAL['pattern']}",
            f"outliers | {REAL['outliers']} images or more", f"share of a class | below {REAL['class']} times"]
    assert [row for row in rows if f'| {row}' not in section] == [] and section.count('\n| ') == 1 + len(REAL)


def test_the_table_of_pairs_equals_its_file():
    page, found = _page('metrics'), json.loads((REPORTS / 'quality' / 'pairs.json').read_text(encoding='utf-8'))
    for who in ('fakes', 'real vs. real', 'mean image', 'noise'):
        rows = {row['metric']: row for row in found['rows'] if row['pairing'] == 'batch' and row['candidate'] == who}
        cells = ['{value:.3g} [{low:.3g}, {high:.3g}]'.format(**rows[name]) for name in ('PSNR', 'SSIM', 'MS-GMSD', 'MDSI', 'HaarPSI')]
        assert f"| {who} | {' | '.join(cells)} |" in page
    assert all(command in page for command in found['command'].split(' && '))


def test_the_audit_of_the_released_generator_and_its_detectors_are_those_of_their_files():
    from medimagegan.evaluate.intervals import proportion_interval
    page = _page('metrics')
    assert json.loads((REPORTS / 'artefacts' / 'isic-256.json').read_text())['answer'] in page
    before = {row['trait']: row for row in json.loads((REPORTS / 'artefacts' / 'isic-256_zeros.json').read_text())['traits']}
    assert f"zeros beyond the border, {100 * before['border line']['in synthetic']:.0f} % of its images had a line" in ' '.join(page.split())
    tried = [row for row in json.loads((REPORTS / 'artefacts' / 'validation.json').read_text()) if (row['size'], row['part']) == (256, 'tried on')]
    assert len(tried) == 10
    for row in tried:
        cell = '{:.2f} [{:.2f}, {:.2f}]'.format(*proportion_interval(row['hits'], row['n'])) + f" of {row['n']}"
        assert any(line.startswith(f"| {row['artefact']} |") and cell in line for line in page.splitlines()), row


def test_the_tables_of_performance_are_those_of_their_files():
    import pandas as pd

    from medimagegan.core.pages import markdown_table
    from medimagegan.runs.bench import bench_table
    from medimagegan.runs.scaling import growth_table
    from medimagegan.runs.waits import waits_table
    page, files = _page('performance'), {file.stem: json.loads(file.read_text()) for file in (REPORTS / 'performance').glob('*.json')}
    scaling, many = files['scaling'], files['many_runs']
    tables = [bench_table(files[name]) for name in ('step_sngan', 'step_fastgan')]
    tables += [waits_table([row for name in ('start', 'score_64', 'score_256', 'read') for row in files[name]])]
    tables += [markdown_table(growth_table(scaling['rows']).set_index('what'))]
    tables += [markdown_table(pd.DataFrame(scaling[name]).round(digits).astype(str).set_index(index))
               for name, digits, index in (('profiles', 2, 'arch'), ('suites', 1, 'runs'))]
    for table in tables:
        assert table.strip() in page, table
    facts = (f"{many['runs']:,} runs", f"{many['lost_workers']} workers", f"{many['report']['seconds']:.0f} s")
    assert not [fact for fact in facts if fact not in page], facts


def test_what_the_measures_find_is_in_their_file():
    page, found = _page('metrics'), json.loads((REPORTS / 'quality' / 'measures_isic.json').read_text())
    for row in found['copies']:
        assert f"| {row['changed by']} | {100 * row['found']:.1f} % [{100 * row['low']:.1f}, {100 * row['high']:.1f}] |" in page, row
    for row in found['missing classes']:
        cell = f"{100 * row['share']:.0f} % [{100 * row['low']:.0f}, {100 * row['high']:.0f}]"
        assert any(line.startswith(f"| {row['N']} |") and cell in line for line in page.splitlines()), cell
    assert found['command'] in page
    lacking = {row['N']: f"{100 * row['share']:.0f} % of" for row in found['missing classes'] if row['generator'] == 'missing'}
    assert f'{lacking[200]} random samples of 200 images of ISIC, and in {lacking[100]} samples of 100' in _page('verdict')


@pytest.mark.parametrize('name', ['published', 'published_melanoma'])
def test_the_table_of_the_long_runs_equals_its_file(name):
    page, found = _page('architectures'), json.loads((REPORTS / 'quality' / f'{name}.json').read_text())
    digits = {'KD(efficientnet_lite0)': 3, 'precision': 2, 'recall': 2, 'coverage': 2, 'color': 1, 'pattern': 3}
    for run in found['runs']:
        cells = [_cell([run['metrics'][name][key] for key in ('value', 'low', 'high')], d) for name, d in digits.items()]
        cells.insert(1, f"{run['metrics']['KD(efficientnet_lite0)']['gap_closed']:.2f}")
        assert f"| {run['run']} | {run['images_seen']:,.0f} | {' | '.join(cells)} |" in page and run['command'] in page, cells
        assert ', '.join(f"{score['KD']:.3f}" for score in run['curve']) in page
        who = 'The verdict' if 'near_duplicates' in run else f"on the {run['run'].split(',')[0]}"
        assert f"{who} is *{run['verdict']['value']}*" in page
        if 'near_duplicates' in run:
            assert ', '.join(f"{100 * score['near_duplicates']:.0f}" for score in run['curve']) in page


def test_the_table_of_feature_networks_equals_its_file():
    page, found = _page('metrics'), json.loads((REPORTS / 'quality' / 'judges_isic.json').read_text())
    rows = {}
    for row in found['rows']:
        rows.setdefault(row['fault'], []).append(f"{row['gap closed']:.2f}{'' if row['noticed'] else ' (not noticed)'}")
    for fault, cells in rows.items():
        assert fault in ('no fault', 'noise') or f"| {fault} | {' | '.join(cells)} |" in page, fault
    assert found['command'] in page and f"ROC-AUC {found['classifier ROC-AUC']:.2f}" in page
    for network in {row['network'] for row in found['rows']}:
        kd = {row['fault']: row['KD'][0] for row in found['rows'] if row['network'] == network}
        for row in (row for row in found['rows'] if row['network'] == network):
            assert abs(row['gap closed'] - gap_closed(kd[row['fault']], kd['no fault'], kd['noise'], squared=True)) < 1e-9, row
    few, real = (next(row['coverage'][0] for row in found['rows'] if row['fault'] == fault and row['network'] == 'efficientnet_lite0')
                 for fault in ('ten images', 'no fault'))
    assert f'coverage ({few:.2f} for ten images in Lite0, {real:.2f} without a fault)' in ' '.join(page.split())


def test_what_is_quoted_from_reports_stands_in_them():
    compared = (REPORTS / 'architectures.md').read_text(encoding='utf-8')
    cells = re.search(r'FastGAN, random in place.*\n.*\n(.*)', _page('architectures'))[1].strip('| ').split(' | ')
    assert len(cells) == 5 and all(cell in compared for cell in cells)
    at_256 = re.search(r'\| FastGAN \|.*\| DCGAN \|\n.*\n(.*)', _page('architectures'))[1].strip('| ').split(' | ')
    assert len(at_256) == 5 and all(f'| 440 | {cell} |' in (REPORTS / 'architectures_256.md').read_text() for cell in at_256)
    answer = json.loads((REPORTS / 'balance.json').read_text(encoding='utf-8'))['answer']
    rows = (REPORTS / 'balance.md').read_text(encoding='utf-8')
    about = _page('classifier_study').partition('\n## Phantoms\n')[2].partition('\n### ')[0]
    quoted = re.findall(r'[-+]0\.\d{3} \[[-+]0\.\d{3}, [-+]0\.\d{3}\]', ' '.join(about.split()))
    rows_have = [re.sub(r'[\[\],]', '', number).replace(' ', ' | ') in rows for number in quoted]
    assert len(quoted) == 5 and sum(number in answer for number in quoted) == 2 and sum(rows_have) >= 3


def test_the_answers_of_the_reports_are_those_of_their_tables(tmp_path):
    spec = importlib.util.spec_from_file_location('build', ROOT / 'docs' / 'build.py')
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    for file in (ROOT / 'experiments' / 'reports').glob('*.[jm]*'):
        shutil.copy(file, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(before) > 20 and build.write_answers(tmp_path) == []
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    page = tmp_path / 'batch_size.md'
    page.write_text(page.read_text(encoding='utf-8').replace('no evidence | 0.0964', 'no evidence | 0.0111', 1), encoding='utf-8')
    assert build.write_answers(tmp_path) == ['batch_size']
    for file in (page, page.with_suffix('.json'), tmp_path / 'README.md'):
        assert 'worse: batch 32 (+0.0453, p = 0.011)' in file.read_text(encoding='utf-8'), file.name


def build_site(folder):
    os.chdir(folder)
    sys.argv = ['docs/build.py', 'site']
    runpy.run_path('docs/build.py', run_name='__main__')


def test_the_site_builds_without_a_warning_and_needs_no_connection(tmp_path):
    for name in ('docs', 'nbs', 'experiments', 'models'):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('runs', '.ipynb_checkpoints'))
    shutil.copy(ROOT / 'README.md', tmp_path)
    process = SERVER.Process(target=build_site, args=(tmp_path,))  # it describes every module, and those are imported there
    process.start()
    process.join(300)
    assert process.exitcode == 0
    pages = list((tmp_path / '_site' / 'html').rglob('*.html'))
    assert len(pages) > 100 and (tmp_path / '_site' / 'html' / 'searchindex.js').exists()
    for page in pages:
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]+"|<link[^>]+href="(?:https?:)?//[^"]+"', page.read_text())
        assert not [tag for tag in loaded if 'rel="canonical"' not in tag], f'{page.name} loads {loaded[0]}'
