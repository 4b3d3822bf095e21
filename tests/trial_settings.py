"""Trial of wrong settings, given in every way: `python tests/trial_settings.py [--full]`.

One table is given as a YAML file, as flags and through papermill; then come files, arguments and suites that are wrong as a whole.
Expected: exit code 2, one printable line that names what is wrong, no traceback, and nothing written. The short form stays in one process
and starts one notebook; the full form starts the installed command and a notebook for every case."""
import contextlib
import io
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
CLEAR, BELL = '\x1b[2J', '\x07'

# settings, and what the line must contain
CASES = [
    # typos and names that only look right
    ({'lerning_rate': 1e-3}, "Did you mean 'learning_rate'"), ({'batchsize': 8}, "Did you mean 'batch_size'"),
    ({'batch-sise': 8}, 'Did you mean'), ({'Batch_Size': 8}, "Did you mean 'batch_size'"),
    ({'SEED': 1}, "Did you mean 'seed'"), ({'b\u0430tch_size': 8}, 'b\\u0430tch_size'), ({'se\u200bed': 1}, 'se\\u200bed'),
    ({'archh': 'SNGAN'}, "Did you mean 'arch'"), ({'epochs': 3}, 'nknown setting'), ({'lr': 1e-3}, 'nknown setting'),
    ({'num_epoch': 3}, "Did you mean 'num_epochs'"), ({'image_sizes': 64}, "Did you mean 'image_size'"), ({'gpu': 0}, 'nknown setting'),
    ({'_seed': 1}, "Did you mean 'seed'"), ({'_private': 1}, 'nknown setting'), ({'seed_': 1}, "Did you mean 'seed'"),
    ({'title': 'x'}, 'nknown setting'), ({'s' * 5000: 1}, 'nknown setting'), ({'self': 1}, 'nknown setting'),
    # not a number, or not a number of this kind
    ({'learning_rate': '2e-4x'}, 'expected a number'), ({'learning_rate': '0,0002'}, 'expected a number'),
    ({'learning_rate': 'fast'}, 'expected a number'),
    ({'learning_rate': float('nan')}, 'expected a number'), ({'learning_rate': float('inf')}, 'expected a number'),
    ({'learning_rate': '-inf'}, 'expected a number'), ({'learning_rate': '1e400'}, 'expected a number'), ({'holdout': ''}, 'expected a number'),
    ({'holdout': None}, 'holdout'), ({'learning_rate': True}, 'expected a number'),
    ({'learning_rate': [1e-4, 4e-4]}, 'expected a number'),
    ({'learning_rate': {'g': 1e-4}}, 'expected a number'), ({'learning_rate': '0x10'}, 'expected a number'),
    ({'learning_rate': '1/5000'}, 'expected a number'),
    ({'learning_rate': '2e-4; import os'}, 'expected a number'), ({'learning_rate': '__import__("os")'}, 'expected a number'),
    ({'batch_size': 1.5}, 'whole number'), ({'batch_size': '16 images'}, 'whole number'), ({'batch_size': '16,32'}, 'whole number'),
    ({'batch_size': [16]}, 'whole number'), ({'batch_size': 'auto'}, 'whole number'), ({'batch_size': False}, 'whole number'),
    ({'num_epochs': '1e400'}, 'whole number'), ({'num_epochs': 10**30}, 'in [1,'), ({'num_epochs': 10**400}, 'whole number'),
    ({'seed': 'random'}, 'whole number'), ({'seed': '2026-11-24'}, 'whole number'), ({'seed': '12:30'}, 'whole number'),
    ({'seed': float('nan')}, 'whole number'), ({'n_gpu': 'cuda'}, 'whole number'), ({'n_gpu': [0, 1]}, 'whole number'),
    ({'r1_gamma': 'off'}, 'r1_gamma'), ({'image_size': '64x64'}, 'one of 32'), ({'image_size': (64, 64)}, 'one of 32'),
    # out of range
    ({'learning_rate': 0}, 'in (0, 1]'), ({'learning_rate': -1e-4}, 'in (0, 1]'), ({'learning_rate': 2}, 'in (0, 1]'),
    ({'beta_adam': 1}, 'in [0, 1)'),
    ({'ema_decay': 1}, 'in [0, 1)'), ({'ema_decay': -.1}, 'in [0, 1)'), ({'holdout': 1}, 'in [0, 0.9]'), ({'holdout': -.2}, 'in [0, 0.9]'),
    ({'batch_size': 0}, 'in [1, '), ({'batch_size': -16}, 'in [1, '), ({'num_epochs': 0}, 'in [1, '), ({'seed': -1}, 'in [0, '),
    ({'seed': 2**31}, 'in [0, '),
    ({'latent_vector': 0}, 'in [1, '), ({'n_images': 0}, 'in [1, '), ({'n_gpu': -1}, 'in [0, '), ({'ttur': 0}, 'in (0, 1000]'),
    ({'gp_weight': -1}, 'in [0, inf)'),
    ({'image_size': 100}, 'one of 32'), ({'image_size': 1024}, 'one of 32'), ({'number_channels': 4}, 'one of 1, 3'),
    ({'score_images': 3}, 'in [4, '), ({'log_every': 0}, 'in [1, '), ({'loader_workers': -1}, 'in [0, '),
    # words
    ({'arch': 'sngan'}, "Did you mean 'SNGAN'"), ({'arch': 'StyleGAN'}, 'one of DCGAN'), ({'arch': ''}, 'one of DCGAN'),
    ({'arch': 'SNG\u0410N'}, 'one of DCGAN'), ({'arch': ['SNGAN']}, 'arch'), ({'arch': 7}, 'one of DCGAN'),
    ({'arch': 'DCGAN '}, "'DCGAN '"),
    ({'arch': CLEAR + 'SNGAN'}, '\\x1b'), ({'arch': 'x' * 100_000}, 'one of DCGAN'), ({'loss': 'wgan'}, "Did you mean 'wgan-gp'"),
    ({'multi_scale': 'maybe'}, 'true or false'), ({'multi_scale': 1}, 'true or false'), ({'multi_scale': "'false'"}, 'true or false'),
    ({'multi_scale': ''}, 'true or false'), ({'multi_scale': [True]}, 'true or false'),
    ({'augment': 'flip, spin'}, "got 'spin'"), ({'augment': 'none'}, 'any of flip'), ({'augment': 5}, 'augment'),
    ({'augment': ','}, 'list'),
    ({'stop_on': 'diverge'}, "Did you mean 'diverged'"), ({'precision': 'fp8'}, 'one of auto'), ({'reference': 'test'}, 'one of heldout'),
    # names of folders
    ({'run': '../../x'}, 'without slashes'), ({'run': '/tmp/x'}, 'without slashes'), ({'run': '..'}, 'without slashes'),
    ({'run': 'a\\b'}, 'without slashes'), ({'run': 'a' * 300}, 'run'), ({'path': ' '}, 'folder'), ({'run': f'a{CLEAR}'}, '\\x1b'),
    ({'run': 'a\nb'}, '\\n'), ({'run': 'gnp.\u202etxt'}, '\\u202e'), ({'run': f'{BELL}\x9b31m'}, '\\x9b'), ({'run': True}, None),
    ({'out': ''}, 'folder'), ({'out': '~/runs'}, '~'), ({'out': 'a/' + 'b' * 300}, 'folder'), ({'path': ''}, 'folder'),
    ({'path': '~/images'}, '~'),
    ({'path': f'images{CLEAR}'}, '\\x1b'), ({'labels': 'a.csv'}, 'needs path'), ({'features': f'timm:{CLEAR}'}, '\\x1b'),
    # settings that contradict each other
    ({'loss': 'hinge', 'label_smoothing': .1}, 'needs loss: bce'), ({'gp_weight': 1}, 'needs loss: wgan-gp'),
    ({'msg_combine': 'cat_lin'}, 'needs multi_scale'), ({'holdout': 0}, 'nothing to score against'),
    ({'arch': 'FastGAN', 'multi_scale': True}, 'needs generator: conv'), ({'arch': 'FastGAN', 'dis_norm': 'batch'}, 'needs discriminator: conv'),
    ({'arch': 'FastGAN', 'features': 'timm:tf_efficientnet_lite1'}, 'score with another one'),
    ({'arch': 'FastGAN', 'features': 'timm:efficientnet_lite1'}, 'score with another one'),
    ({'augment': 'flip, auto'}, 'auto alone'),
    ({'split': 'a.csv'}, 'needs path'), ({'conditional': 'melanoma'}, 'true or false'), ({'warm_start': '~/run'}, '~'),
]
# these name something that is looked for: refused before the first step, once torch is there
LOOKED_FOR = [
    ({'path': 'nowhere'}, 'no such folder'), ({'classes': 'melanom'}, 'is not among'), ({'classes': [f'{BELL}nevus']}, '\\x07'),
    ({'n_images': 3}, 'at least 4'), ({'n_gpu': 64}, 'got 64'), ({'features': 'inceptoin'}, "Did you mean 'inception'"),
    ({'features': 'timm:resnet999'}, 'timm has no model'), ({'features': 'classifier:nowhere'}, 'not a classifier'),
    ({'warm_start': 'nowhere'}, 'no such file or folder'), ({'conditional': True, 'classes': 'nevus'}, 'two classes'),
]
# papermill makes no difference between these and what is right: `None` and '' are empty, and run: true is text to a flag
ONLY_YAML = [i for i, (values, _) in enumerate(CASES) if values == {'run': True}]

