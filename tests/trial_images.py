"""Trial of the image readers: a golden set whose pixels are known, and hundreds of odd and broken files.

`python tests/trial_images.py [--full]` prints `N tried, N held`. Pixels of the golden set are computed here,
without any of the code under test. Every other file must be read, or listed with a reason, with nothing on standard error. Where the
outcome is known beforehand (an empty file; a JPEG called .png), it must be that one. No output may contain the name of a patient."""
import faulthandler
import gzip
import io
import os
import shutil
import struct
import sys
import tempfile
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path

import gdcm
import nibabel
import numpy as np
import tifffile
from PIL import Image, ImageCms
from pydicom import Dataset, FileMetaDataset, uid

from medimagegan.data.datasets import read_folder
from medimagegan.data.images import read_image

SECRETS = ('Secretjane', 'PID-9-SECRET', '19551231', 'Wardsecret')
SIDE = 24
Y, X = np.mgrid[:SIDE, :SIDE]
RGB = np.stack([X * 10, Y * 10, (X * Y) % 256], 2).astype(np.uint8)
GREY = (X * 7 + Y * 3).astype(np.uint8)  # 0 to 230
DEEP = (X * 1900 + Y * 900).astype(np.uint16)  # 0 to 64,400
TWELVE = (X * 113 + Y * 60).astype(np.uint16)  # 0 to 3,979


def scan(values, planes=None, **elements):
    "Make a DICOM data set with the fields of a patient."
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = uid.SecondaryCaptureImageStorage, '1.2.3.4', '1.2.3.99'
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.InstitutionName = 'Doe^Secretjane', 'PID-9-SECRET', '19551231', 'Wardsecret'
    bits = values.dtype.itemsize * 8
    ds.Rows, ds.Columns = values.shape[:2]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = (3, 'RGB') if values.ndim == 3 else (1, 'MONOCHROME2')
    if values.ndim == 3:
        ds.PlanarConfiguration = planes or 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits, bits - 1, int(values.dtype.kind == 'i')
    ds.PixelData = (values.transpose(2, 0, 1) if planes else values).tobytes()
    ds['PixelData'].VR = 'OW'
    for name, value in elements.items():
        setattr(ds, name, value)
    if 'BitsStored' in elements:
        ds.HighBit = ds.BitsStored - 1
    return ds


def file_of(ds, syntax=uid.ExplicitVRLittleEndian):
    "Return the bytes of a data set's file."
    ds.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True, implicit_vr=syntax == uid.ImplicitVRLittleEndian,
               little_endian=syntax != uid.ExplicitVRBigEndian)
    return out.getvalue()


def packed(ds, how):
    "Compress the data set to one of GDCM's transfer syntaxes."
    with tempfile.TemporaryDirectory() as d:
        Path(d, 'a').write_bytes(file_of(ds))
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(f'{d}/a')
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, how)))
        change.SetInput(reader.GetImage())
        assert change.Change(), how
        writer.SetFile(reader.GetFile())
        writer.SetFileName(f'{d}/b')
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return Path(d, 'b').read_bytes()


def picture(values, kind='PNG', **options):
    out = io.BytesIO()
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(out, kind, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(width, height, depth, colour, lines, *more):
    "Write a PNG byte by byte."
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)) + b''.join(more)
            + chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))


def tiff(values, bits, white_is_zero=False, order='<'):
    "Write a grey TIFF byte by byte; `values` are bytes."
    tags = [(256, SIDE), (257, SIDE), (258, bits), (259, 1), (262, 0 if white_is_zero else 1), (273, 8), (277, 1), (278, SIDE),
            (279, len(values))]
    start = 8 + len(values) + len(values) % 2
    table = b''.join(struct.pack(order + 'HHI', tag, 4, 1) + struct.pack(order + 'I', value) for tag, value in tags)
    return ((b'II*\0' if order == '<' else b'MM\0*') + struct.pack(order + 'I', start) + values + b'\0' * (len(values) % 2)
            + struct.pack(order + 'H', len(tags)) + table + bytes(4))


def stretched(values):
    "Map the 0.5th to 99.5th percentile of values to 0 to 255."
    low, high = np.percentile(values.astype(float), [.5, 99.5])
    return np.floor(((values.astype(float) - low) / (high - low)).clip(0, 1) * 255 + .5)


def pack12(values):
    "Pack two 12-bit numbers into three bytes."
    a, b = values.reshape(-1, 2).astype(int).T
    return np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], 1).astype(np.uint8).tobytes()


def tiff_of(values, **options):
    "Return the bytes of a TIFF as tifffile writes it."
    out = io.BytesIO()
    tifffile.imwrite(out, np.ascontiguousarray(values), **options)
    return out.getvalue()


def nifti(values, affine=None):
    "Return the bytes of a compressed NIfTI volume."
    return gzip.compress(nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine).to_bytes())


def bmp(bits, compression, lines, header=40, masks=(), palette=b'', height=SIDE):
    "Write a BMP byte by byte; `lines` are its pixels, the last line first."
    start = 14 + header + (4 * len(masks) if header == 40 else 0) + len(palette)
    words = struct.pack('<IiiHHIIiiII', header, SIDE, height, 1, bits, compression, len(lines), 0, 0, len(palette) // 4, 0)
    words += struct.pack(f'<{len(masks)}I', *masks)
    return b'BM' + struct.pack('<IHHI', start + len(lines), 0, 0, start) + words.ljust(max(header, len(words)), b'\0') + palette + lines


def exif(tag):
    "Make a PNG with an orientation tag; turned upright it equals RGB."
    undo = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.transpose(1, 0, 2),
            6: lambda a: np.rot90(a), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: np.rot90(a, -1)}[tag]
    wide = np.ascontiguousarray(undo(RGB))
    said = Image.Exif()
    said[0x0112] = tag
    return picture(wide, exif=said)


