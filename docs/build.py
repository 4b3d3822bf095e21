"""The generated pages and the site: `python docs/build.py settings | parameters | reports | site`.

`settings` writes docs/settings.md, `parameters` the first cell of experiments/experiment.ipynb, `reports` the answers of the reports of
suites from the tables in them, `site` builds `_site/`."""
import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE, SITE = ROOT / '_site' / 'source', ROOT / '_site'
PAGES = ('recipes', 'data', 'explore', 'metrics', 'verdict', 'architectures', 'ablations', 'classifier_study', 'reliability', 'privacy', 'performance',
         'settings', 'glossary', 'contributing', 'changelog')
ROOMS = ('core', 'data', 'gan', 'evaluate', 'runs', 'studies', 'cli')


def settings_page() -> str:
    "Write the table of all settings as Markdown, from the settings class itself."
    from medimagegan.core.config import describe_settings
    rows = [f"| `{r['name']}` | {r['type']} | {r['default']} | {r['range']} | {r['help']} |" for r in describe_settings()]
    head = ['# Settings', '*Which settings are there, and what do they do?*',
            'The first sixteen are those of the [published study](glossary.md#the-published-study). '
            'An empty default means that it is chosen from the other settings. The same names '
            'work in a YAML file, as options (`--batch_size 8` or `--batch-size 8`) and under papermill (`-p batch_size 8`).',
            '| setting | type | default | range | what it does |\n|---|---|---|---|---|\n' + '\n'.join(rows),
            'This page is generated: `make format` writes it from [140 config](../nbs/140_core.config.ipynb).']
    return '\n\n'.join(head) + '\n'


def write_parameters() -> None:
    "Write the parameters cell of the experiment notebook from the settings class."
    from medimagegan.runs.experiment import parameters_cell
    file = ROOT / 'experiments' / 'experiment.ipynb'
    content = json.loads(file.read_text(encoding='utf-8'))
    cell = next(cell for cell in content['cells'] if 'parameters' in cell['metadata'].get('tags', []))
    cell['source'] = parameters_cell().splitlines(keepends=True)
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')


def page_tables(text: str) -> list:
    "Read the tables of a Markdown page as DataFrames of text."
    import pandas as pd
    tables = []
    for block in re.findall(r'(?:^\|.*\n)+', text, re.M):
        rows = [[cell.strip() for cell in line.strip('|').split(' | ')] for line in block.splitlines()]
        tables.append(pd.DataFrame(rows[2:], columns=rows[0]))
    return tables


def color_warnings(means) -> dict[str, str]:
    "Say for each arm of a table of means how far its colours are off; empty for an arm with right colours."
    from medimagegan.studies.comparison import color_warning
    if 'color ↓' not in means:
        return {}
    levels = {arm: float(cell.split(' ')[0]) for arm, cell in zip(means['arm'], means['color ↓'], strict=True)}
    return {arm: color_warning(error, levels['real vs. real']) for arm, error in levels.items()}


def answer_of_tables(text: str) -> str:
    "Write the answer of a report of a suite from its tables. Needs no run: the tables have the corrected p-values."
    import pandas as pd

    from medimagegan.studies.comparison import describe_differences, primary_metrics
    from medimagegan.studies.cures import describe_cures
    tables, found = page_tables(text), []
    cures = [table for table in tables if 'left' in table]
    for rows in cures:
        counts = rows.assign(**{name: pd.to_numeric(rows[name], errors='coerce') for name in ('seeds', 'failed', 'other', 'copies', 'far', 'left')})
        base = rows['arm'][0]
        found.append(describe_cures(base, counts.assign(arm=counts['arm'].str.removeprefix(f'{base} + '))))
    if cures:
        return ' '.join(found)
    means, rows = (next(table for table in tables if name in table) for name in ('verdicts', 'p (Holm)'))
    base, metric = re.search(r'^Each (?:arm )?against \*(.+)\*, .*, by (\w+):$', text, re.M).groups()
    if f'Against {base} (failed' in text:
        raise ValueError(f'{base} has failed seeds, which the tables do not list: render this report from its runs')
    rows = rows.rename(columns={'p (Holm)': 'p'}).assign(base=base)
    rows = rows.replace('', 'nan')  # one seed has no interval
    rows = rows.astype(dict.fromkeys(('difference', 'low', 'high', 'p'), float) | dict.fromkeys(('seeds', 'failed'), int))
    better = (rows['difference'] > 0) == (primary_metrics()[metric].higher_is_better is not False)
    decided = better.map({True: 'better', False: 'worse'}).where(rows['p'] < .05, 'no evidence').where(rows['low'].notna(), 'cannot say')
    return describe_differences(rows.assign(conclusion=decided), primary_metrics()[metric], warnings=color_warnings(means))


