"""Networks that are tuned give the features that they gave before."""

import copy

import pytest
import torch
from torch import nn

from huse_bench_backbones._tuned import batch_of, tuned

SHAPE = (3, 12, 10)


def convolution(before, after, **options):
    return nn.Conv2d(before, after, 3, padding=1, **options)


class Plain(nn.Module):
    """What can be folded: with and without a bias, of groups, and behind a skip."""

    folded = 3

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(convolution(3, 8, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Sequential(convolution(8, 8, groups=8), nn.BatchNorm2d(8), nn.ReLU6(inplace=True))
        self.third = nn.Sequential(convolution(8, 8, bias=False), nn.BatchNorm2d(8, affine=False))

    def forward(self, pixels):
        made = self.first(pixels)
        return self.third(self.second(made)) + made


class BetweenThem(Plain):
    """What comes out of the convolution is changed in place before it is normalised."""

    folded = 0

    def __init__(self):
        super().__init__()
        self.third = nn.Sequential(convolution(8, 8), nn.ReLU(inplace=True), nn.BatchNorm2d(8))


class ReadTwice(Plain):
    """What comes out of the convolution is also read by somebody else."""

    folded = 0

    def forward(self, pixels):
        made = self.third[0](self.second(self.first(pixels)))
        return self.third[1](made) + made


class Shared(Plain):
    """One convolution with a batch norm for each of two places."""

    folded = 2

    def __init__(self):
        super().__init__()
        self.other = nn.BatchNorm2d(8)

    def forward(self, pixels):
        made = super().forward(pixels)
        return self.other(self.third[0](made)) - made


class Before(Plain):
    """Batch norms before the convolutions."""

    folded = 0

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(3), convolution(3, 8), nn.ReLU())
        self.second = self.third = nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), convolution(8, 8))


def norms(network):
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def pooled(network, pixels):
    return network(pixels).mean((2, 3))


@pytest.mark.parametrize("kind", [Plain, BetweenThem, ReadTwice, Shared, Before])
def test_features_stay_the_same(kind):
    torch.manual_seed(0)
    network = kind().eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.1, 3)
            if part.affine:
                part.weight.data.uniform_(-2, 2)
                part.bias.data.normal_()
    before = copy.deepcopy(network)
    made = tuned(network, pooled, SHAPE)
    assert norms(before) - norms(made) == kind.folded
    pixels = torch.randn(5, *SHAPE)
    with torch.inference_mode():
        torch.testing.assert_close(pooled(made, batch_of(pixels.numpy())), pooled(before, pixels), rtol=1e-5, atol=1e-5)


def test_channels_lie_side_by_side():
    made = tuned(Plain().eval(), pooled, SHAPE)
    assert made.first[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert batch_of(torch.randn(2, *SHAPE).numpy()).stride() == (360, 1, 30, 3)