def golden():
    "Return {name: (bytes, pixels (SIDE, SIDE) or (SIDE, SIDE, 3), greatest error)} of 50 files."
    lines = lambda a: b''.join(b'\0' + row.tobytes() for row in a)  # noqa: E731
    alpha = ((X + Y) * 5).astype(np.uint8)
    over = np.rint(RGB.astype(float) * alpha[..., None] / 255)
    holes = np.where((GREY < 100)[..., None], 0, GREY[..., None].repeat(3, 2))
    scaled = lambda values, most: np.rint(values.astype(float) * 255 / most)  # noqa: E731
    table = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)
    palette = Image.frombytes('P', (SIDE, SIDE), GREY.tobytes())
    palette.putpalette(table.tobytes())
    cmyk = Image.frombytes('CMYK', (SIDE, SIDE), np.dstack([RGB, 0 * GREY]).tobytes())
    found = {
        'rgb.png': (picture(RGB), RGB, 0), 'grey.png': (picture(GREY), GREY, 0), 'rgb.bmp': (picture(RGB, 'BMP'), RGB, 0),
        'rgb.tif': (picture(RGB, 'TIFF'), RGB, 0), 'rgb.webp': (picture(RGB, 'WEBP', lossless=True), RGB, 0),
        'grey.jpg': (picture(GREY, 'JPEG', quality=100), GREY, 2), 'png called.jpg': (picture(RGB), RGB, 0),
        'gif called.png': (picture(GREY, 'GIF'), GREY, 0), 'picture called.dcm': (picture(RGB), RGB, 0),
        'bit.png': (picture(Image.fromarray(GREY > 99)), 255 * (GREY > 99), 0),
        'palette.png': (picture(palette), table[GREY], 0), 'cmyk.tif': (picture(cmyk, 'TIFF'), 255 - RGB, 0),
        'alpha.png': (picture(np.dstack([RGB, alpha])), over, 1),
        'grey alpha.png': (png(SIDE, SIDE, 8, 4, lines(np.dstack([GREY, alpha]))), np.rint(GREY / 255. * alpha), 1),
        'holes.png': (png(SIDE, SIDE, 8, 3, lines(GREY), chunk(b'PLTE', np.arange(256, dtype=np.uint8).repeat(3).tobytes()),
                          chunk(b'tRNS', bytes(100) + b'\xff' * 156)), holes, 0),
        'key.png': (png(SIDE, SIDE, 8, 2, lines(RGB), chunk(b'tRNS', struct.pack('>HHH', *RGB[5, 7]))),
                    np.where((abs(RGB.astype(int) - RGB[5, 7]) == 0).all(2)[..., None], 0, RGB), 0),
        'deep.png': (png(SIDE, SIDE, 16, 0, lines(DEEP.astype('>u2'))), scaled(DEEP, 65535), 0),
        'deep key.png': (png(SIDE, SIDE, 16, 0, lines(DEEP.astype('>u2')), chunk(b'tRNS', struct.pack('>H', DEEP[9, 9]))),
                         np.where(abs(DEEP.astype(int) - DEEP[9, 9]) == 0, 0, scaled(DEEP, 65535)), 0),
        'deep colour.png': (png(SIDE, SIDE, 16, 2, lines(RGB.astype('>u2') * 257)), RGB, 0),
        'deep.tif': (tiff(DEEP.tobytes(), 16), scaled(DEEP, 65535), 0),
        'deep motorola.tif': (tiff(DEEP.astype('>u2').tobytes(), 16, order='>'), scaled(DEEP, 65535), 0),
        'deep white is 0.tif': (tiff(DEEP.tobytes(), 16, True), scaled(65535 - DEEP.astype(int), 65535), 0),
        'white is 0.tif': (tiff(GREY.tobytes(), 8, True), 255 - GREY.astype(int), 0),
        'twelve.tif': (tiff(pack12(TWELVE), 12), scaled(TWELVE, 4095), 0),
        **{f'exif {tag}.png': (exif(tag), RGB, 0) for tag in range(1, 9)}}
    twelve, hounsfield = {'BitsStored': 12}, TWELVE.astype(int) - 1024
    window = {'RescaleSlope': 1, 'RescaleIntercept': -1024, 'WindowCenter': [500, 9], 'WindowWidth': [2000, 9]}
    linear = np.floor(((hounsfield - 499.5) / 1999 + .5).clip(0, 1) * 255 + .5)
    exact = np.floor(((hounsfield - 500) / 2000 + .5).clip(0, 1) * 255 + .5)
    sigmoid = np.floor(255 / (1 + np.exp(-4 * (hounsfield - 500) / 2000)) + .5)
    curve = Dataset()
    curve.LUTDescriptor, curve.LUTData = [4096, 0, 16], (np.arange(4096)[::-1] * 16).astype(np.uint16).tobytes()
    curve['LUTDescriptor'].VR, curve['LUTData'].VR, curve.ModalityLUTType = 'US', 'OW', 'US'
    signed = (TWELVE.astype(np.int16) - 2048)
    tables = {f'{c}PaletteColorLookupTable{part}': value for i, c in enumerate(('Red', 'Green', 'Blue')) for part, value in
              (('Descriptor', [256, 0, 16]), ('Data', (table[:, i].astype(np.uint16) * 257).tobytes()))}
    # the colour conversion of JFIF, in integers (ITU-T T.871)
    r, g, b = RGB.astype(float).transpose(2, 0, 1)
    ybr = np.rint(np.dstack([.299 * r + .587 * g + .114 * b, -.168736 * r - .331264 * g + .5 * b + 128,
                             .5 * r - .418688 * g - .081312 * b + 128])).clip(0, 255).astype(np.uint8)
    inverse = {'PhotometricInterpretation': 'MONOCHROME1'}
    full = stretched(TWELVE)
    return found | {
        'grey.dcm': (file_of(scan(GREY)), GREY, 0), 'IM0001': (file_of(scan(GREY)), GREY, 0), '1.2.840.99': (file_of(scan(GREY)), GREY, 0),
        'inverse.dcm': (file_of(scan(GREY, **inverse)), 255 - GREY.astype(int), 0),
        'deep.dcm': (file_of(scan(DEEP)), stretched(DEEP), 0), 'twelve.dcm': (file_of(scan(TWELVE, **twelve)), full, 0),
        'twelve inverse.dcm': (file_of(scan(TWELVE, **twelve, **inverse)), 255 - full, 1),
        'unused bits.dcm': (file_of(scan(TWELVE | 0x5000, **twelve)), full, 0),
        'signed.dcm': (file_of(scan(signed, **twelve)), full, 0),
        'implicit.dcm': (file_of(scan(TWELVE, **twelve), uid.ImplicitVRLittleEndian), full, 0),
        'big endian.dcm': (file_of(scan(TWELVE.astype('>u2'), **twelve), uid.ExplicitVRBigEndian), full, 0),
        'window.dcm': (file_of(scan(TWELVE, **twelve, **window)), linear, 0),
        'window inverse.dcm': (file_of(scan(TWELVE, **twelve, **window, **inverse)), 255 - linear, 1),
        'exact.dcm': (file_of(scan(TWELVE, **twelve, **window, VOILUTFunction='LINEAR_EXACT')), exact, 0),
        'sigmoid.dcm': (file_of(scan(TWELVE, **twelve, **window, VOILUTFunction='SIGMOID')), sigmoid, 0),
        'no width.dcm': (file_of(scan(TWELVE, **twelve, WindowCenter=0, WindowWidth=0)), full, 0),
        'curve.dcm': (file_of(scan(TWELVE, **twelve, VOILUTSequence=[curve])), scaled((4095 - TWELVE.astype(int)) * 16, 65535), 0),
        'modality.dcm': (file_of(scan(TWELVE, **twelve, ModalityLUTSequence=[curve])), stretched((4095 - TWELVE.astype(int)) * 16), 0),
        'rgb.dcm': (file_of(scan(RGB)), RGB, 0), 'planes.dcm': (file_of(scan(RGB, planes=1)), RGB, 0),
        'ybr.dcm': (file_of(scan(ybr, PhotometricInterpretation='YBR_FULL')), RGB, 2),
        'palette.dcm': (file_of(scan(GREY, PhotometricInterpretation='PALETTE COLOR', **tables)), table[GREY], 0),
        'rle.dcm': (packed(scan(TWELVE, **twelve), 'RLELossless'), full, 0),
        'rle rgb.dcm': (packed(scan(RGB), 'RLELossless'), RGB, 0),
        'jpeg.dcm': (packed(scan(GREY), 'JPEGBaselineProcess1'), GREY, 3),
        'lossless.dcm': (packed(scan(TWELVE, **twelve), 'JPEGLosslessProcess14_1'), full, 0),
        'lossless signed.dcm': (packed(scan(signed), 'JPEGLosslessProcess14_1'), full, 0),
        'jpeg-ls.dcm': (packed(scan(TWELVE, **twelve), 'JPEGLSLossless'), full, 0),
        'jpeg 2000.dcm': (packed(scan(TWELVE, **twelve), 'JPEG2000Lossless'), full, 0),
        'jpeg 2000 signed.dcm': (packed(scan(signed, **twelve), 'JPEG2000Lossless'), full, 0),
        'jpeg 2000 rgb.dcm': (packed(scan(RGB), 'JPEG2000Lossless'), RGB, 0)}


