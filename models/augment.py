"""What happens to photographs, done to crops in training: shifts, mirroring, light, low resolution, occlusion.

Every function takes and gives a batch, and draws from the generator that it is handed.
"""

import torch
from torch import Tensor
from torch.nn import functional

# Shares of a batch that lose resolution, colour, or a patch.
LOW_RESOLUTION, GREY, OCCLUDED = 0.15, 0.05, 0.1


def augment(crops: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """uint8 (n, stored, stored, 3) to float32 (n, 3, side, side), channels last, about -1..1."""
    x = shifted(crops, side, generator)
    x = x.permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)
    x = lit(x, generator)
    _some(x, LOW_RESOLUTION, generator, low_resolution)
    _some(x, GREY, generator, lambda part, _: part.mean(1, keepdim=True).expand_as(part))
    _some(x, OCCLUDED, generator, occluded)
    return x.contiguous(memory_format=torch.channels_last)


def shifted(crops: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A window of `side` pixels near the middle of each stored crop, every second one mirrored."""
    count, stored = len(crops), crops.shape[1]
    margin = (stored - side) // 2
    reach = min(margin, 4)
    corner = torch.randint(margin - reach, margin + reach + 1, (count, 2), generator=generator).tolist()
    mirrored = (torch.rand(count, generator=generator) < 0.5).tolist()
    windows = [crop[y : y + side, x : x + side] for crop, (y, x) in zip(crops, corner, strict=True)]
    return torch.stack([w.flip(1) if flip else w for w, flip in zip(windows, mirrored, strict=True)])


def lit(x: Tensor, generator: torch.Generator) -> Tensor:
    """Contrast 0.8 to 1.2, brightness -0.2 to 0.2 and a slight cast of colour."""
    shape = (len(x), 1, 1, 1)
    contrast = 0.8 + 0.4 * torch.rand(shape, generator=generator)
    brightness = 0.4 * torch.rand(shape, generator=generator) - 0.2
    cast = 0.1 * torch.rand((len(x), 3, 1, 1), generator=generator) - 0.05
    return x.mul_(contrast).add_(brightness + cast).clamp_(-1, 1)


def low_resolution(x: Tensor, generator: torch.Generator) -> Tensor:
    """Shrunk to a quarter to three quarters of its side and enlarged again."""
    side = x.shape[-1]
    small = int(side * (0.25 + 0.5 * torch.rand((), generator=generator).item()))
    reduced = functional.interpolate(x, size=(small, small), mode="area")
    return functional.interpolate(reduced, size=(side, side), mode="bilinear", align_corners=False)


def occluded(x: Tensor, generator: torch.Generator) -> Tensor:
    """A grey rectangle over a quarter to half of each side."""
    side = x.shape[-1]
    height, width = torch.randint(side // 4, side // 2, (2,), generator=generator).tolist()
    top = int(torch.randint(0, side - height, (), generator=generator))
    left = int(torch.randint(0, side - width, (), generator=generator))
    x = x.clone()
    x[:, :, top : top + height, left : left + width] = 0.0
    return x


def _some(x: Tensor, share: float, generator: torch.Generator, change) -> None:  # type: ignore[no-untyped-def]
    """Apply `change` in place to a random share of the batch."""
    chosen = (torch.rand(len(x), generator=generator) < share).nonzero().flatten()
    if len(chosen):
        x[chosen] = change(x[chosen], generator)