FILES = {
    'an empty file': b'', 'only blanks': b' \n\n', 'only a byte order mark': b'\xef\xbb\xbf', 'binary': bytes(range(256)),
    'NUL bytes': b'seed: 1\0\n',
    'Latin-1': 'run: über\n'.encode('latin-1'), 'UTF-16': 'seed: 1\n'.encode('utf-16'), 'a picture': b'\x89PNG\r\n\x1a\n' + bytes(99),
    'a tab': b'seed:\t1\n', 'tabs before names': b'seed: 1\n\tarch: SNGAN\n', 'a mark and a typo': b'\xef\xbb\xbfsed: 1\n',
    'Windows line ends and a typo': b'seed: 1\r\narhc: SNGAN\r\n', 'a name twice': b'seed: 1\nseed: 2\n',
    'a quoted name twice': b'seed: 1\n"seed": 1\n',
    'two documents': b'seed: 1\n---\nseed: 2\n', 'no space after the colon': b'seed:1\n', 'an equals sign': b'seed = 1\n',
    'a list': b'- seed\n- 1\n',
    'a number': b'7\n', 'a text': b'SNGAN\n', 'JSON cut off': b'{"seed": 1,', 'a JSON list': b'[{"seed": 1}]',
    'HTML': b'<!doctype html><p>404</p>\n',
    'a notebook': b'{"cells": [], "metadata": {}, "nbformat": 4}', 'Python': b'import os\nseed = 1\n', 'TOML': b'[train]\nseed = 1\n',
    'nested': b'train:\n  seed: 1\n', 'nested deep': b'{a: ' * 200 + b'1' + b'}' * 200, 'nested deeper': b'[' * 100_000,
    'deep and open': b'seed: ' + b'{a: ' * 50_000, 'billion laughs': b'a: &a [x, x, x, x, x, x, x, x, x]\n' + b''.join(
        b'%c: &%c [%s]\n' % (c, c, b', '.join([b'*%c' % (c - 1)] * 9)) for c in b'bcdefghi') + b'seed: *i\n',
    'an alias to itself': b'seed: &a [*a]\n', 'an alias of one': b'seed: &s 1\nn_images: *s\n', 'a merge': b'<<: {seed: 1}\n',
    'a tag of Python': b'run: !!python/object/apply:os.system ["touch canary"]\n', 'a name of Python': b'run: !!python/name:os.system\n',
    'a module of Python': b'run: !!python/module:os\n', 'a new object': b'!!python/object/new:os.system ["touch canary"]\n',
    'a tag of its own': b'run: !mine x\n', 'a date by tag': b'seed: !!timestamp x\n', 'an empty number by tag': b'seed: !!int ""\n',
    'a bool by tag': b'multi_scale: !!bool maybe\n', 'bytes by tag': b'run: !!binary aGk=\n', 'a set': b'classes: !!set {a}\n',
    'a list as a name': b'? [a, b]\n: 1\n', 'a mapping as a name': b'{a: 1}: 2\n', 'an empty name': b': 1\n',
    'null as a name': b'null: 1\n',
    'true as a name': b'true: 1\n', 'a number as a name': b'1: 1\n', 'an unknown escape': b'path: "C:\\data"\n',
    'an open quote': b'run: "a\nseed: 1\n',
    'an escape of a terminal': b'run: "\\e[2J"\n', 'an escape in a name': b'"\\e[2J": 1\n',
    'a directive': b'%TAG ! tag:yaml.org,2002:python/\n---\nseed: !name:os.system\n',
    'too large': b'# ' + b'x' * 300_000, 'many names': b''.join(b'k%d: 1\n' % i for i in range(20_000)),
    'a long line': b'run: ' + b'x' * 200_000,
    'a lone surrogate': b'run: "\\ud800"\n', 'a value with more colons': b'run: a: b\n', 'an at sign': b'run: @home\n',
    'a backquote': b'run: `ls`\n',
}
WORDS = [
    [], [''], ['trian'], ['train', ''], ['train', 'nowhere.yaml'], ['train', '.'], ['train', '/dev/zero'],
    ['train', os.fsdecode(b'\xff.yaml')],
    ['train', f'{CLEAR}.yaml'], ['train', 'a\nb.yaml'], ['train', 'x' * 5000], ['train', '--seed'], ['train', '--sead', '1'],
    ['train', '-seed', '1'],
    ['train', '--seed', '1', '--seed', '2'], ['train', '--batch-size', '8', '--batch_size', '9'], ['train', '--learning_rate', '-1e-4'],
    ['train', f'--{CLEAR}=1'], ['train', '--' + 'x' * 50_000], ['train', '--arch', os.fsdecode(b'\xffSNGAN')], ['train', '--seed', ''],
    ['train', '--batch_size', '8', '16'], ['train', 'arch=SNGAN'], ['experiment', '--image_size', '48'], ['sample', 'x', '--out', ''],
    ['sample', '', '--out', 'x'], ['sample', 'x', '--out', 'y', '--n', '9' * 30], ['sample', 'x', '--out', 'y', '--n', 'many'],
    ['sample', 'x'], ['sample', 'x', '--out', 'y', '--candidates', '0'], ['sample', '.', '--out', 'y', '--like', '.'],
    ['sample', 'nowhere', '--out', 'y'], ['report', ''], ['score', 'a', 'b', '--n', '1'], ['score', 'a', 'b', '--out', 'a.csv'],
    ['score', 'a'],
    ['score', os.fsdecode(b'\xff'), 'b'], ['score', 'a', 'b', '--image-size', '1e2'], ['suite', 'x', '--set', 'seed'],
    ['suite', 'x', '--seeds', '0'],
    ['suite', 'x', '--set', 'ttur=1', 'ttur=2'], ['suite', 'x', '--scheduler', 'here'],
    ['suite', 'x', '--scheduler', 'tcp://a:1', '--cluster', 'slurm'],
    ['suite', 'x', '--workers', '9' * 9], ['suite', 'x', '--cluster', 'cloud'], ['bench', '--seconds', 'nan'],
    ['bench', '--rounds', '9' * 9],
    ['bench', '--sizes', '64;128'], ['bench', '--out', 'rows.csv'], ['bench', '--device', 'tpu'], ['cache', '--claer'], ['cache', 'all'],
    ['split', 'x'], ['split', 'nowhere', '--out', 'a.csv'], ['split', 'x', '--out', 'a.csv', '--seed', '-1'],
    ['split', 'x', '--out', 'a.csv', '--test', 'half'], ['split', '.', '--out', 'input.yaml'], ['synthesize', 'x'],
    ['synthesize', 'nowhere', '--out', 'y'], ['synthesize', 'x', '--out', 'y', '--n', 'all'],
    ['synthesize', 'x', '--out', 'y', '--drop', 'copy'],
    ['synthesize', 'x', '--out', 'y', '--best', '2', '--rank', 'discriminator'], ['synthesize', 'x', '--out', 'y', '--n', '1'],
    ['synthesize', 'x', '--out', ''], ['balance'], ['balance', 'nowhere.yaml'], ['balance', 'x', '--set', 'doses'],
    ['balance', 'x', '--seeds', '0'], ['balance', 'x', '--cluster', 'cloud'], ['balance', 'x', '--scheduler', 'here'],
    ['phantoms', 'x', '--n', '0'], ['phantoms', 'x', '--seed', '9' * 40], ['phantoms', 'x', '--image-size', '31'], ['phantoms', ''],
]
SUITE = 'title: T\nquestion: Q?\nbase: {n_gpu: 0}\nruns:\n  a: {}\n  b: {ttur: 4}\nseeds: [0, 1]\n'
SUITES = [  # (text of a valid suite, its replacement), what the line must contain
    ('title: T', 'tilte: T', 'title, question and runs'), ('title: T', 'title: [T]', 'title: expected text'),
    ('title: T', 'title: ""', 'title: expected text'),
    ('question: Q?', 'question: {Q: 1}', 'question: expected text'), ('seeds', 'sedes', "Did you mean 'seeds'"), ('[0, 1]', '3', 'seeds:'),
    ('[0, 1]', '[0, 0]', 'seeds:'), ('[0, 1]', '[]', 'seeds:'), ('[0, 1]', '[0, -1]', 'seeds:'), ('[0, 1]', '[0, 1.5]', 'seeds:'),
    ('[0, 1]', '[yes]', 'seeds:'), ('[0, 1]', '"01"', 'seeds:'), ('[0, 1]', '[99999999999]', 'seeds:'), ('[0, 1]', '[[0]]', 'seeds:'),
    ('a: {}', 'a: 3', 'a: expected settings'), ('a: {}', 'a: [ttur]', 'a: expected settings'), ('a: {}', 'b: {}', "duplicate key 'b'"),
    ('a: {}', 'a: {tur: 1}', "Did you mean 'ttur'"),
    ('a: {}', 'a: {ttur: nan}', 'expected a number'), ('a: {}', 'a: {seed: 3}', 'set by the suite'),
    ('a: {}', 'a: {run: x}', 'set by the suite'),
    ('a: {}', 'a: {ttur: 4}', 'have the same settings'), ('a: {}', 'a: &a {}', 'anchors'), ('a: {}', 'a: !!python/name:os.system', 'tags'),
    ('a: {}', 'a: {arch: "\\e[2J"}', '\\x1b'), ('base: {n_gpu: 0}', 'base: [n_gpu]', 'base:'),
    ('base: {n_gpu: 0}', 'base: {n_gup: 0}', "Did you mean 'n_gpu'"),
    ('base: {n_gpu: 0}', 'primary_metric: FID', "Did you mean 'FD'"), ('base: {n_gpu: 0}', 'primary_metric: [KD]', 'primary_metric: expected text'),
    ('b: {', 'b: {compare_with: aa, ', "Did you mean 'a'"), ('a: {}', 'a: {compare_with: b}', 'the first run is a base'),
    ('b: {', 'b: {compare_with: [a], ', 'compare_with: expected one of a'),
    ('b: {', 'b: {provokes: divergd, ', "Did you mean 'diverged'"),
    ('base: {n_gpu: 0}', 'read_at: [1]', 'read_at'), ('base: {n_gpu: 0}', 'read_at: yes', 'read_at'),
    ('base: {n_gpu: 0}', '"\\e[2J": 1', '\\x1b'),
    (SUITE[SUITE.index('runs'):], 'runs: {}\n', 'runs:'), (SUITE[SUITE.index('runs'):], 'runs: [a, b]\n', 'runs:'), (SUITE, '', 'empty'),
    (SUITE, '[a]', 'not a suite'),
]
STUDY = 'positive: melanoma\ngenerator: {arch: SNGAN}\nclassifier: {steps: 9, checks: 3}\ndoses: [50]\n'
STUDIES = [  # (text of a valid study, its replacement), what the line must contain
    ('doses', 'dosis', "Did you mean 'doses'"), ('[50]', '[0]', 'doses: expected a list, each entry a whole number'), ('[50]', '[]', 'doses'),
    ('[50]', '[many]', 'doses'),
    ('[50]', '{a: 1}', 'doses'), ('steps: 9', 'steps: 2', 'checks: expected at most one per step, 2, got 3'), ('steps: 9', 'setps: 9', "Did you mean 'steps'"),
    ('steps: 9', 'steps: nine', 'whole number'), ('{steps: 9, checks: 3}', '7', 'classifier: expected names and values'),
    ('{arch: SNGAN}', '[SNGAN]', 'generator: expected names and values'), ('arch: SNGAN', 'arch: SNG', 'arch'),
    ('arch: SNGAN', 'classes: nevus', 'classes is set by the study'), ('arch: SNGAN', 'split: a.csv', 'split is set by the study'),
    ('arch: SNGAN', 'arhc: SNGAN', "Did you mean 'arch'"), ('doses: [50]', 'validation: .5\ntest: .5', 'leave nothing to train on'),
    ('doses: [50]', 'keep: 3', 'in [4, inf)'), ('doses: [50]', 'best: .5', 'needs rank'), ('doses: [50]', 'rank: herding', 'needs best below 1'),
    ('doses: [50]', 'primary_metric: AUC', 'primary_metric'),
    ('doses: [50]', 'rank: me', 'rank'), ('doses: [50]', 'seeds: 0', 'seeds'), ('doses: [50]', 'n_gpu: 4', 'n_gpu'),
    ('doses: [50]', 'title: "\\e[2J"', '\\x1b'), ('{arch: SNGAN}', '!!python/name:os.system x', 'tags'), (STUDY, '- a', 'not a study'),
    ('generator: {arch: SNGAN}', 'generator: {conditional: true}\nwarm_up: {num_epochs: 2}', 'sees all classes already'),
]