def linear_light():
    "Return an ICC profile with the primaries of sRGB and straight curves."
    whole = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes())
    for i in range(int.from_bytes(whole[128:132], 'big')):
        at = 132 + 12 * i
        if whole[at:at + 4] in (b'rTRC', b'gTRC', b'bTRC'):
            start = int.from_bytes(whole[at + 4:at + 8], 'big')
            whole[start:start + 12] = b'curv' + bytes(8)
    return bytes(whole)


def golden_pictures():
    "Return {name: (bytes, pixels, greatest error)} of pictures that Pillow alone reads wrongly, and of their relatives."
    lines = lambda a: b''.join(b'\0' + row.tobytes() for row in a)  # noqa: E731
    up = lambda a: a[::-1].tobytes()  # noqa: E731
    alpha = ((X + Y) * 5).astype(np.uint8)
    over, dark = np.rint(RGB.astype(float) * alpha[..., None] / 255), np.rint(GREY.astype(float) * alpha / 255)
    deep = RGB.astype(np.uint16) * 257
    table = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16)
    rgb, planes = {'photometric': 'rgb'}, {'photometric': 'rgb', 'planarconfig': 'separate'}
    found = {}
    for name, options in {'': {}, 'lzw': {'compression': 'lzw', 'predictor': True}, 'deflate': {'compression': 'zlib', 'predictor': True},
                          'big': {'byteorder': '>'}, 'tiles': {'tile': (16, 16), 'compression': 'lzw'}, 'strips': {'rowsperstrip': 5},
                          'large': {'bigtiff': True}}.items():
        found[f'planes 16 {name}.tif'] = tiff_of(deep.transpose(2, 0, 1), **planes, **options), RGB, 0
        found[f'colour 16 {name}.tif'] = tiff_of(deep, **rgb, **options), RGB, 0
        found[f'planes 8 {name}.tif'] = tiff_of(RGB.transpose(2, 0, 1), **planes, **options), RGB, 0
        found[f'grey 16 {name}.tif'] = tiff_of(DEEP, photometric='minisblack', **options), np.rint(DEEP.astype(float) * 255 / 65535), 0
    two = np.dstack([GREY, alpha])
    for bits, factor in ((8, 1), (16, 257)):
        four = np.dstack([RGB, alpha]).astype(f'u{bits // 8}') * factor
        found |= {f'opacity {bits}.tif': (tiff_of(four, **rgb, extrasamples=['unassalpha']), over, 1),
                  f'premultiplied {bits}.tif': (tiff_of(np.dstack([over, alpha]).astype(four.dtype) * factor, **rgb,
                                                        extrasamples=['assocalpha']), over, 1),
                  f'opacity planes {bits}.tif': (tiff_of(four.transpose(2, 0, 1), **planes, extrasamples=['unassalpha']), over, 1),
                  f'no opacity {bits}.tif': (tiff_of(four * np.array([1, 1, 1, 0], four.dtype), **rgb, extrasamples=['unassalpha']), RGB, 0),
                  f'unknown channel {bits}.tif': (tiff_of(four, **rgb, extrasamples=['unspecified']), RGB, 0),
                  f'grey opacity {bits}.tif': (tiff_of(two.astype(four.dtype) * factor, photometric='minisblack', planarconfig='contig',
                                                       extrasamples=['unassalpha']), dark, 1),
                  f'cmyk {bits}.tif': (tiff_of(np.dstack([255 - RGB, 0 * GREY]).astype(four.dtype) * factor, photometric='separated'), RGB, 0),
                  f'palette {bits}.tif': (tiff_of(GREY, photometric='palette', colormap=table * (factor if bits == 16 else 1)),
                                          table.T[GREY], 0)}
    half = GREY > 99
    found |= {'bit.tif': (tiff_of(half, photometric='minisblack'), 255 * half, 0), 'white bit.tif': (tiff_of(half, photometric='miniswhite'),
                                                                                                255 * ~half, 0),
              'pages.tif': (tiff_of(np.stack([RGB, 255 - RGB]), **rgb), RGB, 0), 'turned.tif': (
                  tiff_of(np.rot90(RGB), **rgb, extratags=[(274, 'H', 1, 6, True)]), RGB, 0),
              'jpeg.tif': (picture(GREY, 'TIFF', compression='jpeg', quality=100), GREY, 2),
              'fax.tif': (picture(Image.fromarray(half), 'TIFF', compression='group4'), 255 * half, 0)}
    # BMP
    blank = np.dstack([RGB[..., ::-1], 0 * GREY])
    c5, c6 = (RGB >> 3).astype(int), (RGB >> 2).astype(int)
    back5, back6 = np.rint(c5 * 255 / 31), np.rint(c6 * 255 / 63)
    masks = (0xff0000, 0xff00, 0xff, 0xff000000)
    greys = np.arange(256, dtype=np.uint8)[:, None].repeat(4, 1).tobytes()
    runs = b''.join(b''.join(bytes([1, v]) for v in row) + b'\0\0' for row in GREY[::-1].tolist()) + b'\0\1'
    found |= {'blank.bmp': (bmp(32, 0, up(blank)), RGB, 0), 'no opacity.bmp': (bmp(32, 3, up(blank), 108, masks), RGB, 0),
              'opacity.bmp': (bmp(32, 3, up(np.dstack([RGB[..., ::-1], alpha])), 124, masks), over, 1),
              '555.bmp': (bmp(16, 0, up((c5[..., 0] << 10 | c5[..., 1] << 5 | c5[..., 2]).astype('<u2'))), back5, 1),
              '565.bmp': (bmp(16, 3, up((c5[..., 0] << 11 | c6[..., 1] << 5 | c5[..., 2]).astype('<u2')), masks=(0xf800, 0x7e0, 0x1f)),
                          np.dstack([back5[..., 0], back6[..., 1], back5[..., 2]]), 1),
              'runs.bmp': (bmp(8, 1, runs, palette=greys), GREY, 0), 'palette.bmp': (bmp(8, 0, up(GREY), palette=greys), GREY, 0),
              'top down.bmp': (bmp(24, 0, RGB[..., ::-1].tobytes(), height=-SIDE), RGB, 0)}
    # PNG with one transparent level or colour
    for depth in (1, 2, 4):
        levels = (GREY.astype(int) * 2**depth // 256).astype(np.uint8)
        bits = np.unpackbits(levels[..., None], 2)[..., 8 - depth:].reshape(SIDE, -1)
        white = 2**depth - 1
        shown = np.rint(levels * 255. / white)
        found |= {f'key {depth}.png': (png(SIDE, SIDE, depth, 0, lines(np.packbits(bits, 1)), chunk(b'tRNS', struct.pack('>H', white))),
                                       np.where(levels == white, 0, shown), 0),
                  f'key palette {depth}.png': (png(SIDE, SIDE, depth, 3, lines(np.packbits(bits, 1)), chunk(
                      b'PLTE', b''.join(bytes([9 * i + 40, i, 200]) for i in range(white + 1))), chunk(b'tRNS', b'\xff' * white + b'\0')),
                      np.where((levels == white)[..., None], 0, np.dstack([9 * levels + 40, levels, levels * 0 + 200])), 0)}
    odd = deep + (np.arange(3) + X[..., None]).astype(np.uint16) % 200  # the lower bits differ
    key = odd[5, 7].astype(int)
    found |= {'key 16.png': (png(SIDE, SIDE, 16, 2, lines(odd.astype('>u2')), chunk(b'tRNS', struct.pack('>HHH', *key))),
                             np.where((odd == key).all(2)[..., None], 0, odd >> 8), 0),
              'no opacity.png': (picture(np.dstack([RGB, 0 * GREY])), RGB, 0),
              'grey opacity 16.png': (png(SIDE, SIDE, 16, 4, lines(two.astype('>u2') * 257)), dark, 1)}
    # profiles
    light = RGB / 255
    seen = np.where(light <= .0031308, 12.92 * light, 1.055 * light**(1 / 2.4) - .055) * 255
    profile, srgb = linear_light(), ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    found |= {'profile.png': (picture(RGB, icc_profile=profile), seen, 1), 'profile.tif': (tiff_of(RGB, **rgb, iccprofile=profile), seen, 1),
              'profile.webp': (picture(RGB, 'WEBP', lossless=True, icc_profile=profile), seen, 1),
              'profile opacity.png': (picture(np.dstack([RGB, alpha]), icc_profile=profile), seen * alpha[..., None] / 255, 2),
              'profile deep.png': (picture(DEEP, icc_profile=profile), np.rint(DEEP.astype(float) * 255 / 65535), 0),
              'srgb.png': (picture(RGB, icc_profile=srgb), RGB, 0), 'broken profile.png': (picture(RGB, icc_profile=profile[:99]), RGB, 0),
              'profile of colours.png': (picture(GREY, icc_profile=profile), GREY, 0)}
    smooth = np.stack([X * 9 + 20, Y * 9 + 20, X * 4 + Y * 4 + 20], 2).astype(np.uint8)
    ink = Image.frombytes('CMYK', (SIDE, SIDE), np.dstack([255 - smooth, 0 * GREY]).tobytes())
    plain = picture(ink, 'JPEG', quality=100, subsampling=0)  # Pillow writes Adobe's mark and inverts
    at = plain.find(b'Adobe') - 4
    inverted = Image.frombytes('CMYK', (SIDE, SIDE), np.dstack([smooth, 0 * GREY + 255]).tobytes())
    unmarked = picture(inverted, 'JPEG', quality=100, subsampling=0)
    cut = unmarked.find(b'Adobe') - 4
    found |= {'ink.jpg': (plain, smooth, 4), 'ink without mark.jpg': (unmarked[:cut] + unmarked[cut + 16:], smooth, 4)}
    assert plain[at:at + 2] == unmarked[cut:cut + 2] == b'\xff\xee'
    moving = picture(Image.fromarray(GREY), 'GIF', save_all=True, append_images=[Image.fromarray(255 - GREY)])
    return found | {'moving.gif': (moving, GREY, 0), 'a.jfif': (picture(GREY, 'JPEG', quality=100), GREY, 2),
                    'a.jpe': (picture(GREY, 'JPEG', quality=100), GREY, 2), 'no suffix': (picture(RGB), RGB, 0),
                    'deep.pgm': (b'P5 %d %d 4095\n' % (SIDE, SIDE) + TWELVE.astype('>u2').tobytes(), np.rint(TWELVE * 255. / 4095), 1)}


def golden_scans():
    "Return {name: (bytes, pixels, greatest error)} of DICOM and NIfTI of the kinds that a viewer shows and a plain reader does not."
    table = np.random.default_rng(1).integers(0, 256, (256, 3)).astype(np.uint16)
    table[0], table[1] = 0, 255
    full = stretched(TWELVE)
    twelve, ct = {'BitsStored': 12}, {'Modality': 'CT', 'RescaleSlope': 1, 'RescaleIntercept': -1024}

    def palette(values, bits):
        parts = {}
        for i, name in enumerate(('Red', 'Green', 'Blue')):
            parts[f'{name}PaletteColorLookupTableDescriptor'] = [256, 0, bits]
            parts[f'{name}PaletteColorLookupTableData'] = values[:, i].tobytes()
        ds = scan(GREY, PhotometricInterpretation='PALETTE COLOR', **parts)
        ds['PixelData'].VR = 'OB'
        return ds

    narrow = table.astype(np.uint8)
    swap = np.stack([narrow[:, i].reshape(-1, 2)[:, ::-1].ravel() for i in range(3)], 1)
    uneven = (table * 256 + np.minimum(table, 5)).astype(np.uint16)  # its two bytes differ
    film = np.stack([255 - GREY, GREY, 255 - GREY])
    line = Dataset()
    line.LUTDescriptor, line.LUTData = [4096, 0, 12], np.arange(4096, dtype=np.uint16).tobytes()
    line['LUTDescriptor'].VR, line['LUTData'].VR = 'US', 'OW'

    def enhanced():
        ds = scan(np.stack([TWELVE * 0, TWELVE, TWELVE * 0]).reshape(-1, SIDE), **twelve, NumberOfFrames=3, Rows=SIDE,
                  SOPClassUID='1.2.840.10008.5.1.4.1.1.2.1', Modality='CT')
        def group(**parts):
            outer = Dataset()
            for sequence, elements in parts.items():
                inner = Dataset()
                for name, value in elements.items():
                    setattr(inner, name, value)
                setattr(outer, sequence, [inner])
            return outer
        ds.SharedFunctionalGroupsSequence = [group(PixelValueTransformationSequence={'RescaleSlope': 1, 'RescaleIntercept': -1024})]
        ds.PerFrameFunctionalGroupsSequence = [group(FrameVOILUTSequence={'WindowCenter': c, 'WindowWidth': w})
                                               for c, w in ((0, 1), (500, 2000), (9, 9))]
        return file_of(ds)
    linear = np.floor(((TWELVE.astype(int) - 1024 - 499.5) / 1999 + .5).clip(0, 1) * 255 + .5)
    padded = TWELVE.astype(np.int16) - 2000
    padded[:, :4] = -32000
    inside = stretched(padded[:, 4:])
    found = {
        'palette 16.dcm': (file_of(palette(uneven, 16)), table[GREY], 1), 'palette 8.dcm': (file_of(palette(narrow, 8)), table[GREY], 0),
        'palette 8 as 16.dcm': (file_of(palette(table, 16)), table[GREY], 0),
        'palette big endian 16.dcm': (file_of(palette(uneven.astype('>u2'), 16), uid.ExplicitVRBigEndian), table[GREY], 1),
        'palette big endian 8.dcm': (file_of(palette(swap, 8), uid.ExplicitVRBigEndian), table[GREY], 0),
        'film.dcm': (file_of(scan(film.reshape(-1, SIDE), NumberOfFrames=3, Rows=SIDE)), GREY, 0),
        'enhanced.dcm': (enhanced(), linear, 0),
        'rt image.dcm': (file_of(scan(TWELVE, **twelve, SOPClassUID='1.2.840.10008.5.1.4.1.1.481.1', Modality='RTIMAGE')), full, 0),
        'thin.dcm': (file_of(scan(TWELVE, **twelve, WindowCenter=40, WindowWidth=.5)), full, 0),
        'empty window.dcm': (file_of(scan(TWELVE, **twelve, WindowCenter=None, WindowWidth=None)), full, 0),
        'elsewhere.dcm': (file_of(scan(TWELVE, **twelve, WindowCenter=50_000, WindowWidth=10)), full, 0),
        'second window.dcm': (file_of(scan(TWELVE, **twelve, **ct, WindowCenter=[0, 500], WindowWidth=[0, 2000])), linear, 0),
        'line.dcm': (file_of(scan(TWELVE, **twelve, VOILUTSequence=[line])), full, 0),
        'signed 16.dcm': (file_of(scan(TWELVE.astype(np.int16) - 1024, RescaleSlope=2, RescaleIntercept=5)), full, 0),
        'padded.dcm': (file_of(scan(padded, PixelPaddingValue=-32000)), np.hstack([np.zeros((SIDE, 4)), inside]), 0),
        'padded inverse.dcm': (file_of(scan(padded, PixelPaddingValue=-32000, PhotometricInterpretation='MONOCHROME1')),
                               np.hstack([np.zeros((SIDE, 4)), 255 - inside]), 1),
        'long.dcm': (file_of(scan(TWELVE.astype(np.uint32) * 1000)), full, 0),
        'profile.dcm': (file_of(scan(RGB, ICCProfile=linear_light())), np.where(
            RGB / 255 <= .0031308, 12.92 * RGB / 255, 1.055 * (RGB / 255)**(1 / 2.4) - .055) * 255, 1)}
    found['palette 16.dcm'] = file_of(palette(uneven, 16)), np.rint(uneven[GREY] / 257), 0
    found['palette big endian 16.dcm'] = found['palette big endian 16.dcm'][0], np.rint(uneven[GREY] / 257), 0
    volume = np.stack([GREY * 0, GREY, GREY * 0], 2).astype(np.int16)
    axial = volume[:, :, 1][::-1, ::-1].T
    low, high = np.percentile(volume, [.5, 99.5])
    return found | {'volume.nii.gz': (nifti(volume), np.floor(((axial - low) / (high - low)).clip(0, 1) * 255 + .5), 0),
                    'turned.nii.gz': (nifti(volume[::-1, ::-1], np.diag([-1, -1, 1, 1])),
                                      np.floor(((axial - low) / (high - low)).clip(0, 1) * 255 + .5), 0)}


@contextmanager
def heard():
    "Collect what Python or a C library writes to standard error."
    kept, words = os.dup(2), []
    with tempfile.TemporaryFile() as said:
        sys.stderr.flush()
        os.dup2(said.fileno(), 2)
        try:
            yield words
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            words.append(said.read().decode(errors='replace'))


def try_golden(folder):
    "Return [(name, what is wrong or '')] of every golden file, in colour and in grey."
    told = []
    for name, (data, wanted, most) in (golden() | golden_pictures() | golden_scans()).items():
        Path(folder, name).write_bytes(data)
        wanted = np.asarray(wanted, float)
        colour = wanted if wanted.ndim == 3 else wanted[..., None].repeat(3, 2)
        luma = colour @ [.299, .587, .114]  # ITU-R BT.601
        try:
            errors = [abs(read_image(f'{folder}/{name}', SIDE, 3).transpose(1, 2, 0) - colour).max() - most,
                      abs(read_image(f'{folder}/{name}', SIDE, 1)[0] - luma).max() - most - (1 if wanted.ndim == 3 else 1e-6)]
            told.append((name, '' if max(errors) <= 0 else f'off by {max(errors) + most:.1f} grey levels'))
        except ValueError as error:
            told.append((name, f'refused: {error}'))
    return told


def bases():
    "Return {suffix: bytes} of intact files that will be damaged."
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    shown = {'BitsStored': 12, 'WindowCenter': 2048, 'WindowWidth': 4096}  # a series without a window would depend on its broken files
    return {'.jpg': picture(noise, 'JPEG'), '.png': picture(noise), '.tif': picture(noise, 'TIFF'), '.bmp': picture(noise, 'BMP'),
            '.webp': picture(noise, 'WEBP'), 'lzw.tif': picture(noise, 'TIFF', compression='tiff_lzw'),
            'deep.png': picture(Image.fromarray(DEEP)), 'progressive.jpg': picture(noise, 'JPEG', progressive=True),
            'cmyk.jpg': picture(Image.fromarray(noise).convert('CMYK'), 'JPEG'), '.dcm': file_of(scan(TWELVE, **shown)),
            'rle.dcm': packed(scan(noise), 'RLELossless'), 'lossless.dcm': packed(scan(TWELVE, **shown), 'JPEGLosslessProcess14_1'),
            'baseline.dcm': packed(scan(noise[..., 0].copy()), 'JPEGBaselineProcess1'),
            'ls.dcm': packed(scan(TWELVE, **shown), 'JPEGLSLossless'),
            '2000.dcm': packed(scan(TWELVE, **shown), 'JPEG2000Lossless'), '.gif': picture(noise[..., 0].copy(), 'GIF'),
            'planes.tif': tiff_of(noise.astype('u2').transpose(2, 0, 1) * 257, photometric='rgb', planarconfig='separate'),
            'deflate.tif': tiff_of(noise, photometric='rgb', compression='zlib'), '.nii.gz': nifti(TWELVE.astype(np.int16)[..., None]),
            '.nii': gzip.decompress(nifti(TWELVE.astype(np.int16)[..., None]))}


def flip(data, rng, n):
    data = bytearray(data)
    for at in rng.integers(0, len(data), n):
        data[at] ^= 1 << int(rng.integers(8))
    return bytes(data)


def block(data, rng, value):
    at, n = int(rng.integers(len(data))), int(rng.integers(1, 64))
    return data[:at] + bytes([value]) * len(data[at:at + n]) + data[at + n:]


def shuffled(data, rng):
    parts = [data[i:i + 32] for i in range(0, len(data), 32)]
    return b''.join(parts[i] for i in rng.permutation(len(parts)))


def insert(data, rng, n):
    at = int(rng.integers(len(data)))
    return data[:at] + rng.bytes(n) + data[at:]


def delete(data, rng):
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + int(rng.integers(1, 9)):]


