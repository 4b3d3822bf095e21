"""Several processes train one run: real processes, started by torchrun or forked, on the CPU."""
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import SERVER, SMALL, command, flags, launch
from safetensors.torch import load_file

from medimagegan.core.config import TrainConfig
from medimagegan.core.ranks import process_group, rank
from medimagegan.data.imagesets import ImageSet
from medimagegan.data.phantoms import make_phantoms
from medimagegan.runs.folder import RunFolder
from medimagegan.runs.launcher import start_ranks
from medimagegan.data.splits import split_holdout
from medimagegan.gan.step import init_gan
from medimagegan.gan.training import train

SHARED = {'image_size': 32, 'gen_feature_maps': 8, 'dis_feature_maps': 8, 'batch_size': 16, 'num_epochs': 5, 'log_every': 1,
          'precision': 'fp32'}
KINDS = [{**SHARED, 'arch': 'SNGAN', 'loss': 'hinge'}, {**SHARED, 'arch': 'SNGAN', 'augment': ('flip', 'turn', 'shift', 'color', 'cutout')},
         {**SHARED, 'arch': 'DCGAN', 'multi_scale': True}, {**SHARED, 'arch': 'DCGAN', 'loss': 'wgan-gp', 'dis_steps': 2},
         {**SHARED, 'arch': 'SNGAN', 'loss': 'relativistic'}]


