"""The documentation site builds without a warning, and a page opened from disk loads nothing from elsewhere."""
import importlib.util
import json
import re
import shutil
import sys

from conftest import ROOT, command


def test_the_melanoma_table_equals_its_file():
    page = (ROOT / 'docs' / 'architectures.md').read_text(encoding='utf-8')
    found = json.loads((ROOT / 'experiments' / 'reports' / 'quality' / 'melanoma.json').read_text(encoding='utf-8'))
    digits = {'KD(efficientnet_lite0)': 3, 'precision': 2, 'recall': 2, 'coverage': 2, 'color': 1, 'spectrum': 1, 'pattern': 3}
    for title, rows in (('synthetic', found['metrics']), ('real vs. real', found['other reals'])):
        cells = [f"{rows[name]['value']:.{d}f} [{rows[name]['low']:.{d}f}, {rows[name]['high']:.{d}f}]" for name, d in digits.items()]
        gap = rows['KD(efficientnet_lite0)'].get('gap_closed', 1) if title == 'synthetic' else 1
        assert f"| {title} | {found['n']} | {cells[0]} | {gap:.2f} | {' | '.join(cells[1:])} |" in page
    assert found['command'] in page


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


def test_the_site_builds_without_a_warning_and_needs_no_connection(tmp_path):
    for name in ('docs', 'nbs', 'experiments', 'models'):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('runs', '.ipynb_checkpoints'))
    shutil.copy(ROOT / 'README.md', tmp_path)
    said = command(sys.executable, 'docs/build.py', 'site', cwd=tmp_path, PYTHONPATH=str(ROOT)).stdout
    assert 'index.html' in said
    pages = list((tmp_path / '_site' / 'html').rglob('*.html'))
    assert len(pages) > 100 and (tmp_path / '_site' / 'html' / 'searchindex.js').exists()
    for page in pages:
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="(?:https?:)?//[^"]+"|<link[^>]+href="(?:https?:)?//[^"]+"', page.read_text())
        assert not [tag for tag in loaded if 'rel="canonical"' not in tag], f'{page.name} loads {loaded[0]}'
