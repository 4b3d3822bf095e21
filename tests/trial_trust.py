"""Trial of files from an untrusted source: `python tests/trial_trust.py [--full]`.

Each contains something that would leave a canary file behind if it were executed, or that claims to be what it is not. Expected: refused
in one line (or shown as plain text), no canary, and nothing outside the folder touched. The full form starts the installed command for those that have
one and trains a run while it watches for connections to other machines."""
import json
import os
import pickle
import socket
import struct
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from trial_settings import installed, notebook_names, papermill

from medimagegan.core.config import TrainConfig, load_config, save_config, settings_text
from medimagegan.core.errors import UserError

SMALL = TrainConfig(arch='DCGAN', image_size=32, gen_feature_maps=4, dis_feature_maps=4, n_images=40, num_epochs=1, n_gpu=0, batch_size=8, score_images=8,
                    curve_images=4, precision='fp32')
SCRIPT = '<script>alert(1)</script>'


class Bomb:
    "An object that touches a file when it is unpickled."

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f'touch {self.canary}',)


def gan():
    from medimagegan.gan.step import init_gan
    return init_gan(SMALL)


def good_state() -> dict:
    from medimagegan.gan.checkpoints import save_checkpoint
    with tempfile.TemporaryDirectory() as d:
        save_checkpoint(gan(), SMALL, f'{d}/checkpoint.pt')
        return torch.load(f'{d}/checkpoint.pt', weights_only=True)


def checkpoint(d: Path, write) -> str:
    "Return the fault of a checkpoint that `write` makes."
    from medimagegan.gan.checkpoints import load_checkpoint
    write(d / 'checkpoint.pt')
    return refused(lambda: load_checkpoint(gan(), SMALL, d / 'checkpoint.pt'))


def generator(d: Path, metadata: dict | None, weights: dict | None = None, data: bytes | None = None) -> str:
    "Return the fault of a released generator with these contents."
    from medimagegan.gan.step import make_generator
    from medimagegan.gan.sampling import read_generator
    file = d / 'generator.safetensors'
    if data is None:
        safetensors.torch.save_file(weights or make_generator(SMALL).state_dict(), file, metadata)
    else:
        file.write_bytes(data)
    return refused(lambda: read_generator(file))


def classifier(d: Path, **wrong) -> str:
    "Return the fault of a classifier with this description."
    import timm

    from medimagegan.evaluate.features import load_features
    about = dict(model='test_efficientnet', size=64, n_classes=2, mean=[.5] * 3, std=[.5] * 3)
    weights = timm.create_model('test_efficientnet', num_classes=2).state_dict()
    safetensors.torch.save_file(weights, d / 'classifier.safetensors', {'classifier': json.dumps(about | wrong)})
    return refused(lambda: load_features(f'classifier:{d}'))


def refused(work) -> str:
    try:
        work()
    except UserError as error:
        return '' if str(error).isprintable() else f'not one line: {error}'
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return 'taken for good'


def in_yaml(d: Path, text: str) -> str:
    (d / 'input.yaml').write_text(text)
    return refused(lambda: load_config(d / 'input.yaml'))


def in_suite(d: Path, text: str) -> str:
    from medimagegan.studies.suites import load_suite
    (d / 'suite.yaml').write_text(f'title: T\nquestion: Q\nruns: {{a: {text}}}\n')
    return refused(lambda: load_suite(d / 'suite.yaml'))


def bad_zip(file: Path, canary: Path) -> None:
    "Write a pickle bomb in the layout of `torch.save`, with a record whose path leads outside."
    with zipfile.ZipFile(file, 'w') as z:
        z.writestr('archive/data.pkl', pickle.dumps({'config': Bomb(canary)}, protocol=2))
        z.writestr('archive/version', '3')
        z.writestr('archive/../../../canary', 'x')


def climbing_zip(file: Path) -> None:
    "Write a valid checkpoint with a record whose path leads outside."
    torch.save({'config': 'other'}, file)
    with zipfile.ZipFile(file, 'a') as z:
        z.writestr('../canary', 'x')
        z.writestr(f'{file.parent}/canary', 'x')


def header(words: dict, rest: bytes = b'') -> bytes:
    text = json.dumps(words).encode()
    return struct.pack('<Q', len(text)) + text + rest