def fault(code: int, said: str, wanted: str | None, left: list) -> str:
    "Describe what was wrong with an answer; '' if it was as expected."
    lines = said.splitlines()
    if code != 2:
        return f'exit {code}: {said[-300:]}'
    if len(lines) != 1 or not lines[0].startswith('medimagegan') or not lines[0].isprintable() or len(lines[0]) > 1100:
        return f'not one clear line: {said[:300]!r}'
    if wanted and wanted not in lines[0].replace('--', ''):
        return f'does not say {wanted!r}: {lines[0][:300]}'
    return f'left {left}' if left else ''


def here(words: list[str], folder: Path) -> tuple[int, str]:
    "Run the command in this process; settings that are accepted are not trained with."
    from medimagegan.cli import main as program
    from medimagegan.cli.framework import read_settings
    said, before = io.StringIO(), os.getcwd()
    for name in ('train', 'experiment'):
        program.COMMANDS[name].callback = lambda file, force=None, forecast=None, as_json=None, **options: read_settings(file, options)
    os.chdir(folder)
    try:
        with contextlib.redirect_stderr(said):
            return program.main(words), said.getvalue()
    except SystemExit as stop:
        return stop.code, said.getvalue()
    except Exception as error:
        return 1, f'{type(error).__name__}: {error}'
    finally:
        os.chdir(before)


