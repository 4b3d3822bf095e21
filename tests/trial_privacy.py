"""Measure what the perceptual hashes of a released table give away: `python tests/trial_privacy.py FOLDER`.

Draws 200 images of a folder back from their hashes, with the mean coefficients of 200 others, and compares with the originals."""
import sys

import numpy as np
from PIL import Image
from scipy.fft import dctn, idctn

from medimagegan.data.datasets import read_folder
from medimagegan.data.duplicates import perceptual_hashes


def correlations(some: np.ndarray, others: np.ndarray) -> np.ndarray:  # (N, P), (M, P) to (N, M)
    some, others = ((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) for x in (some, others))
    return some @ others.T / some.shape[1]


def draw_back(bits: np.ndarray, known_bits: np.ndarray, known: np.ndarray) -> np.ndarray:  # (N, 1024)
    "Draw images of 32 pixels from their bits (N, 16, 16): each coefficient is the mean of those known with the same bit."
    means = [np.where(known_bits == bit, known, 0).sum(0) / np.maximum(1, (known_bits == bit).sum(0)) for bit in (False, True)]
    coefficients = np.zeros((len(bits), 32, 32))
    coefficients[:, :16, :16] = np.where(bits, means[1], means[0])
    return idctn(coefficients, axes=(1, 2)).reshape(len(bits), -1)


def trial(folder: str, n: int = 200) -> dict:
    "Return the correlations with the originals, those of the mean image, and how often the original is the most similar of n."
    data = read_folder(folder, 64, 3, n_images=2 * n)
    grey = np.array([np.asarray(Image.fromarray(x).convert('L').resize((32, 32), Image.Resampling.LANCZOS), float)
                     for x in data.images.permute(0, 2, 3, 1).numpy()])
    order = np.random.default_rng(0).permutation(len(grey))
    grey, bits = grey[order], perceptual_hashes(data)[order].reshape(-1, 16, 16)
    known, mine = slice(0, len(grey) - n), slice(len(grey) - n, None)
    drawn = draw_back(bits[mine], bits[known], dctn(grey[known], axes=(1, 2))[:, :16, :16])
    found = correlations(drawn, grey[mine].reshape(n, -1))
    mean = correlations(grey[known].mean(0).reshape(1, -1), grey[mine].reshape(n, -1))
    return {'drawn back': np.quantile(found.diagonal(), [.5, .05, .95]).round(2).tolist(), 'mean image': round(float(np.median(mean)), 2),
            'found among others': float((found.argmax(1) == np.arange(n)).mean())}


if __name__ == '__main__':
    print(trial(sys.argv[1]))
