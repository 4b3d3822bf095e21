"""House rules: the order of the rooms, the export, clean notebooks, one source of settings."""
import ast
import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from conftest import ROOT, command

from medimagegan.core.config import TrainConfig, describe_settings, load_config
from medimagegan.core.pages import escape_markdown
from medimagegan.runs.experiment import parameters_cell

CHAPTERS = sorted((ROOT / 'nbs').glob('[0-9][0-9][0-9]_*.ipynb'))
NOTEBOOKS = [*CHAPTERS, ROOT / 'nbs' / 'tutorial.ipynb']
EXPERIMENT = ROOT / 'experiments' / 'experiment.ipynb'
BENCHMARK = ROOT / 'experiments' / 'benchmark.ipynb'
BALANCE = ROOT / 'experiments' / 'balance.ipynb'


ROOMS = ('core', 'data', 'gan', 'evaluate', 'runs', 'studies', 'cli')


def module_imports(file):
    "List the modules of the package that a module imports anywhere, also inside functions."
    module = '.'.join(file.relative_to(ROOT).with_suffix('').parts)
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = module.split('.')[:-node.level]
            found.add('.'.join([*above, *(node.module or '').split('.')]).rstrip('.'))
        elif isinstance(node, ast.ImportFrom) and (node.module or '').startswith('medimagegan'):
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith('medimagegan')}
    return {name.removeprefix('medimagegan.') for name in found} - {'medimagegan'}


def order_of_chapters():
    "Map each module to its number, from the names of the notebooks."
    return {chapter.stem[4:]: int(chapter.stem[:3]) for chapter in CHAPTERS}


def check_order(number, imports):
    "Check that a module imports only modules with a smaller number, so there is no circle; the first digit is the room."
    for module, used in imports.items():
        room = module.split('.')[0] if '.' in module else 'cli'  # a module outside the rooms counts as the top
        assert number[module] // 100 == ROOMS.index(room) + 1, f'{module} stands in another room than its number says'
        for other in used:
            assert number[other] < number[module], f'{module} imports {other}, which comes later'


def test_a_chapter_imports_only_lower_rooms_and_earlier_chapters():
    number = order_of_chapters()
    modules = {'.'.join(f.relative_to(ROOT / 'medimagegan').with_suffix('').parts): f
               for f in (ROOT / 'medimagegan').rglob('*.py') if not f.stem.startswith('_')}
    assert set(modules) == set(number), 'every module has its chapter'
    check_order(number, {module: module_imports(file) for module, file in modules.items()})


def test_a_circle_is_found():
    number = {'core.errors': 100, 'core.files': 110, 'data.cache': 200}
    check_order(number, {'core.files': {'core.errors'}, 'data.cache': {'core.files'}})
    for wrong in ({'core.errors': {'core.files'}, 'core.files': {'core.errors'}}, {'core.files': {'data.cache'}}):
        with pytest.raises(AssertionError, match='comes later'):
            check_order(number, wrong)


@pytest.fixture
def copy(tmp_path):
    "Copy the parts of the checkout that nbdev reads, so that a test may change them."
    for name in ('nbs', 'medimagegan', 'experiments'):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('runs', '__pycache__', '.ipynb_checkpoints', 'reports'))
    for name in ('settings.ini', 'pyproject.toml', 'README.md'):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def nbdev(word, *words, cwd):
    return command(Path(sys.executable).parent / word, *words, cwd=cwd)


def test_the_package_is_what_the_notebooks_export(copy):
    nbdev('nbdev_export', cwd=copy)
    for file in sorted((ROOT / 'medimagegan').rglob('*.py')):
        assert (copy / file.relative_to(ROOT)).read_text() == file.read_text(), f'{file.name}: run `make format`'


def test_notebooks_are_clean_and_the_parameters_tag_survives(copy):
    nbdev('nbdev_clean', cwd=copy)
    for file in (EXPERIMENT, BENCHMARK, BALANCE):
        nbdev('nbdev_clean', '--fname', f'experiments/{file.name}', cwd=copy)
        tags = [cell['metadata'].get('tags') for cell in json.loads((copy / 'experiments' / file.name).read_text())['cells']]
        assert tags.count(['parameters']) == 1
    for file in [*NOTEBOOKS, EXPERIMENT, BENCHMARK, BALANCE]:
        assert (copy / file.relative_to(ROOT)).read_text() == file.read_text(), f'{file.name}: run `make format`'