# What becomes of a whole file's bytes, and what must become of the file: read 'same', 'named' with a reason, or either ('')
MUTATORS = {
    'whole': ('same', lambda data, rng: data), 'garbage behind': ('', lambda data, rng: data + rng.bytes(99)),
    'twice': ('', lambda data, rng: data * 2), 'half': ('named', lambda data, rng: data[:len(data) // 2]),
    'a tenth': ('named', lambda data, rng: data[:len(data) // 10]), 'start': ('named', lambda data, rng: data[:12]),
    'cut tail': ('', lambda data, rng: data[:-int(rng.integers(1, 40))]), 'empty': ('named', lambda data, rng: b''),
    'one byte': ('named', lambda data, rng: data[:1]), 'one bit': ('', lambda data, rng: flip(data, rng, 1)),
    'five bits': ('', lambda data, rng: flip(data, rng, 5)), 'many bits': ('', lambda data, rng: flip(data, rng, 60)),
    'bits of the header': ('', lambda data, rng: flip(data[:400], rng, 3) + data[400:]),
    'zeros in it': ('', lambda data, rng: block(data, rng, 0)),
    'ones in it': ('', lambda data, rng: block(data, rng, 255)), 'all zeros': ('named', lambda data, rng: bytes(len(data))),
    'all noise': ('named', lambda data, rng: b'#' + rng.bytes(len(data))), 'shuffled': ('', shuffled),
    'a byte more': ('', lambda data, rng: insert(data, rng, 1)), 'bytes more': ('', lambda data, rng: insert(data, rng, 30)),
    'bytes less': ('', delete), 'no start': ('named', lambda data, rng: data[140:]),
    'shifted': ('named', lambda data, rng: b'0123456789' + data),
    'gzip': ('named', lambda data, rng: gzip.compress(data)), 'text': ('named', lambda data, rng: b'not an image, only words\n'),
    'web page': ('named', lambda data, rng: b'<html><body>404 Not Found</body></html>'),
    'PostScript': ('named', lambda data, rng: b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\n%%EndComments\nshowpage\n%%EOF\n'),
    'reversed': ('named', lambda data, rng: data[::-1]),
    'text ends': ('', lambda data, rng: data.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n'))}

NAMES = ['皮膚病変', 'меланома', 'ميلانوما', 'מלנומה', 'मेलानोमा', 'می‌خواهم', '흑색종', 'ümläut', 'e\u0301', '👩‍⚕️', 'a\u3000b', 'a\u00a0b',
         "it's", 'a,b', 'a"b', '%s{}', '=1+1', ' lead', '-rf', '$HOME', '<b>&', 'x' * 200]


def dicom_oddities():
    "Return {name: bytes} of DICOM files that are intact but hold no usable image, or have a false header."
    raw, at = file_of(scan(GREY)), file_of(scan(GREY)).find
    odd = {'frames': file_of(scan(GREY, NumberOfFrames=3)),
           'deflated': file_of(scan(GREY), uid.DeflatedExplicitVRLittleEndian),
           'long': file_of(scan(GREY, Rows=65535, Columns=65535)), 'no rows': file_of(scan(GREY, Rows=0)),
           'colours': raw.replace(b'MONOCHROME2 ', b'Secretjane  '), 'slope': file_of(scan(GREY, RescaleSlope='nan')),
           'unknown': file_of(scan(GREY)).replace(b'1.2.840.10008.1.2.1\0', b'1.2.840.10008.9.9.9\0'),
           'says it is JPEG': raw.replace(b'1.2.840.10008.1.2.1\0', b'1.2.840.10008.1.2.4.70'[:20]),
           'bits': file_of(scan(GREY, BitsStored=99)), 'samples': file_of(scan(GREY, SamplesPerPixel=7)),
           'mark alone': bytes(128) + b'DICM', 'short pixels': file_of(scan(GREY, PixelData=b'\0\0')),
           'name for rows': raw[:at(b'\x28\x00\x10\x00')] + b'\x28\x00\x10\x00LO\x0e\x00Doe^Secretjane' + raw[at(b'\x28\x00\x11\x00'):]}
    none = scan(GREY)
    del none.PixelData
    odd['no pixels'] = file_of(none)
    nested = Dataset()
    for _ in range(150):
        outer = Dataset()
        outer.VOILUTSequence = [nested]
        nested = outer
    odd['nested'] = file_of(scan(GREY, VOILUTSequence=nested.VOILUTSequence))
    return odd


def odd_files(folder, each):
    "Write the odd files, `each` for every mutator and base; return {name: 'same' (as which bytes), 'named' or ''}."
    wanted = {}

    def put(name, data, outcome):
        Path(folder, name).write_bytes(data)
        wanted[name] = outcome
    whole = bases()
    for i, (mutator, (outcome, change)) in enumerate(MUTATORS.items()):
        for j, (base, data) in enumerate(whole.items()):
            for k in range(int(each) if each >= 1 else (i + j) % round(1 / each) == 0):
                rng = np.random.default_rng([i, j, k])
                sure = outcome if (mutator, base) != ('half', 'progressive.jpg') else ''
                put(f'{mutator} {k} {base}' if base[0] != '.' else f'{mutator} {k}{base}', change(data, rng), sure)
    for name in NAMES:
        put(f'{name}.png', whole['.png'], 'same')
    for name, data in dicom_oddities().items():
        put(f'{name}.dcm', data, 'named')
    put('bomb.png', png(20_000, 20_000, 1, 0, bytes(2501) * 20_000), 'named')
    put('wide.png', png(2**31 - 1, 2**31 - 1, 8, 0, b''), 'named')
    put('nothing.png', png(0, 0, 8, 0, b''), 'named')
    words = chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(10**8)))
    put('words.png', png(SIDE, SIDE, 8, 0, b''.join(b'\0' + row.tobytes() for row in GREY), words), '')
    put('float.tif', picture(Image.fromarray(GREY.astype(np.float32)), 'TIFF'), 'named')
    put('integers.tif', picture(Image.fromarray(DEEP.astype(np.int32) * 999), 'TIFF'), 'named')
    put(os.fsdecode(b'\xff.png'), whole['.png'], 'named')
    put('line\nend.png', whole['.png'], 'named')
    for name, target in (('loop.png', 'loop.png'), ('dangling.png', 'absent'), ('to null.png', '/dev/null'), ('to zero.png', '/dev/zero')):
        Path(folder, name).symlink_to(target)
        wanted[name] = 'named'
    for name in ('pipe.png', 'pipe.dcm'):
        os.mkfifo(f'{folder}/{name}')
        wanted[name] = 'named'
    os.mkfifo(f'{folder}/pipe')  # neither a suffix nor a signature of an image
    for name in ('locked.png', 'locked.dcm'):
        put(name, whole[name[-4:]], 'named' if os.getuid() else 'same')
        os.chmod(f'{folder}/{name}', 0)
    Path(folder, 'README').write_text('no image')
    Path(folder, 'DICOMDIR').write_bytes(whole['.dcm'])
    return wanted


def try_odd(folder, cache, each):
    "Return [(name, what is wrong or '')] of every odd file, all read as one folder."
    wanted = odd_files(folder, each)
    with heard() as said, warnings.catch_warnings(record=True) as warned:
        data = read_folder(folder, SIDE)
    rejected = dict(data.rejected)
    told = []
    whole = bases()
    with tempfile.TemporaryDirectory() as d:
        for base, content in whole.items():
            Path(d, f'a{base}').write_bytes(content)
        looks = {base: read_image(f'{d}/a{base}', SIDE) for base in whole}
    where = {name: i for i, name in enumerate(data.files)}
    for name, outcome in wanted.items():
        shown = {os.fsdecode(b'\xff.png'): '\\udcff.png', 'line\nend.png': 'line\\nend.png'}.get(name, name)
        reason = rejected.get(shown)
        base = next(b for b in sorted(whole, key=len, reverse=True) if name.endswith(b)) if outcome == 'same' else ''
        if (name in where) + (reason is not None) != 1:
            told.append((shown, 'neither read nor named, or both'))
        elif reason is not None and (not reason.strip() or '\n' in reason or len(reason) > 250):
            told.append((shown, f'a reason that says nothing: {reason!r}'))
        elif outcome == 'named' and reason is None or outcome == 'same' and reason is not None:
            told.append((shown, f'expected {outcome}, but it was ' + (f'left out: {reason}' if reason else 'read')))
        elif outcome == 'same' and (data[[where[name]]][0].numpy() != looks[base]).any():
            told.append((shown, 'other pixels'))
        else:
            told.append((shown, ''))
    told.append(('standard error', '; '.join(said[0].splitlines())[:300]))
    told.append(('warnings', '; '.join(str(w.message) for w in warned)[:300]))
    told.append(('nothing else is listed', '; '.join(set(data.files) - set(wanted))))
    written = repr((data.rejected, data.notes, data.groups, data.classes, data.where)) + said[0]
    kept = b''.join(f.read_bytes() for f in Path(cache).rglob('*') if f.is_file())
    told += [(f'{word} is nowhere', 'it is' if word in written or word.encode() in kept else '') for word in SECRETS]
    return told


def try_moving(folder):
    "Return [(name, what is wrong or '')] of files that vanish, shrink or change between being listed and being read."
    for i in range(12):
        Path(folder, f'{i:02}.png').write_bytes(picture(RGB))
    Path(folder, '12.dcm').write_bytes(file_of(scan(GREY)))

    def meddle(images):
        Path(folder, '10.png').unlink()
        Path(folder, '11.png').write_bytes(picture(RGB)[:90])
        Path(folder, '12.dcm').unlink()
        Path(folder, '09.png').write_bytes(picture(255 - RGB))
        yield from images
    data = read_folder(folder, SIDE, workers=0, progress=meddle)
    again = read_folder(folder, SIDE)
    return [('files that go are named', '' if {f for f, _ in data.rejected} == {'10.png', '11.png', '12.dcm'} else repr(data.rejected)),
            ('what was read meanwhile is not kept', '' if 'changed while' in data.where else data.where),
            ('the next run reads what is there', '' if (len(again), [f for f, _ in again.rejected]) == (10, ['11.png'])
             else repr(again.files)),
            ('a changed file is read anew', '' if (again[[9]][0].numpy() == 255 - RGB.transpose(2, 0, 1)).all() else 'old pixels')]


def trial(full=False):
    "Return [(name, what is wrong or '')] of every case."
    told, before = [], os.environ.get('MEDIMAGEGAN_CACHE')
    with tempfile.TemporaryDirectory() as d:
        os.environ['MEDIMAGEGAN_CACHE'] = f'{d}/cache'
        for name in ('golden', 'odd', 'moving'):
            Path(d, name).mkdir()
        try:
            told += [('golden: ' + name, wrong) for name, wrong in try_golden(f'{d}/golden')]
            told += try_moving(f'{d}/moving')
            told += try_odd(f'{d}/odd', f'{d}/cache', 3 if full else 1 / 4)
        finally:
            os.environ.pop('MEDIMAGEGAN_CACHE')
            if before:
                os.environ['MEDIMAGEGAN_CACHE'] = before
            shutil.rmtree(f'{d}/odd', ignore_errors=True)
    return told


if __name__ == '__main__':
    faulthandler.dump_traceback_later(900 if '--full' in sys.argv else 100, exit=True)
    told = trial('--full' in sys.argv)
    for name, wrong in told:
        if wrong:
            print(f'{name}: {wrong}')
    pixels = [wrong for name, wrong in told if name.startswith('golden: ')]
    print(f'{len(MUTATORS)} mutators; golden set: {pixels.count("")} of {len(pixels)} right')
    held = sum(not wrong for _, wrong in told)
    print(f'{len(told)} tried, {held} held')
    sys.exit(held < len(told))