def installed(words: list[str], folder: Path) -> tuple[int, str]:
    "Run the installed command as a user does."
    program = Path(sys.executable).parent / 'medimagegan'
    done = subprocess.run([program, *words], cwd=folder, capture_output=True, timeout=300)
    return done.returncode, done.stderr.decode('utf-8', 'backslashreplace')


def answer(door, words: list[str], wanted: str | None = None, file: bytes | None = None) -> str:
    "Return the fault of one call in a folder of its own, with or without an `input.yaml`."
    with tempfile.TemporaryDirectory() as d:
        if file is not None:
            Path(d, 'input.yaml').write_bytes(file)
        code, said = door(words, Path(d))
        return fault(code, said, wanted, sorted(f.name for f in Path(d).iterdir() if f.name != 'input.yaml'))


def as_yaml(values: dict) -> bytes:
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    return yaml.safe_dump(plain, allow_unicode=True).encode()


def as_flags(values: dict) -> list[str]:
    return [f"--{name}={'' if value is None else value}" for name, value in values.items()]


def notebook_names(values: dict) -> str:
    "Return the message of the notebook's check for these parameters, inserted as papermill does, without a kernel."
    from papermill.translators import papermill_translators

    from medimagegan.core.errors import UserError
    from medimagegan.runs.experiment import notebook_config, parameters_cell
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
    names, injected = {}, papermill_translators.find_translator('python3', 'python').codify(plain)
    exec(parameters_cell(), names)
    exec(injected, names)
    names['In'] = ['', parameters_cell(), injected]  # where IPython keeps what has run
    try:
        notebook_config(names)
    except UserError as error:
        return str(error)
    return 'nothing'


