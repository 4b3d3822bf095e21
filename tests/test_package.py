"""The installed package works without the tools that built it, and imports fast."""
import json
import shutil
import sys
from importlib import metadata
from pathlib import Path

from conftest import ROOT, SMALL, command, flags

KEPT = ('medimagegan', 'experiments', 'pyproject.toml', 'README.md', 'LICENSE')
WITHOUT_NBDEV = '''
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('nbdev', 'fastcore', 'execnb', 'ghapi'):
            raise ImportError(name + ' is not installed')
sys.meta_path.insert(0, Refuse())
import json
from medimagegan.cli.main import main
for words in json.loads(sys.argv[1]):
    if code := main(words):
        sys.exit(code)
'''


def test_the_wheel_trains_scores_and_runs_suites_without_a_checkout_and_nbdev(tmp_path):
    site, pip = tmp_path / 'site', (sys.executable, '-m', 'pip', '--quiet', '--disable-pip-version-check')
    source = tmp_path / 'source'
    shutil.copytree(ROOT, source, ignore=lambda folder, names: [n for n in names if n not in KEPT and Path(folder) == ROOT])
    command(*pip, 'wheel', '--no-deps', '--no-build-isolation', '-w', tmp_path, source, cwd=tmp_path)
    command(*pip, 'install', '--no-deps', '--target', site, *tmp_path.glob('*.whl'), cwd=tmp_path)

    def run(*calls):  # in one process, because torch takes long to import
        words = json.dumps([[str(word) for word in call] for call in calls])
        return command(sys.executable, '-c', WITHOUT_NBDEV, words, cwd=tmp_path, PYTHONPATH=str(site)).stdout
    assert str(site) in command(sys.executable, '-c', 'import medimagegan; print(medimagegan.__file__)', cwd=tmp_path,
                                PYTHONPATH=str(site)).stdout
    said = run(('experiment', *flags(**SMALL, run='bare')), ('sample', 'runs/bare', '--n', 8, '--out', 'fakes'),
               ('phantoms', 'reals', '--n', 16, '--image-size', 32), ('score', 'fakes', 'reals'),
               ('suite', 'ttur', '--dry-run', '--only', 'ratio 1', 'ratio 4', '--seeds', 1))
    assert (tmp_path / 'runs' / 'bare' / 'report.html').exists()
    assert 'verdict: too few images' in said and '2 runs, about' in said
    assert not (site / 'medimagegan' / 'experiments' / 'reports').exists()


def test_version_and_help_load_neither_torch_nor_pandas():
    loaded = '''
import runpy
import sys
from medimagegan.cli.main import main
main(['train', '--help'])
sys.argv = ['medimagegan', '--version']
try:
    runpy.run_module('medimagegan', run_name='__main__')
except SystemExit as done:
    assert not done.code
print({'torch', 'pandas', 'matplotlib', 'scipy', 'IPython'} & set(sys.modules))
'''
    said = command(sys.executable, '-c', loaded, cwd=ROOT).stdout.strip()
    assert said.endswith('set()') and f"torch {metadata.version('torch')}, Python " in said and '\nExamples:\n' in said


def test_the_public_names_load_when_they_are_used_and_every_module_imports():
    files = [f.relative_to(ROOT).with_suffix('') for f in (ROOT / 'medimagegan').rglob('*.py') if f.stem not in ('_modidx', '__init__')]
    program = '''
import importlib, sys, time
began = time.perf_counter()
import medimagegan
assert time.perf_counter() - began < .3, 'slow'
assert 'torch' not in sys.modules
for name in dir(medimagegan):
    getattr(medimagegan, name)
try:
    medimagegan.samples
except AttributeError as error:
    print(error)
for name in sys.argv[1:]:
    importlib.import_module(name)
'''
    said = command(sys.executable, '-c', program, *('.'.join(file.parts) for file in files), cwd=ROOT).stdout
    assert "has no attribute 'samples'. Did you mean 'sample'?" in said
