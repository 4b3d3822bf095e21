"""What is installed works without the tools that built it, and answers at once."""
import sys

from conftest import ROOT, command

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
    command(sys.executable, '-c', WITHOUT_NBDEV, 'train', '--image_size', 32, '--gen_feature_maps', 4, '--dis_feature_maps', 4, '--n_images', 20,
            '--num_epochs', 1, '--run', 'bare', cwd=tmp_path)
    assert (tmp_path / 'runs' / 'bare' / 'report.html').exists()


def test_version_and_help_load_neither_torch_nor_pandas():
    heavy = "import sys; from medimagegan import cli; cli.make_parser(); print([m for m in ('torch', 'pandas', 'matplotlib') if m in sys.modules])"
    assert command(sys.executable, '-c', heavy, cwd=ROOT).stdout.strip() == '[]'


def test_every_module_imports():
    names = [f.stem for f in (ROOT / 'medimagegan').glob('*.py') if f.stem not in ('_modidx', '__init__')]
    command(sys.executable, '-c', 'import importlib; [importlib.import_module("medimagegan." + n) for n in ' + repr(names) + ']', cwd=ROOT)
