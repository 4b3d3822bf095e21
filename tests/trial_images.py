"""Trial of the image readers: a golden set whose pixels are known, and hundreds of odd and broken files.

`python tests/trial_images.py [--full]` prints `N tried, N held`. Pixels of the golden set are computed here,
without any of the code under test. Every other file must be read, or listed with a reason, with nothing on standard error. Where the
outcome is known beforehand (an empty file; a JPEG called .png), it must be that one. No output may contain the name of a patient."""
import faulthandler
import gzip
import io
import os
import re
import shutil
import struct
import sys
import tempfile
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path

import gdcm
import numpy as np
from PIL import Image
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


def pack12(values):
    "Pack two 12-bit numbers into three bytes."
    a, b = values.reshape(-1, 2).astype(int).T
    return np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], 1).astype(np.uint8).tobytes()


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
    full = scaled(TWELVE, 4095)
    return found | {
        'grey.dcm': (file_of(scan(GREY)), GREY, 0), 'IM0001': (file_of(scan(GREY)), GREY, 0), '1.2.840.99': (file_of(scan(GREY)), GREY, 0),
        'inverse.dcm': (file_of(scan(GREY, **inverse)), 255 - GREY.astype(int), 0),
        'deep.dcm': (file_of(scan(DEEP)), scaled(DEEP, 65535), 0), 'twelve.dcm': (file_of(scan(TWELVE, **twelve)), full, 0),
        'twelve inverse.dcm': (file_of(scan(TWELVE, **twelve, **inverse)), np.rint((4095 - TWELVE.astype(int)) * 255 / 4095), 0),
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
        'modality.dcm': (file_of(scan(TWELVE, **twelve, ModalityLUTSequence=[curve])), scaled((4095 - TWELVE.astype(int)) * 16, 65535), 0),
        'rgb.dcm': (file_of(scan(RGB)), RGB, 0), 'planes.dcm': (file_of(scan(RGB, planes=1)), RGB, 0),
        'ybr.dcm': (file_of(scan(ybr, PhotometricInterpretation='YBR_FULL')), RGB, 2),
        'palette.dcm': (file_of(scan(GREY, PhotometricInterpretation='PALETTE COLOR', **tables)), table[GREY], 0),
        'rle.dcm': (packed(scan(TWELVE, **twelve), 'RLELossless'), full, 0),
        'rle rgb.dcm': (packed(scan(RGB), 'RLELossless'), RGB, 0),
        'jpeg.dcm': (packed(scan(GREY), 'JPEGBaselineProcess1'), GREY, 3),
        'lossless.dcm': (packed(scan(TWELVE, **twelve), 'JPEGLosslessProcess14_1'), full, 0),
        'lossless signed.dcm': (packed(scan(signed), 'JPEGLosslessProcess14_1'), scaled(signed.astype(int) + 32768, 65535), 0),
        'jpeg-ls.dcm': (packed(scan(TWELVE, **twelve), 'JPEGLSLossless'), full, 0),
        'jpeg 2000.dcm': (packed(scan(TWELVE, **twelve), 'JPEG2000Lossless'), full, 0),
        'jpeg 2000 signed.dcm': (packed(scan(signed, **twelve), 'JPEG2000Lossless'), full, 0),
        'jpeg 2000 rgb.dcm': (packed(scan(RGB), 'JPEG2000Lossless'), RGB, 0)}


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
    for name, (data, wanted, most) in golden().items():
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
    return {'.jpg': picture(noise, 'JPEG'), '.png': picture(noise), '.tif': picture(noise, 'TIFF'), '.bmp': picture(noise, 'BMP'),
            '.webp': picture(noise, 'WEBP'), 'lzw.tif': picture(noise, 'TIFF', compression='tiff_lzw'),
            'deep.png': picture(Image.fromarray(DEEP)), 'progressive.jpg': picture(noise, 'JPEG', progressive=True),
            'cmyk.jpg': picture(Image.fromarray(noise).convert('CMYK'), 'JPEG'), '.dcm': file_of(scan(TWELVE, BitsStored=12)),
            'rle.dcm': packed(scan(noise), 'RLELossless'), 'lossless.dcm': packed(scan(TWELVE, BitsStored=12), 'JPEGLosslessProcess14_1'),
            'baseline.dcm': packed(scan(noise[..., 0].copy()), 'JPEGBaselineProcess1'),
            'ls.dcm': packed(scan(TWELVE, BitsStored=12), 'JPEGLSLossless'),
            '2000.dcm': packed(scan(TWELVE, BitsStored=12), 'JPEG2000Lossless')}


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
    lines = [line for line in said[0].splitlines() if line and not re.match(r'(\w*(TIFF|LZW)\w*|tempfile\.tif): ', line)]
    told.append(('standard error', '; '.join(lines)[:300]))  # libtiff writes its errors there, and cannot be silenced
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