def cases(d: Path) -> dict:
    "Map each name to a function that returns its fault or ''. Each gets its own folder; `canary` in it must not appear."
    canary, config = d / 'canary', settings_text(SMALL)
    code = f"__import__('os').system('touch {canary}')"
    bomb = Bomb(canary)

    def state(**wrong):
        return lambda: checkpoint(d, lambda file: torch.save(good_state() | wrong, file))

    def meta(values):
        return lambda: generator(d, {'config': values if isinstance(values, str) else json.dumps(values)})
    return {
        'checkpoint: a bare pickle': lambda: checkpoint(d, lambda file: file.write_bytes(pickle.dumps(bomb))),
        'checkpoint: a bomb in torch.save': lambda: checkpoint(d, lambda file: torch.save({'config': bomb}, file)),
        'checkpoint: a bomb beside sound parts': state(rng=bomb),
        'checkpoint: a bomb in the old format': lambda: checkpoint(
            d, lambda file: torch.save({'config': bomb}, file, _use_new_zipfile_serialization=False)),
        'checkpoint: a bomb in a zip with records that climb out': lambda: checkpoint(d, lambda file: bad_zip(file, canary)),
        'checkpoint: records that climb out': lambda: checkpoint(d, climbing_zip),
        'checkpoint: a function by name': state(dtype=os.system),
        'checkpoint: tensors larger than any memory': state(rng=torch.zeros(1).expand(10**15)),
        'checkpoint: weights of another shape': state(generator={'stem': torch.zeros(1).expand(10**12)}),
        'checkpoint: cut off': lambda: checkpoint(d, lambda file: (torch.save(good_state(), file), os.truncate(file, 9000))),
        'checkpoint: a text for a counter': state(epoch='x'),
        'checkpoint: more epochs than were asked for': state(epoch=10**9),
        'checkpoint: a step below zero': state(step=-1),
        'checkpoint: a number for a type': state(dtype=5),
        'checkpoint: a list': lambda: checkpoint(d, lambda file: torch.save([1], file)),
        'generator: a pickle': lambda: generator(d, None, data=pickle.dumps(bomb)),
        'generator: a header longer than the file': lambda: generator(d, None, data=struct.pack('<Q', 2**60) + b'{}'),
        'generator: a header that lies of its tensors': lambda: generator(
            d, None, data=header({'stem': {'dtype': 'F32', 'shape': [2**40], 'data_offsets': [0, 2**42]}}, b'1234')),
        'generator: tensors over each other': lambda: generator(d, None, data=header(
            {name: {'dtype': 'F32', 'shape': [1], 'data_offsets': [0, 4]} for name in 'ab'}, b'1234')),
        'generator: no config': lambda: generator(d, None),
        'generator: a config that is code': meta(code),
        'generator: a config that is a list': meta([1]),
        'generator: a config nested without end': meta('[' * 100_000),
        'generator: code for a value': meta({**json.loads(config), 'image_size': code}),
        'generator: an unknown setting': meta({**json.loads(config), '__class__': code}),
        'generator: a number of 5,000 digits': meta(config.replace('"seed": 0', '"seed": ' + '9' * 5000)),
        'generator: no number': meta(config.replace('0.0002', 'NaN')),
        'generator: escapes of a terminal': meta({**json.loads(config), 'arch': '\x1b]0;owned\x07'}),
        'generator: the config of another network': meta({**json.loads(config), 'image_size': 64}),
        'classifier: a model on the network': lambda: offline(lambda: classifier(d, model='hf-hub:somebody/model')),
        'classifier: a model in a folder': lambda: classifier(d, model=f'local-dir:{d}'),
        'classifier: code for a model': lambda: classifier(d, model=code),
        'classifier: far more classes than weights': lambda: classifier(d, n_classes=10**12),
        'classifier: far more pixels than memory': lambda: classifier(d, size=10**9),
        'classifier: a giant by name': lambda: classifier(d, model='vit_giant_patch14_dinov2'),
        'YAML: a call': lambda: in_yaml(d, f'run: !!python/object/apply:os.system ["touch {canary}"]\n'),
        'YAML: a new object': lambda: in_yaml(d, f'run: !!python/object/new:os.system ["touch {canary}"]\n'),
        'YAML: code for a value': lambda: in_yaml(d, f'seed: {json.dumps(code)}\n'),
        'YAML: laughs': lambda: in_yaml(d, 'a: &a [x, x]\nb: &b [*a, *a]\nseed: *b\n'),
        'suite: a call': lambda: in_suite(d, f'!!python/object/apply:os.system ["touch {canary}"]'),
        'suite: laughs': lambda: in_suite(d, '&a {classes: [*a, *a]}'),
        'parameter: code for a number': lambda: told({'seed': code}, 'whole number'),
        'parameter: code for a text': lambda: told({'arch': f"'+{code}+'"}, 'arch'),
        'parameter: a text that ends its quotes': lambda: told({'run': f'"\n{code}\n"'}, 'without control characters'),
        'parameter: braces of a template': lambda: told({'arch': '{{7*7}}${HOME}`id`%s'}, 'arch'),
        'a link beside the settings': lambda: link_beside(d),
        'names in a report': lambda: names_in_tables(d),
        'nothing is fetched': lambda: offline(load_what_is_default),
    }


def told(values: dict, wanted: str) -> str:
    line = notebook_names(values)
    return '' if wanted in line else f'{line}'


def link_beside(d: Path) -> str:
    "Check that a link under the name of the temporary file is not written through."
    mine = d / 'mine'
    mine.write_text('years of work')
    (d / 'config.yaml.new').symlink_to(mine)
    save_config(SMALL, d / 'config.yaml')
    good = mine.read_text() == 'years of work' and not (d / 'config.yaml').is_symlink()
    return '' if good and load_config(d / 'config.yaml') == SMALL else 'written through'