def test_the_tag_would_be_lost_without_our_setting(copy):
    settings = (copy / 'settings.ini').read_text()
    (copy / 'settings.ini').write_text(settings.replace('allowed_cell_metadata_keys = tags', ''))
    nbdev('nbdev_clean', '--fname', 'experiments/experiment.ipynb', cwd=copy)
    assert 'parameters' not in [t for c in json.loads((copy / 'experiments' / 'experiment.ipynb').read_text())['cells']
                                for t in c['metadata'].get('tags', [])]


def test_the_parameters_cell_is_the_first_code_cell_and_is_written_from_the_settings():
    first = next(c for c in nbformat.read(EXPERIMENT, 4).cells if c.cell_type == 'code')
    assert first.metadata.tags == ['parameters']
    assert first.source == parameters_cell(), 'run `make format`'
    annotations = {ast.unparse(n.annotation) for n in ast.parse(first.source).body}
    assert annotations <= {'str', 'int', 'float', 'bool', 'list'}


def test_every_notebook_runs_on_the_plain_kernel_and_keeps_no_error():
    for file in [*NOTEBOOKS, EXPERIMENT, BENCHMARK, BALANCE]:
        nb = nbformat.read(file, 4)
        assert nb.metadata.kernelspec.name == 'python3', file.name
        outputs = [o for c in nb.cells for o in c.get('outputs', [])]
        assert not [o for o in outputs if o.output_type == 'error' or o.get('name') == 'stderr'], file.name
        shown = json.dumps(outputs)
        assert not [place for place in ('/tmp/', str(ROOT), str(Path.home())) if f'{place}' in shown], f'{file.name} shows a place of this machine'


def test_notebooks_that_papermill_runs_are_committed_without_outputs():
    for file in (EXPERIMENT, BENCHMARK, BALANCE):
        assert not [o for c in nbformat.read(file, 4).cells for o in c.get('outputs', [])], file.name


def test_chapters_keep_their_budgets():
    for file in NOTEBOOKS:
        nb = nbformat.read(file, 4)
        assert len(nb.cells) <= 60 and file.stat().st_size <= 150_000, f'{file.name}: {len(nb.cells)} cells, {file.stat().st_size} bytes'


def exported_cells():
    "Yield (chapter, index, source without directives) of every exported cell that has more than imports."
    for file in CHAPTERS:
        for i, cell in enumerate(nbformat.read(file, 4).cells):
            if cell.cell_type == 'code' and re.search(r'^#\| *export', cell.source, re.M):
                source = re.sub(r'^#\|.*$', '', cell.source, flags=re.M)
                kinds = {type(node) for node in ast.parse(source).body}
                if kinds - {ast.Import, ast.ImportFrom, ast.Try}:
                    yield file.name, i, source


def count_lines(source):
    "Count lines that are not blank; a signature of several lines counts as one, and decorators are not counted."
    tree, declared = ast.parse(source), set()
    for node in tree.body:
        for decorator in getattr(node, 'decorator_list', []):
            declared |= set(range(decorator.lineno, decorator.end_lineno + 1))
        if isinstance(node, ast.FunctionDef):
            declared |= set(range(node.lineno + 1, node.body[0].lineno))
    return sum(bool(line.strip()) and n not in declared for n, line in enumerate(source.splitlines(), 1))