def write_answers(folder: Path) -> list[str]:
    "Write the answers of all reports of suites from their tables, and the index; return the names of those that changed."
    from medimagegan.core.pages import escape_markdown
    from medimagegan.studies.suite_runs import write_index
    changed = []
    for page in sorted(folder.glob('*.md')):
        old = page.read_text(encoding='utf-8')
        if '**Answer.** ' not in old:
            continue
        answer = answer_of_tables(old)
        before, after = old.split('**Answer.** ', 1)
        new = f"{before}**Answer.** {escape_markdown(answer)}\n{after.split(chr(10), 1)[1]}"
        page.write_text(new, encoding='utf-8')
        summary = page.with_suffix('.json')
        about = json.loads(summary.read_text(encoding='utf-8')) | {'answer': answer}
        summary.write_text(json.dumps(about, indent=1), encoding='utf-8')
        changed += [page.stem] if new != old else []
    write_index(folder)
    return changed


def tidy_cell(cell: dict) -> dict | None:
    "Prepare one cell for readers: turn directives into tags, drop cells without content."
    source = ''.join(cell['source'])
    if cell['cell_type'] != 'code':
        return cell
    directives = re.findall(r'^#\|\s*(.*)$', source, re.M)
    body = re.sub(r'^#\|.*\n?', '', source, flags=re.M).strip('\n')
    if not body or 'hide' in directives:
        return None
    imports = all(re.match(r'(from|import|    |\)|$)', line) for line in body.splitlines())
    tags = ['remove-input'] if imports or 'echo: false' in directives else []
    return {**cell, 'source': body, 'metadata': {**cell['metadata'], 'tags': tags}}


def write_chapter(notebook: Path) -> None:
    "Write a chapter for the site, with its title first and its outputs kept."
    content = json.loads(notebook.read_text(encoding='utf-8'))
    cells = [tidy_cell(cell) for cell in content['cells']]
    text = json.dumps({**content, 'cells': [cell for cell in cells if cell]}, ensure_ascii=False)
    (SOURCE / 'chapters' / notebook.name).write_text(text, encoding='utf-8')


SITE_PLACES = (  # (place in the repository, place in the site)
    ('../experiments/reports/', 'reports/'), ('experiments/reports/', 'reports/'), ('../nbs/', 'chapters/'), ('(nbs/', '(chapters/'),
    ('(../docs/', '('), ('(docs/', '('), ('(../models/README.md', '(models.md'), ('(models/README.md', '(models.md'),
    ('](CITATION.cff)', '](index.md)'), ('reports/README.md', 'reports/index.md'))


def site_links(text: str) -> str:
    "Turn links between files of the repository into links between pages of the site."
    for old, new in SITE_PLACES:
        text = text.replace(old, new)
    return text


def public_names(module) -> list[str]:
    "List the names that a chapter exports, in their order, without tables."
    objects = {name: getattr(module, name) for name in module.__all__}
    return [name for name, value in objects.items() if inspect.isfunction(value) or inspect.isclass(value)]


def describe_parameters(function) -> str:
    "Describe the arguments of a function as a Markdown table, from the comments beside them."
    from fastcore.docments import docments
    about = docments(function, full=True)
    rows = []
    for name, entry in about.items():
        if name in ('self', 'cls') or not (entry.get('docment') or name != 'return'):
            continue
        kind = '' if entry['anno'] in (inspect.Parameter.empty, None) else getattr(entry['anno'], '__name__', str(entry['anno']))
        default = '' if entry['default'] is inspect.Parameter.empty or name == 'return' else f'`{entry["default"]!r}`'
        note = ' '.join((entry.get('docment') or '').split())
        cells = (f'**{name}**' if name == 'return' else f'`{name}`', f'`{kind}`' if kind else '', default[:60], note)
        rows.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |')
    return '\n'.join(['| | type | default | |', '|---|---|---|---|', *rows]) if rows else ''


def describe_object(name: str, value) -> list[str]:
    "Describe one class or function: docstring, arguments and, for a class, its public methods."
    parts = [f'## {name}', inspect.cleandoc(value.__doc__ or '')]
    if inspect.isfunction(value):
        return [*parts, describe_parameters(value)]
    for method, inner in vars(value).items():
        if not method.startswith('_') and (inspect.isfunction(inner) or isinstance(inner, property)):
            parts.append(f'**`{method}`** {inspect.cleandoc(inner.__doc__ or "")}')
    return parts


def write_api(notebook: Path) -> str | None:
    "Write the page of one module; return its name, or None for a module without public names."
    module = notebook.stem[4:]
    loaded = importlib.import_module(f'medimagegan.{module}')
    names = public_names(loaded)
    if not names:
        return None
    parts = [f'# {module}', (loaded.__doc__ or '').strip(), f'Source and explanation: [{notebook.stem}](../chapters/{notebook.name})']
    for name in names:
        parts += describe_object(name, getattr(loaded, name))
    (SOURCE / 'api' / f'{module}.md').write_text('\n\n'.join(part for part in parts if part) + '\n', encoding='utf-8')
    return module