def names_in_tables(d: Path) -> str:
    import pandas as pd

    from medimagegan.core.pages import escape_markdown, markdown_table
    table = markdown_table(pd.DataFrame({'b': [SCRIPT]}, index=pd.Index(['a | `x`\n\n# y [z](javascript:1) \x1b[2J'], name='arm')))
    lines = table.splitlines()
    bad = [sign for sign in ('<', '`', '](', '\x1b') if sign in table]
    good = len(lines) == 3 and {line.count('|') for line in lines} == {3} and '<' not in escape_markdown(SCRIPT)
    return '' if good and not bad else table


def offline(work) -> str:
    "Call `work`, and name every machine that it tried to reach."
    asked = []

    def no(*args, **kwargs):
        asked.append(str(args)[:100])
        raise OSError('no network here')
    kept = socket.getaddrinfo, socket.socket.connect
    socket.getaddrinfo = socket.socket.connect = no
    try:
        said = work()
    finally:
        socket.getaddrinfo, socket.socket.connect = kept
    return f'asked for {asked[0]}' if asked else said or ''


def load_what_is_default() -> str:
    from medimagegan.evaluate.features import load_features
    load_features()
    return ''


def full_cases(d: Path) -> dict:
    "Map the same kinds of cases to the installed command and a kernel, and add a whole run without a connection."
    canary = d / 'canary'
    code = f"__import__('os').system('touch {canary}')"

    def run_folder(**files):
        words = [f'--{name}={value}' for name, value in json.loads(settings_text(SMALL)).items()
                 if value not in (None, []) and value != getattr(TrainConfig(), name)]
        words += ['--n_gpu=0', '--run=a']
        code, said = installed(['train', *words], d)
        (d / 'runs' / 'a' / 'scores.json').unlink()
        for name, write in files.items():
            write(d / 'runs' / 'a' / name.replace('_', '.'))
        return words

    def resumed(write):
        words = run_folder(checkpoint_pt=write)
        code, said = installed(['train', *words], d)
        return '' if code == 2 and said.count('\n') == 1 else f'exit {code}: {said[-300:]}'

    def sampled():
        safetensors.torch.save_file({'a': torch.zeros(1)}, d / 'g.safetensors', {'config': '{"arch": "\\u001b[2J"}'})
        code, said = installed(['sample', 'g.safetensors', '--out', 'o'], d)
        return '' if code == 2 and said.count('\n') == 1 and '\x1b' not in said and not (d / 'o').exists() else said

    def page():
        images = d / SCRIPT.replace('/', '_')
        from PIL import Image
        for i in range(20):
            (images / f'<b>{i % 2}').mkdir(parents=True, exist_ok=True)
            Image.effect_noise((40, 40), i + 1.).convert('RGB').save(images / f'<b>{i % 2}' / f'{i}<img src=x>.png')
        small = [f'--{k}={getattr(SMALL, k)}' for k in ('arch', 'image_size', 'gen_feature_maps', 'dis_feature_maps', 'num_epochs', 'batch_size',
                                                          'score_images', 'curve_images')]
        code, said = installed(['train', *small, '--n_gpu=0', f'--path={images.name}', '--holdout=0.5', '--run=<i>x'], d)
        text = (d / 'runs' / '<i>x' / 'report.html').read_text()
        bad = [word for word in ('<script', '<b>0', '<img src=x', '<i>x') if word in text]
        return '' if code == 0 and not bad else f'exit {code}: {bad} {said[-200:]}'

    def whole_run():
        from medimagegan.runs.report import write_report
        from medimagegan.runs.launcher import run
        write_report(run(replace(SMALL, out=str(d / 'runs'), run='a'), log=lambda line: None))
        return ''
    return {
        'resumed from a bomb': lambda: resumed(lambda file: torch.save({'config': Bomb(canary)}, file)),
        'resumed from a bare pickle': lambda: resumed(lambda file: file.write_bytes(pickle.dumps(Bomb(canary)))),
        'sampled from a hostile config': sampled,
        'a run of hostile names': page,
        'a kernel: code for a number': lambda: papermill({'seed': code}, 'whole number'),
        'a kernel: a text that ends its quotes': lambda: papermill({'run': f'"\n{code}\n"'}, None),
        'a whole run without a connection': lambda: offline(whole_run),
    }


def trial(full: bool = False) -> tuple[int, list[str]]:
    "Return how many cases were tried, and the faults of those that failed."
    tried, faults = 0, []
    with tempfile.TemporaryDirectory() as d:
        pickle.loads(pickle.dumps(Bomb(f'{d}/canary')))
        assert os.path.exists(f'{d}/canary'), 'a bomb that goes off leaves its canary'
    for make in (cases, full_cases) if full else (cases,):
        for name in make(Path()):
            with tempfile.TemporaryDirectory() as d:
                around = Path(d, 'in')
                around.mkdir()
                wrong = make(around)[name]()
                if list(Path(d).rglob('*canary*')):
                    wrong = 'executed'
                tried += 1
                if wrong:
                    faults.append(f'{name}: {wrong}')
    return tried, faults


if __name__ == '__main__':
    tried, faults = trial('--full' in sys.argv[1:])
    print(*faults, f'{tried} tried, {tried - len(faults)} held', sep='\n')
    sys.exit(bool(faults))
