"""The installed package works without the tools that built it, and imports fast."""
import sys

from conftest import ROOT, SMALL, command, flags

WITHOUT_NBDEV = '''
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('nbdev', 'fastcore', 'execnb', 'ghapi'):
            raise ImportError(name + ' is not installed')
sys.meta_path.insert(0, Refuse())
from medimagegan.cli.main import main
sys.exit(main(sys.argv[1:]))
'''


def test_trains_without_nbdev_and_fastcore(tmp_path):
    command(sys.executable, '-c', WITHOUT_NBDEV, 'train', *flags(**SMALL, run='bare'), cwd=tmp_path)
    assert (tmp_path / 'runs' / 'bare' / 'report.html').exists()


def test_version_and_help_load_neither_torch_nor_pandas():
    loaded = '''
import sys
from medimagegan.cli.main import main
main(['train', '--help'])
print({'torch', 'pandas', 'matplotlib', 'scipy', 'IPython'} & set(sys.modules))
'''
    assert command(sys.executable, '-c', loaded, cwd=ROOT).stdout.strip().endswith('set()')


def test_the_public_names_load_when_they_are_used():
    program = '''
import sys, time
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
'''
    assert "has no attribute 'samples'. Did you mean 'sample'?" in command(sys.executable, '-c', program, cwd=ROOT).stdout


def test_every_module_imports():
    files = [f.relative_to(ROOT).with_suffix('') for f in (ROOT / 'medimagegan').rglob('*.py') if f.stem not in ('_modidx', '__init__')]
    command(sys.executable, '-c', '\n'.join(f"import {'.'.join(file.parts)}" for file in files), cwd=ROOT)