def contents(caption: str, entries: list[str]) -> str:
    "Write a table of contents that the sidebar shows."
    return '\n'.join(['```{toctree}', ':hidden:', f':caption: {caption}', ':maxdepth: 1', '', *entries, '```'])


def write_sources() -> None:
    "Write everything that Sphinx reads into one folder."
    shutil.rmtree(SITE, ignore_errors=True)
    for name in ('chapters', 'api'):
        (SOURCE / name).mkdir(parents=True)
    shutil.copy(ROOT / 'docs' / 'conf.py', SOURCE)
    (SOURCE / '_static').mkdir()
    shutil.copy(ROOT / 'docs' / 'site.css', SOURCE / '_static')
    shutil.copytree(ROOT / 'experiments' / 'reports', SOURCE / 'reports', ignore=shutil.ignore_patterns('*.json', '*.html'))
    (SOURCE / 'reports' / 'README.md').rename(SOURCE / 'reports' / 'index.md')
    chapters = sorted((ROOT / 'nbs').glob('[0-9]*.ipynb'))
    for notebook in [*chapters, ROOT / 'nbs' / 'tutorial.ipynb']:
        write_chapter(notebook)
    modules = [name for name in map(write_api, chapters) if name]
    for page in PAGES:
        (SOURCE / f'{page}.md').write_text(site_links((ROOT / 'docs' / f'{page}.md').read_text(encoding='utf-8')), encoding='utf-8')
    (SOURCE / 'models.md').write_text(site_links((ROOT / 'models' / 'README.md').read_text(encoding='utf-8')), encoding='utf-8')
    write_indexes(chapters, modules)


def write_indexes(chapters: list[Path], modules: list[str]) -> None:
    "Write the front page and the lists of chapters, modules and reports."
    index = site_links((ROOT / 'README.md').read_text(encoding='utf-8'))
    guide = contents('Guide', [*PAGES, 'models'])
    index += '\n' + guide + '\n\n' + contents('Reference', ['chapters/index', 'api/index', 'reports/index']) + '\n'
    (SOURCE / 'index.md').write_text(index, encoding='utf-8')
    lines = ['# Chapters', 'The notebooks of `nbs/`, with their outputs. Begin with the [tutorial](tutorial.ipynb).', contents('Start', ['tutorial'])]
    for number, room in enumerate(ROOMS, 1):
        mine = [c for c in chapters if c.name.startswith(str(number))]
        rows = [f"- [{c.stem}]({c.name}): {title_line(c)}" for c in mine]
        lines += [f'## {number} {room}', '\n'.join(rows), contents(f'{number} {room}', [c.stem for c in mine])]
    (SOURCE / 'chapters' / 'index.md').write_text('\n\n'.join(lines) + '\n', encoding='utf-8')
    rows = '\n'.join(f'- [{name}]({name}.md)' for name in modules)
    (SOURCE / 'api' / 'index.md').write_text(f'# API\n\n{rows}\n\n{contents("Modules", modules)}\n', encoding='utf-8')
    reports = SOURCE / 'reports' / 'index.md'
    names = sorted(f.stem for f in (SOURCE / 'reports').glob('*.md') if f.stem != 'index')
    reports.write_text(reports.read_text(encoding='utf-8') + '\n' + contents('Reports', names) + '\n', encoding='utf-8')


def title_line(notebook: Path) -> str:
    "Return the sentence under a chapter's title."
    first = ''.join(json.loads(notebook.read_text(encoding='utf-8'))['cells'][0]['source'])
    return first.split('> ', 1)[1].strip().replace('\n', ' ')


def build_site() -> int:
    "Build the site; every warning, such as a link without a target, is an error."
    write_sources()
    words = [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q', '-j', '2', '-b', 'html', '-d', str(SITE / 'doctrees'), str(SOURCE), str(SITE / 'html')]
    code = subprocess.run(words).returncode
    print(f'site: {SITE / "html" / "index.html"}' if code == 0 else 'the site was not built: the warnings are above')
    return code


if __name__ == '__main__':
    if sys.argv[1:] == ['settings']:
        (ROOT / 'docs' / 'settings.md').write_text(settings_page(), encoding='utf-8')
    elif sys.argv[1:] == ['parameters']:
        write_parameters()
    elif sys.argv[1:] == ['reports']:
        print('changed answers:', ', '.join(write_answers(ROOT / 'experiments' / 'reports')) or 'none')
    elif sys.argv[1:] == ['site']:
        sys.exit(build_site())
    else:
        sys.exit('usage: python docs/build.py settings | parameters | reports | site')
