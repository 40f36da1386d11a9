"""Prediction: views, tiles, precision, devices."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cryoglean.learn.folding import fold_normalisation
from cryoglean.learn.hardware import Hardware, find_hardware, thread_count
from cryoglean.learn.picker import build_network
from cryoglean.learn.predict import predict_map
from cryoglean.settings import ModelSettings

CPU = Hardware(torch.device("cpu"), half=False)


def used_network() -> tuple[nn.Module, Tensor]:
    """A network whose normalisation has seen pictures, and one more picture."""
    generator = torch.Generator().manual_seed(1)
    network = build_network(ModelSettings(name="lean"), seed=1)
    with torch.no_grad():
        for _ in range(30):
            network(torch.randn(2, 1, 64, 64, generator=generator))
    return network.eval(), torch.randn(128, 128, generator=generator)


class EverySecond(nn.Module):
    """Says the picture itself at every second pixel."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.logit(image[..., ::2, ::2].clamp(1e-4, 1 - 1e-4))


@pytest.mark.parametrize("views", [1, 2, 4, 8])
@pytest.mark.parametrize("shape", [(40, 50), (41, 51), (40, 51)])
def test_all_views_fall_on_the_same_pixels(views: int, shape: tuple[int, int]) -> None:
    """A network that copies gives the same map whatever the view."""
    image = torch.rand(shape)

    probability = predict_map(EverySecond(), image, CPU, stride=2, views=views)

    torch.testing.assert_close(probability, image[::2, ::2].clamp(1e-4, 1 - 1e-4), atol=1e-5, rtol=0)


def test_the_eight_views_are_all_different() -> None:
    image = torch.rand(21, 21)
    seen: list[Tensor] = []

    class Remember(EverySecond):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(image.clone().flatten())
            return super().forward(image)

    predict_map(Remember(), image, CPU, stride=2, views=8)

    assert len({tuple(view.tolist()) for view in seen}) == 8


def test_tiles_give_the_same_map_as_the_whole_away_from_their_seams() -> None:
    torch.manual_seed(0)
    network = build_network(ModelSettings(name="lean")).eval()
    image = torch.randn(700, 900)

    whole = predict_map(network, image, CPU, stride=2, tile_pixels=2048)
    tiled = predict_map(network, image, CPU, stride=2, tile_pixels=512)

    assert tiled.shape == whole.shape
    assert float((tiled - whole).abs().max()) < 2e-3


def test_tiles_of_a_copying_network_are_exact_everywhere() -> None:
    image = torch.rand(301, 257)

    tiled = predict_map(EverySecond(), image, CPU, stride=2, tile_pixels=64)

    torch.testing.assert_close(tiled, image[::2, ::2].clamp(1e-4, 1 - 1e-4), atol=1e-5, rtol=0)


def test_bfloat16_agrees_with_float32() -> None:
    """On a processor without bfloat16 multiplication this runs in emulation, slowly but with the same result."""
    network, image = used_network()

    exact = predict_map(network, image, CPU, stride=2)
    half = predict_map(network, image, Hardware(torch.device("cpu"), half=True), stride=2)

    assert float(exact.std()) > 1e-4
    assert float((exact - half).abs().max()) < 0.01
    assert float(np.corrcoef(exact.flatten(), half.flatten())[0, 1]) > 0.99


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_agrees_with_the_cpu() -> None:
    network, image = used_network()

    exact = predict_map(network, image, CPU, stride=2)
    gpu = Hardware(torch.device("cuda"), half=True)
    other = predict_map(gpu.place(network), image, gpu, stride=2)

    assert float((exact - other).abs().max()) < 0.01


def test_the_precision_asked_for_is_obeyed() -> None:
    assert find_hardware("float32").half is False
    assert find_hardware("bfloat16").half is True


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYOGLEAN_THREADS", "3")
    assert thread_count() == 3
    monkeypatch.delenv("CRYOGLEAN_THREADS")
    assert thread_count() == 1


def test_an_unknown_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryoglean.errors import SettingsError

    monkeypatch.setenv("CRYOGLEAN_DEVICE", "abacus")
    with pytest.raises(SettingsError, match="no device 'abacus'"):
        find_hardware()


@pytest.mark.parametrize("name", ["lean", "unet"])
def test_folding_the_normalisation_changes_nothing_but_rounding(name: str) -> None:
    generator = torch.Generator().manual_seed(2)
    network = build_network(ModelSettings(name=name), seed=2)
    with torch.no_grad():
        for _ in range(5):
            network(torch.randn(2, 1, 64, 64, generator=generator) * 2 + 1)
    image = torch.randn(1, 1, 64, 64, generator=generator)

    folded = fold_normalisation(network)

    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(image), network.eval()(image), atol=1e-4, rtol=1e-4)
