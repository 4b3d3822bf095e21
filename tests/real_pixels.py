"""Find real images in the pictures of a page: every tile, also flipped, resized or saved as JPEG."""
import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

SIDES = (.5, .75, 1, 1.5, 2)  # Sides of a tile that are tried, in shares of the side of a real image
GRID = 4  # Places are found by the means of so many cells a side, then compared pixel by pixel
TOLERANCE = 30.  # Root mean square difference in levels of 255: JPEG and resizing give up to 26, another image 52 and more


def make_patients(n: int, side: int, seed: int = 0) -> torch.Tensor:  # (n, 3, side, side), uint8
    "Make images that differ a lot from each other: random colours at 5 × 5 places, and grain."
    rng = torch.Generator().manual_seed(seed)
    colours = F.interpolate(torch.rand(n, 3, 5, 5, generator=rng), (side, side), mode='bicubic').clamp(0, 1)
    return (240 * colours + 15 * torch.rand(n, 3, side, side, generator=rng)).to(torch.uint8)


def write_patients(folder: Path, n: int, side: int = 32) -> torch.Tensor:  # (n, 3, side, side), floats of 0 to 255
    "Write such images under names that identify a person; the name of the first is a formula."
    images = make_patients(n, side)
    folder.mkdir()
    for i, image in enumerate(images):
        name = '=1+1.png' if i == 0 else f'Doe_Jane_{i:03d}_1970.png'
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name)
    return images.float()


def pictures_in(file: Path) -> list[Image.Image]:
    "Decode every picture of a file: PNG, JPEG, data URLs in HTML and Markdown, outputs and attachments of a notebook."
    if file.suffix in ('.png', '.jpg', '.jpeg'):
        return [Image.open(file).convert('RGB')]
    if file.suffix not in ('.html', '.md', '.ipynb', '.json', '.svg', '.csv'):
        return []
    text = file.read_text(encoding='utf-8')
    for data in re.findall(r'data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)', text):
        text += base64.b64decode(data).decode('utf-8', 'ignore')  # a drawing may hold pictures
    found = re.findall(r'data:image/(?:png|jpe?g|gif|webp|bmp|tiff);base64,([A-Za-z0-9+/=\s\\]+)', text)
    if file.suffix == '.ipynb':
        cells = json.loads(text)['cells']
        bundles = [out.get('data', {}) for cell in cells for out in cell.get('outputs', [])]
        bundles += [bundle for cell in cells for bundle in cell.get('attachments', {}).values()]
        found += [''.join(data) for bundle in bundles for kind, data in bundle.items() if kind.startswith('image/') and 'svg' not in kind]
    return [Image.open(io.BytesIO(base64.b64decode(data.replace('\\n', '')))).convert('RGB') for data in found if data.strip()]


def orientations(images: torch.Tensor) -> torch.Tensor:  # (8 N, C, H, W)
    turned = torch.cat([images.rot90(k, (2, 3)) for k in range(4)])
    return torch.cat([turned, turned.flip(3)])


def best_matches(picture: Image.Image, reals: torch.Tensor) -> np.ndarray:  # reals: (N, 3, side, side), floats of 0 to 255
    "Return for each real image its least root mean square difference to any place of a picture, in levels of 255."
    shown = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float()
    views, best = orientations(reals), np.full(len(reals), 255.)
    for side in (round(reals.shape[-1] * share) for share in SIDES):
        if min(shown.shape[2:]) < side:
            continue
        cell = max(1, side // GRID)
        small = F.interpolate(views, (side, side), mode='area' if side < reals.shape[-1] else 'bilinear')
        means = F.avg_pool2d(small, cell)[:, :, :GRID, :GRID].flatten(1)
        cells = F.unfold(F.avg_pool2d(shown, cell, stride=1), GRID, dilation=cell)[0]  # (3 GRID², places)
        wide = shown.shape[3] - cell + 1 - cell * (GRID - 1)
        lengths, least = cells.square().sum(0), []
        for start in range(0, cells.shape[1], 65_536):
            coarse = lengths[start:start + 65_536] - 2 * means @ cells[:, start:start + 65_536]
            least.append((coarse.min(1).values, coarse.argmin(1) + start))
        values, places = (torch.stack(parts) for parts in zip(*least, strict=True))
        for view, place in enumerate(places.gather(0, values.argmin(0)[None])[0].tolist()):
            y, x = divmod(place, wide)
            tile = shown[0, :, y:y + side, x:x + side]
            if tile.shape[1:] == (side, side):
                best[view % len(reals)] = min(best[view % len(reals)], (tile - small[view]).square().mean().sqrt().item())
    return best


def count_reals(picture: Image.Image, reals: torch.Tensor) -> int:
    "Count the real images that a picture shows anywhere, at one of `SIDES`, in any orientation."
    return int((best_matches(picture, reals) < TOLERANCE).sum())


def reals_in(file: Path, reals: torch.Tensor) -> int:
    "Count the real images in all pictures of a file."
    return sum(count_reals(picture, reals) for picture in pictures_in(file))
