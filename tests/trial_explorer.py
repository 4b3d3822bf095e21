"""The explorer and the watch view in a real JupyterLab, in headless Chromium: `python tests/trial_explorer.py [RUN] [--out DIR]`.

It needs `chromium` (or `chrome`), `node` and the package `playwright-core` (`npm install playwright-core`, found through NODE_PATH or in the
current folder). Without one of them it says so and ends. It opens a notebook, runs all cells, moves a slider with the arrow keys, sees the
picture change, and fails on an error of the page or on a request to another host. Pictures of what was seen are written to DIR."""
import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import nbformat

PROGRAM = '''
const {chromium} = require('playwright-core');
const [url, browser, out] = process.argv.slice(1);
(async () => {
  const started = await chromium.launch({executablePath: browser, args: ['--no-sandbox']});
  const page = await started.newPage({viewport: {width: 1500, height: 1500}});
  const errors = [], outside = [];
  page.on('pageerror', e => errors.push(String(e)));
  page.on('request', r => { const u = new URL(r.url());
    if (!['127.0.0.1', 'localhost', ''].includes(u.hostname)) outside.push(r.url()); });
  await page.goto(url);
  await page.waitForSelector('.jp-Notebook', {timeout: 60000});
  await page.waitForTimeout(1500);
  await page.keyboard.press('Escape');
  await page.click('text=Run >> nth=0');
  await page.click('text=Run All Cells');
  await page.waitForSelector('.widget-image', {timeout: 120000});
  await page.waitForFunction(() => document.querySelectorAll('.widget-image').length >= 3, null, {timeout: 60000});
  await page.waitForSelector('text=| Idle', {timeout: 60000});
  const images = () => page.$$eval('.widget-image', all => all.map(i => i.src));
  const sliders = await page.$$('.widget-slider .noUi-handle');
  const before = await images();
  await page.screenshot({path: out + '/explorer_before.png'});
  await sliders[1].focus();
  const began = Date.now();
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(old => [...document.querySelectorAll('.widget-image')].some((i, k) => i.src !== old[k]), before, {timeout: 20000});
  const ms = Date.now() - began;
  for (let i = 0; i < 9; i++) { await page.keyboard.press('ArrowRight'); await page.waitForTimeout(300); }
  await page.click('text=nearest training image');
  await page.waitForSelector('text=Nearest training image:', {timeout: 60000});
  await page.waitForTimeout(500);
  const after = await images();
  await page.screenshot({path: out + '/explorer_after.png'});
  await page.evaluate(() => [...document.querySelectorAll('.widget-image')].pop().scrollIntoView({block: 'end'}));
  await page.waitForTimeout(1500);
  await page.screenshot({path: out + '/watch.png'});
  console.log(JSON.stringify({changed: before.filter((x, i) => x !== after[i]).length, ms, errors, outside, pictures: after.length}));
  await started.close();
})().catch(e => { console.error(String(e)); process.exit(1); });
'''


def find_tools():
    "Find the browser and node; return None for what is missing."
    browser = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome'))), None)
    node = shutil.which('node')
    ready = node and subprocess.run([node, '-e', "require('playwright-core')"], capture_output=True).returncode == 0
    return browser, node if ready else None


def make_run(folder):
    "Train a run of 64 pixels for two epochs on phantoms."
    words = {'image_size': 64, 'gen_feature_maps': 16, 'dis_feature_maps': 16, 'n_images': 200, 'num_epochs': 2, 'n_gpu': 0, 'conditional': True,
             'score_images': 16, 'curve_images': 8, 'out': folder, 'run': 'demo'}
    flags = [word for name, value in words.items() for word in (f'--{name}', str(value))]
    subprocess.run([sys.executable, '-m', 'medimagegan', 'train', *flags, '--quiet'], check=True)
    return Path(folder) / 'demo'


def write_notebook(folder, run):
    "Write the notebook that is opened."
    cells = ['from medimagegan import explore, watch', f'explore({str(run)!r})', f'watch({str(run)!r})']
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells], metadata={
        'kernelspec': {'name': 'python3', 'display_name': 'Python 3', 'language': 'python'}}), folder / 'explore.ipynb')


@contextlib.contextmanager
def jupyter_lab(folder):
    "Start JupyterLab, and yield its address."
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    words = [sys.executable, '-m', 'jupyterlab', '--no-browser', f'--port={port}', '--ip=127.0.0.1', '--IdentityProvider.token=', '--allow-root',
             '--LabApp.news_url=None', '--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate', f'--ServerApp.root_dir={folder}']
    with open(folder / 'lab.log', 'w') as log, subprocess.Popen(words, stdout=log, stderr=log, cwd=folder) as lab:
        try:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f'http://127.0.0.1:{port}/api', timeout=1)
                    break
                time.sleep(.2)
            yield f'http://127.0.0.1:{port}/lab/tree/explore.ipynb?reset'
        finally:
            lab.terminate()
            lab.wait(20)


def main():
    "Look at the explorer, and print what was seen."
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run', nargs='?', help='A run folder; left out: a small one is trained')
    parser.add_argument('--out', default='.', help='Where the pictures go')
    parser.add_argument('--full', action='store_true', help='As the other trials; changes nothing')
    chosen = parser.parse_args()
    browser, node = find_tools()
    if not browser or not node:
        print(f"skipped: found no {'Chromium' if not browser else 'playwright-core'}: "
              + ('apt-get install chromium' if not browser else 'npm install playwright-core, and set NODE_PATH'))
        return
    with tempfile.TemporaryDirectory() as d:
        folder, out = Path(d), Path(chosen.out).absolute()
        out.mkdir(parents=True, exist_ok=True)
        run = Path(chosen.run).absolute() if chosen.run else make_run(folder)
        write_notebook(folder, run)
        with jupyter_lab(folder) as url:
            done = subprocess.run([node, '-e', PROGRAM, url, browser, str(out)], capture_output=True, text=True, timeout=400, env=os.environ)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(seen, indent=1))
    assert seen['changed'] >= 1 and not seen['errors'] and not seen['outside'], 'see above'
    print(f'pictures: {out}')


if __name__ == '__main__':
    main()
