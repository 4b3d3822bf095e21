"""The six measures against two independent packages, on the same features, in double precision."""
import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from medimagegan.evaluate.measures import compare_features


def sets(n, n_features=1280, seed=0):
    "Make two sets with the uneven spectrum, the positive values and the outliers of real features; the second is shifted and scaled."
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(64, n_features)) * np.linspace(1, .05, 64)[:, None]
    a, b = (np.abs(rng.standard_t(5, size=(n, 64)) @ mix * scale + shift + rng.normal(0, .3, (n, n_features)))
            for scale, shift in ((.1, .4), (.11, .42)))
    return torch.from_numpy(a), torch.from_numpy(b)


@pytest.mark.parametrize('n', [500, 2000])
def test_agreement_with_torch_fidelity_and_prdc(n):
    fake, real = sets(n)
    mine = {name: value for name, (value, _, _) in compare_features(fake, real, intervals=False).items()}
    theirs = compute_prdc(real.numpy(), fake.numpy(), nearest_k=5)
    statistics = [fid_features_to_statistics(x) for x in (fake, real)]
    theirs['FD'] = fid_statistics_to_metric(*statistics, False)['frechet_inception_distance']
    theirs['KD'] = kid_features_to_metric(fake, real, kid_subsets=1, kid_subset_size=n, verbose=False)['kernel_inception_distance_mean']
    for name, value in theirs.items():
        print(n, name, mine[name], value)
        assert abs(mine[name] - value) <= 1e-3 * abs(value), name
    assert 0 < theirs['precision'] < 1 and 0 < theirs['recall'] < 1 and theirs['coverage'] < 1, 'values that could differ'


def test_intervals_narrow_as_the_root_of_n():
    widths = {}
    for n in (250, 1000):
        fake, real = sets(n, 64)
        _, low, high = compare_features(fake, real)['density']
        widths[n] = high - low
    assert 1.3 < widths[250] / widths[1000] < 3.2
