"""The documentation site builds without a warning, and a page opened from disk loads nothing from elsewhere."""
import re
import shutil
import sys

from conftest import ROOT, command


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
