"""The image cache, used by several processes at once."""
import os
import time

import numpy as np
from conftest import SERVER

from medimagegan.data.cache import map_images

SUM = sum(range(20)) * 3 * 8 * 8


def make_slowly():
    for i in range(20):
        time.sleep(.01)
        yield np.full((3, 8, 8), i, np.uint8)


def map_and_report(cache, out):
    os.environ['MEDIMAGEGAN_CACHE'] = str(cache)
    out.write_text(str(int(map_images('raced', lambda: 'a', (3, 8, 8), make_slowly)[0].sum())))


def test_processes_that_make_one_entry_at_once_agree_although_half_of_them_are_killed(tmp_path, monkeypatch):
    cache = tmp_path / 'cache'
    racers = [SERVER.Process(target=map_and_report, args=(cache, tmp_path / f'{i}')) for i in range(8)]
    for racer in racers:
        racer.start()
    while not list(cache.glob('images/*.new')) and any(racer.is_alive() for racer in racers):
        time.sleep(.01)
    for racer in racers[::2]:
        racer.kill()
    for racer in racers:
        racer.join(60)
    assert [(tmp_path / f'{i}').read_text() for i in range(1, 8, 2)] == [str(SUM)] * 4
    monkeypatch.setenv('MEDIMAGEGAN_CACHE', str(cache))
    assert int(map_images('raced', lambda: 'a', (3, 8, 8), lambda: 1 / 0)[0].sum()) == SUM, 'one good entry is left'