def tell_ranks():
    "Say to each of two processes what any launcher says: who they are and where they meet."
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        meet = {'WORLD_SIZE': '2', 'LOCAL_WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(free.getsockname()[1])}
    return [{**meet, 'RANK': str(i), 'LOCAL_RANK': str(i)} for i in range(2)]


def start_two(words, folder):
    "Start the program as two ranks; return the processes."
    said = [folder / f'rank{i}' for i in range(2)]
    for each in said:
        each.mkdir()
    return [launch(words, folder, each, **told) for each, told in zip(said, tell_ranks(), strict=True)]


def train_kinds(told, folder):
    "Train all `KINDS` as one rank, in a process of its own, and keep what came out."
    os.environ.update(told)
    torch.set_num_threads(1)
    with process_group(torch.device('cpu')):
        for i, settings in enumerate(KINDS):
            cfg = TrainConfig(**settings)
            gan = init_gan(cfg)
            records = list(train(gan, make_phantoms(64, cfg.image_size), cfg))
            torch.save({'generator': gan.generator.state_dict(), 'discriminator': gan.discriminator.state_dict(), 'ema': gan.ema.state_dict(),
                        'rng': gan.rng.get_state(), 'records': records}, f'{folder}/{i}-{rank()}.pt')


def check_ranks(settings, ranks):
    cfg = TrainConfig(**settings)
    alone = init_gan(cfg)
    records = pd.DataFrame(train(alone, make_phantoms(64, 32), cfg))
    for network in ('generator', 'discriminator', 'ema'):
        for name, weight in ranks[0][network].items():
            assert torch.equal(weight, ranks[1][network][name]), f'{settings}: {network} {name}: the ranks differ'
    assert torch.equal(ranks[0]['rng'], alone.rng.get_state())
    # the first steps agree up to rounding; later ones drift, because Adam's first step is the sign of the gradient, however small it is
    ours = pd.DataFrame(ranks[0]['records'])
    for steps, tolerance in ((3, 2e-5), (20, 2e-3)):
        for name in ('d_loss', 'g_loss', 'd_real', 'd_fake', 'penalty'):
            apart = (ours[name] - records[name])[:steps].abs().max()
            assert apart < tolerance * max(1, records[name].abs().max()), f'{settings}: {name} after {steps} steps: {apart:.1e}'
    start = init_gan(cfg)
    for network in ('generator', 'discriminator'):
        moved, apart = [], []
        for name, weight in getattr(alone, network).named_parameters():
            moved.append((weight - getattr(start, network).get_parameter(name)).abs().flatten())
            apart.append((ranks[0][network][name] - weight).abs().flatten())
        assert torch.cat(apart).mean() < .1 * torch.cat(moved).mean(), f'{settings}: {network}'


def test_two_ranks_of_8_are_one_of_16(tmp_path):
    torch.set_num_threads(1)
    ranks = [SERVER.Process(target=train_kinds, args=(told, tmp_path)) for told in tell_ranks()]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(300)
    assert [process.exitcode for process in ranks] == [0, 0]
    for i, settings in enumerate(KINDS):
        check_ranks(settings, [torch.load(tmp_path / f'{i}-{rank}.pt') for rank in range(2)])


def test_a_run_under_torchrun_goes_on_alone_and_back(medimagegan, tmp_path):
    program = (sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', '--no-python', '--',
               Path(sys.executable).parent / 'medimagegan')
    settings = {**SMALL, 'arch': 'SNGAN', 'out': 'runs', 'score_every': 1, 'log_every': 1, 'precision': 'fp32', 'n_images': 80}
    said = command(*program, 'train', *flags(**settings, run='two'), cwd=tmp_path).stdout
    assert said.count('report: ') == 1 and said.count('images to train on') == 1 and '2 × cpu' in said
    medimagegan('train', *flags(**settings, run='one'))
    histories = [pd.read_csv(tmp_path / 'runs' / name / 'history.csv') for name in ('one', 'two')]
    assert list(histories[0]['step']) == list(histories[1]['step'])
    apart = (histories[0] - histories[1]).abs()
    signs = ['sign_real', 'sign_fake', 'separation']  # they jump where a logit is near 0
    assert apart.drop(columns=signs).to_numpy().max() < 1e-2 and apart[signs].to_numpy().mean() < .05
    weights = [load_file(tmp_path / 'runs' / name / 'generator.safetensors') for name in ('one', 'two')]
    for name, weight in weights[0].items():
        assert (weight.float() - weights[1][name].float()).abs().mean() < 1e-3, name
    # one process resumes the checkpoint of two ranks: training had ended, so it only scores again
    (tmp_path / 'runs' / 'two' / 'scores.json').unlink()
    before = (tmp_path / 'runs' / 'two' / 'generator.safetensors').read_bytes()
    medimagegan('train', *flags(**settings, run='two'))
    assert (tmp_path / 'runs' / 'two' / 'generator.safetensors').read_bytes() == before


def test_a_budget_ends_all_ranks_after_the_same_step(tmp_path):
    settings = {**SMALL, 'num_epochs': 1_000_000, 'budget_minutes': .03, 'score_every': 0, 'log_every': 1, 'out': 'runs', 'run': 'two'}
    ranks = start_two(['train', *flags(**settings)], tmp_path)
    for process in ranks:
        process.join(300)
    assert [process.exitcode for process in ranks] == [0, 0]
    folder = RunFolder(tmp_path / 'runs' / 'two')
    assert 1.8 <= folder.timing['seconds'].sum() <= 1.8 + folder.timing['seconds'].max()
    assert folder.scores['stopped'] is False and folder.scores['epoch'] == folder.timing['epoch'].iloc[-1]


def test_a_batch_that_cannot_be_shared_is_refused_once(tmp_path):
    settings = {**SMALL, 'batch_size': 7, 'out': 'runs', 'run': 'odd'}
    ranks = start_two(['train', *flags(**settings)], tmp_path)
    ranks[0].join(60)
    assert ranks[0].exitcode == 2
    ranks[1].kill()  # as a launcher does when one process has failed
    ranks[1].join()
    line = 'batch_size: 7 images per batch cannot be divided among 2 processes: expected a multiple of 2'
    assert [(tmp_path / f'rank{i}' / 'err').read_text().count(line) for i in range(2)] == [1, 0]
    assert not (tmp_path / 'runs').exists()


def test_a_failure_of_processes_started_here_is_said_and_leaves_nothing(tmp_path, capfd):
    cfg = TrainConfig(**{**SMALL, 'batch_size': 7, 'out': str(tmp_path / 'runs'), 'run': 'odd'})
    with pytest.raises(ChildProcessError, match='one of the 2 processes failed'):
        start_ranks(cfg, 2, print)
    assert capfd.readouterr().err.count('batch_size: 7 images per batch cannot be divided among 2 processes') == 1
    assert not (tmp_path / 'runs').exists()


def test_rows_of_a_part_are_what_the_whole_holds():
    data = make_phantoms(40, 32)
    train_set = data.subset(split_holdout(data, .2)[0])
    assert isinstance(train_set, ImageSet) and train_set.store is data.store  # no second copy in memory
    assert torch.equal(torch.cat(list(train_set.split(7))), train_set.images)
    twice = train_set.subset([3, 1]).subset([1])
    assert twice.files == (train_set.files[1],) and torch.equal(twice.images[0], train_set[1:2][0])
    assert replace(twice, rows=None, labels=data.labels).images is data.store
