"""What is installed works without the tools that built it, and answers at once."""
import sys

from conftest import ROOT, SMALL, command, flags

WITHOUT_NBDEV = '''
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('nbdev', 'fastcore', 'execnb', 'ghapi'):
            raise ImportError(name + ' is not installed')
sys.meta_path.insert(0, Refuse())
from medimagegan.cli import main
sys.exit(main(sys.argv[1:]))
'''


def test_trains_without_nbdev_and_fastcore(tmp_path):
    command(sys.executable, '-c', WITHOUT_NBDEV, 'train', *flags(**SMALL, run='bare'), cwd=tmp_path)
    assert (tmp_path / 'runs' / 'bare' / 'report.html').exists()


def test_version_and_help_load_neither_torch_nor_pandas():
    loaded = "import sys; from medimagegan import cli; cli.make_parser(); print({'torch', 'pandas', 'matplotlib'} & set(sys.modules))"
    assert command(sys.executable, '-c', loaded, cwd=ROOT).stdout.strip() == 'set()'


def test_every_module_imports():
    files = [f.relative_to(ROOT).with_suffix('') for f in (ROOT / 'medimagegan').rglob('*.py') if f.stem not in ('_modidx', '__init__')]
    command(sys.executable, '-c', '\n'.join(f"import {'.'.join(file.parts)}" for file in files), cwd=ROOT)