def papermill(values: dict, wanted: str | None) -> str:
    "Return the fault of one notebook, on a kernel of its own."
    with tempfile.TemporaryDirectory() as d:
        Path(d, 'values.yaml').write_bytes(as_yaml(values))
        words = [ROOT / 'experiments' / 'experiment.ipynb', 'out.ipynb', '-f', 'values.yaml', '--no-progress-bar', '-k', 'python3']
        done = subprocess.run([Path(sys.executable).parent / 'papermill', *words], cwd=d, capture_output=True, text=True, timeout=300)
        kind = 'UserError: ' if all(map(str.isidentifier, values)) else 'SyntaxError: '  # not a name in Python: its own cell fails
        lines = [line for line in done.stderr.splitlines() if kind in line]
        if done.returncode != 1 or not lines or Path(d, 'runs').exists() or Path(d, 'canary').exists():
            return f'exit {done.returncode}, {os.listdir(d)}: {done.stderr[-300:]}'
        return '' if not wanted or wanted in lines[-1] or kind == 'SyntaxError: ' else f'does not say {wanted!r}: {lines[-1][:300]}'


def said_by_notebook(values: dict, wanted: str | None) -> str:
    line = notebook_names(values)
    good = line.endswith('(notebook parameters)') and line.isprintable() and len(line) < 1100 and (not wanted or wanted in line)
    return '' if good else f'does not say {wanted!r}: {line[:300]}'