def test_an_exported_cell_holds_one_idea():
    sizes = []
    for name, i, source in exported_cells():
        body = ast.parse(source).body
        classes = [node.name for node in body if isinstance(node, ast.ClassDef)]
        if len(body) == 1 and isinstance(body[0], ast.Assign) and isinstance(body[0].value, (ast.Dict, ast.Tuple)):
            continue  # a table, to which rows are added
        lines = count_lines(source)
        sizes.append(lines)
        if classes != ['TrainConfig']:  # every setting of a run, one line each
            assert lines <= (50 if classes else 25), f'{name}, cell {i}: {lines} lines'
    sizes.sort()
    assert sizes[len(sizes) // 2] <= 12 and sizes[int(.9 * len(sizes))] <= 25


def test_functions_and_modules_are_short():
    for file in (ROOT / 'medimagegan').rglob('*.py'):
        text = file.read_text()
        assert file.stem == '_modidx' or len(text.splitlines()) <= 350, f'{file.name}: {len(text.splitlines())} lines'
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= 40, f'{file.name}: {node.name} has {lines} lines'


def test_a_private_name_is_defined_in_one_module():
    seen = {}
    for file in sorted((ROOT / 'medimagegan').rglob('*.py')):
        for node in ast.parse(file.read_text()).body:
            names = [node.name] if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else [
                target.id for target in getattr(node, 'targets', []) if isinstance(target, ast.Name)]
            for name in names:
                if name.startswith('_') and not name.startswith('__') and file.stem != '_modidx':
                    assert name not in seen, f'{name} stands in {seen[name]} and in {file.name}: make it public in a lower room'
                    seen[name] = file.name


def test_no_program_is_kept_in_a_string():
    for file in (ROOT / 'medimagegan').rglob('*.py'):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count('\n') > 2:
                assert not re.search(r'^(import|from) \w+', node.value, re.M), f'{file.name}, line {node.lineno}: a program in a string'


def test_every_chapter_explains_and_shows_something():
    for file in CHAPTERS:
        cells = nbformat.read(file, 4).cells
        words = sum(len(c.source.split()) for c in cells if c.cell_type == 'markdown')
        assert words >= 100, f'{file.name}: {words} words of prose'
        outputs = [o for c in cells for o in c.get('outputs', [])]
        assert outputs, f'{file.name} shows nothing'


OLD_WORDS = ('yardstick', 'told of', 'paints', 'painted', 'twins', 'gone on from', 'stands twice', 'is wanted', 'are wanted',
             'a number that is none', 'stand-ins', 'other reals', 'best look', 'hopeless', 'the ground')


def test_the_text_uses_the_terms_of_the_field():
    files = [*(ROOT / 'docs').glob('*.md'), *(ROOT / 'experiments' / 'suites').glob('*.yaml'), ROOT / 'README.md', ROOT / 'models' / 'README.md',
             *(f for f in (ROOT / 'medimagegan').rglob('*') if f.suffix in ('.py', '.html') and f.stem != '_modidx')]
    texts = {str(file.relative_to(ROOT)): file.read_text() for file in files}
    for notebook in NOTEBOOKS:
        texts[notebook.name] = '\n'.join(c.source for c in nbformat.read(notebook, 4).cells)
    allowed = re.compile(r"""'(other reals|twins)': '|"(other reals|twins)"|[*]other reals[*]""")  # keys of older files, and the changelog
    old = re.compile(rf'\b({"|".join(OLD_WORDS)})\b', re.I)
    for name, text in texts.items():
        for line in allowed.sub('', text).splitlines():
            found = old.search(line)
            assert not found, f'{name}: {found[0]!r} in {line.strip()[:120]!r}'


def test_every_public_function_says_what_it_does():
    for file in (ROOT / 'medimagegan').rglob('*.py'):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith('_'):
                assert ast.get_docstring(node), f'{file.name}: {node.name}'


def test_the_settings_page_is_written_from_the_settings():
    sys.path.insert(0, str(ROOT / 'docs'))
    from build import settings_page
    assert settings_page() == (ROOT / 'docs' / 'settings.md').read_text(), 'run `make format`'


def test_one_spelling():
    "Words in -ize have a z, as in the names of the package; colour and grey are British."
    roots = 'recogn|initial|normal|memor|minim|summar|synchron|stabil|penal|synthes|optim|organ|visual'
    other = re.compile(rf'\b(?:un|re)?(?:{roots})is(?:e|es|ed|ing|ation|ations)\b', re.I)
    for file in [*NOTEBOOKS, *(ROOT / 'docs').glob('*.md'), ROOT / 'README.md', ROOT / 'models' / 'README.md', ROOT / 'pyproject.toml', ROOT / 'settings.ini']:
        assert not (found := other.search(file.read_text(encoding='utf-8'))), f'{file.name}: {found[0]}: spell it with z'


def test_the_readme_is_short():
    assert len((ROOT / 'README.md').read_bytes()) <= 8192


def test_links_between_files_have_a_target():
    pages = [ROOT / 'README.md', ROOT / 'models' / 'README.md', *(ROOT / 'docs').glob('*.md'), *(ROOT / 'experiments' / 'reports').glob('*.md')]
    texts = {page: page.read_text() for page in pages}
    for notebook in NOTEBOOKS:
        texts[notebook] = '\n'.join(c.source for c in nbformat.read(notebook, 4).cells if c.cell_type == 'markdown')
    for page, text in texts.items():
        for link in re.findall(r'\]\(([^)#\s]+)', text):
            assert link.startswith(('http', 'attachment:')) or (page.parent / link).exists(), f'{page.name} links to {link}'


def test_the_findings_in_the_documentation_are_those_of_the_reports():
    rows = re.findall(r'^\| \[(\w+)\]\(\S+\) \| (.*?) \|', (ROOT / 'docs' / 'ablations.md').read_text(), re.M)
    assert {name for name, _ in rows} == {f.stem for f in (ROOT / 'experiments' / 'suites').glob('*.yaml')}
    for name, finding in rows:
        answer = (ROOT / 'experiments' / 'reports' / f'{name}.md').read_text()
        for number in re.findall(r'[-+]\d\.\d+', finding):
            assert number in answer, f'{name}: {number} is not in its report'


def test_the_answers_of_the_reports_follow_the_corrected_test():
    pattern = re.compile(r'^\| (.+?)(?: \| \S+){5} \| (better|worse|no evidence) \| (\S+) \|$', re.M)
    for suite in (ROOT / 'experiments' / 'suites').glob('*.yaml'):
        file = ROOT / 'experiments' / 'reports' / f'{suite.stem}.json'
        text, answer = file.with_suffix('.md').read_text(), json.loads(file.read_text())['answer']
        for page in (text, (file.parent / 'README.md').read_text()):
            assert escape_markdown(answer) in ' '.join(page.split()), file.name
        rows = pattern.findall(text) if 'Against' in answer else []
        for arm, conclusion, p in rows:
            assert (float(p) < .05) == (conclusion != 'no evidence') and f'{arm} (' in answer, f'{file.stem}: {arm}: p {p}'
        for words in ('better', 'worse'):
            found, arms = re.search(rf' {words}: ([^;]*)', answer), [arm for arm, conclusion, _ in rows if conclusion == words]
            assert bool(found) == bool(arms) and all(f'{arm} (' in found[1] for arm in arms), f'{file.stem}: {words}'


def test_chapters_that_are_named_exist():
    known = {c.stem for c in CHAPTERS} | {c.stem[4:] for c in CHAPTERS}
    texts = [ROOT / 'README.md', *(ROOT / 'docs').glob('*.md')]
    for text in texts:
        for number, name in re.findall(r'\[(\d{3}) (\w+)\]', text.read_text()):
            assert any(k.startswith(number) and k.endswith(f'.{name}') for k in known), f'{text.name}: chapter {number} {name}'


def test_input_yaml_is_the_sixteen_published_settings():
    names = re.findall(r'^(\w+):', (ROOT / 'input.yaml').read_text(), re.M)
    assert names == [r['name'] for r in describe_settings()][:16]
    cfg = load_config(ROOT / 'input.yaml')
    assert isinstance(cfg, TrainConfig) and cfg.path == 'phantoms'


def test_versions_agree():
    from medimagegan import __version__
    assert f'version = {__version__}' in (ROOT / 'settings.ini').read_text()
    assert f'version: {__version__}' in (ROOT / 'CITATION.cff').read_text()


def test_no_star_imports():
    for file in [*(ROOT / 'medimagegan').rglob('*.py'), *(ROOT / 'tests').glob('*.py')]:
        assert not re.search(r'^from .* import \*', file.read_text(), re.M), file.name


def test_the_table_of_faults_in_the_documentation_is_that_of_its_files():
    from medimagegan.evaluate.faults import FAULTS, first_named
    tables = [first_named(pd.read_csv(ROOT / 'experiments' / 'reports' / 'verdict' / f'{name}.csv')) for name in ('isic', 'phantoms')]
    page = (ROOT / 'docs' / 'verdict.md').read_text()
    for fault in FAULTS:
        strengths = [table.loc[fault, n] for table in tables for n in sorted(table)]
        cells = ['missed' if strength == float('inf') else f'{strength:.3g}' for strength in strengths]
        assert f"| {fault} | {' | '.join(cells)} |" in page, fault


def test_the_table_of_late_faults_in_the_documentation_is_that_of_its_files():
    from medimagegan.evaluate.faults import first_named
    from medimagegan.evaluate.late_faults import LATE_FAULTS
    page = (ROOT / 'docs' / 'verdict.md').read_text()
    reports = ROOT / 'experiments' / 'reports' / 'verdict'
    frozen, now = ([first_named(pd.read_csv(reports / f'{name}_late{kind}.csv')) for name in ('isic', 'phantoms')] for kind in ('_frozen', ''))

    def words(strength):
        return 'missed' if strength == float('inf') else f'{strength:.3g}'
    for fault in LATE_FAULTS:
        pairs = [(words(old.loc[fault, n]), words(new.loc[fault, n])) for old, new in zip(frozen, now, strict=True) for n in sorted(old)]
        cells = [old if old == new else f'{old} → {new}' for old, new in pairs]
        assert f"| {fault} | {' | '.join(cells)} |" in page, fault