def trial(full: bool = False) -> tuple[int, list[str]]:
    "Return how many cases were tried, and the faults of those that failed."
    door, tried, faults = installed if full else here, 0, []
    jobs = []
    table = CASES + (LOOKED_FOR if full else [])
    for i, (values, wanted) in enumerate(table):
        label = repr(values)[:70]
        jobs.append((f'YAML {label}', lambda v=values, w=wanted: answer(door, ['train', 'input.yaml'], w, as_yaml(v))))
        if i in ONLY_YAML:
            continue
        jobs.append((f'flags {label}', lambda v=values, w=wanted: answer(door, ['train', *as_flags(v)], w)))
        if full or i == 33:
            jobs.append((f'papermill {label}', lambda v=values, w=wanted: papermill(v, w)))
        elif all(map(str.isidentifier, values)):
            jobs.append((f'notebook {label}', lambda v=values, w=wanted: said_by_notebook(v, w)))
    for what, data in FILES.items():
        jobs.append((f'file: {what}', lambda b=data: answer(door, ['train', 'input.yaml'], 'input.yaml', b)))
    jobs += [(f'words {repr(words)[:70]}', lambda w=words: answer(door, w)) for words in WORDS]
    if full or 'torch' in sys.modules:  # a suite needs it
        for old, new, wanted in SUITES:
            text = SUITE.replace(old, new).encode()
            jobs.append((f'suite {new[:50]!r}', lambda t=text, w=wanted: answer(door, ['suite', 'input.yaml'], w, t)))
        for old, new, wanted in STUDIES:
            text = STUDY.replace(old, new).encode()
            jobs.append((f'study {new[:50]!r}', lambda t=text, w=wanted: answer(door, ['balance', 'input.yaml'], w, t)))
    with ThreadPoolExecutor(2 if full else 1) as pool:
        for (label, _), wrong in zip(jobs, pool.map(lambda job: job[1](), jobs), strict=True):
            tried += 1
            if wrong:
                faults.append(f'{label}: {wrong}')
    return tried, faults


if __name__ == '__main__':
    tried, faults = trial('--full' in sys.argv[1:])
    print(*faults, f'{tried} tried, {tried - len(faults)} held', sep='\n')
    sys.exit(bool(faults))
