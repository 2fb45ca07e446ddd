"""What happens to photographs, done to crops in training.

In the order in which it befalls a photograph: where the crop falls (shift, rotation and zoom, mirroring), what
covers the face, light, lens and motion (blur), distance (low resolution), film (grey), and the file (JPEG). Every
function takes and gives a batch on any device, and draws from the generator that it is handed, which is the CPU's:
what is drawn does not depend on the device, and nothing waits for a GPU.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

BLUR_TAPS = 9


def share(default: float, text: str) -> Any:
    return field(default=default, metadata={"help": text, "choices": None})


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """The share of all pictures that each change happens to, 0 to 1, unless the name has a unit."""

    shift_px: int = share(4, "crop jitter: largest shift of the crop to any side, as far as its margin reaches")
    mirror: float = share(0.5, "share mirrored")
    rotation: float = share(0.1, "share rotated and zoomed about its middle")
    rotation_degrees: float = share(15.0, "largest rotation")
    zoom: float = share(0.1, "largest change of scale of those rotated, as a share")
    occlusion: float = share(0.1, "share with a grey rectangle over a quarter to half of each side")
    light: float = share(1.0, "share with another contrast, brightness, cast of colour, and light from one side")
    blur: float = share(0.1, "share blurred by focus or motion")
    low_resolution: float = share(0.15, "share shrunk to a quarter to three quarters and enlarged again")
    grey: float = share(0.05, "share without colour")
    jpeg: float = share(0.1, "share compressed as JPEG at quality 10 to 70")


SHARES = tuple(knob.name for knob in fields(Augmentation) if knob.name not in ("shift_px", "rotation_degrees"))
NONE = Augmentation(shift_px=0, mirror=0, rotation=0, occlusion=0, light=0, blur=0, low_resolution=0, grey=0, jpeg=0)


def augment(crops: Tensor, side: int, generator: torch.Generator, options: Augmentation) -> Tensor:
    """uint8 (n, stored, stored, 3) to float32 (n, 3, side, side), channels last, within -1..1."""
    x = planes(windows(crops, side, options.shift_px, generator))
    turned = _chosen(x, options.rotation, generator)
    if len(turned):
        x[turned] = rotated(planes(crops[turned]), side, options.rotation_degrees, options.zoom, generator)
    _some(x, options.mirror, generator, lambda part, _: part.flip(3))
    _some(x, options.occlusion, generator, occluded)
    _some(x, options.light, generator, lit)
    _some(x, options.blur, generator, blurred)
    _some(x, options.low_resolution, generator, low_resolution)
    _some(x, options.grey, generator, lambda part, _: part.mean(1, keepdim=True).expand_as(part))
    _some(x, options.jpeg, generator, compressed)
    return x.contiguous(memory_format=torch.channels_last)


def planes(crops: Tensor) -> Tensor:
    """uint8 (n, h, w, 3) to float32 (n, 3, h, w), -1..1."""
    return crops.permute(0, 3, 1, 2).contiguous().float().sub_(127.5).div_(127.5)


def as_crops(x: Tensor) -> Tensor:
    """The way back from `planes`, rounded and within a byte."""
    return (x * 127.5 + 127.5).round_().clamp_(0, 255).byte().permute(0, 2, 3, 1)


def windows(crops: Tensor, side: int, shift_px: int, generator: torch.Generator) -> Tensor:
    """A window of `side` pixels of each crop, at most `shift_px` from the middle; raises ValueError if too large."""
    count, stored = len(crops), crops.shape[1]
    if side > stored:
        raise ValueError(
            f"crops are {stored} px, a side of {side} needs larger ones: prepare them with --crop-px {side}"
        )
    margin = (stored - side) // 2
    reach = min(margin, shift_px)
    corner = torch.randint(margin - reach, margin + reach + 1, (count, 2), generator=generator)
    if crops.device.type == "cpu":
        corners = zip(crops, corner.tolist(), strict=True)
        return torch.stack([crop[y : y + side, x : x + side] for crop, (y, x) in corners])
    return gathered(crops, corner.to(crops.device), side)


def gathered(crops: Tensor, corner: Tensor, side: int) -> Tensor:
    """The windows at `corner`, int64 (n, 2) of y and x, in one call: on a GPU calls cost more than pixels."""
    within = torch.arange(side, device=crops.device)
    rows, columns = (corner[:, :1] + within)[:, :, None], (corner[:, 1:] + within)[:, None, :]
    return crops[torch.arange(len(crops), device=crops.device)[:, None, None], rows, columns]


def resized(x: Tensor, side: int) -> Tensor:
    """Pictures (n, 3, h, h) scaled to `side` pixels, without aliasing; channels last."""
    if x.shape[-1] == side:
        return x
    small = functional.interpolate(x, size=(side, side), mode="bilinear", antialias=True)
    return small.contiguous(memory_format=torch.channels_last)


def rotated(x: Tensor, side: int, degrees: float, zoom: float, generator: torch.Generator) -> Tensor:
    """The middle `side` pixels of whole crops (n, 3, stored, stored), turned and scaled about the middle."""
    count, stored = len(x), x.shape[-1]
    angle = math.radians(degrees) * _between(-1, 1, count, generator)
    scale = side / stored * (1 + zoom * _between(-1, 1, count, generator))
    cosine, sine, zero = scale * angle.cos(), scale * angle.sin(), torch.zeros(count)
    rows = torch.stack([cosine, -sine, zero, sine, cosine, zero], dim=1).view(count, 2, 3).to(x.device)
    grid = functional.affine_grid(rows, [count, 3, side, side], align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def occluded(x: Tensor, generator: torch.Generator) -> Tensor:
    """A grey rectangle over a quarter to half of each side, anywhere."""
    size = 0.25 + 0.25 * torch.rand((2, len(x), 1), generator=generator)
    start = (1 - size) * torch.rand((2, len(x), 1), generator=generator)
    place = (torch.arange(x.shape[-1]) + 0.5) / x.shape[-1]
    rows, columns = ((place >= start) & (place < start + size)).to(x.device)
    return x.masked_fill(rows[:, None, :, None] & columns[:, None, None, :], 0.0)


def lit(x: Tensor, generator: torch.Generator) -> Tensor:
    """Contrast 0.8 to 1.2, brightness -0.2 to 0.2, a slight cast of colour, up to 0.2 more light on one side."""
    count, side = len(x), x.shape[-1]
    contrast = _between(0.8, 1.2, count, generator).view(-1, 1, 1, 1).to(x.device)
    brightness = _between(-0.2, 0.2, count, generator).view(-1, 1, 1, 1)
    cast = 0.1 * torch.rand((count, 3, 1, 1), generator=generator) - 0.05
    slope = 0.2 * torch.rand(count, generator=generator).view(-1, 1, 1, 1)
    towards = _between(0, 2 * math.pi, count, generator).view(-1, 1, 1, 1)
    across, down = (slope * towards.cos()).to(x.device), (slope * towards.sin()).to(x.device)
    place = torch.linspace(-1, 1, side, device=x.device)
    ramp = across * place + down * place.view(-1, 1)
    return x.mul(contrast).add_((brightness + cast).to(x.device)).add_(ramp).clamp_(-1, 1)


def blurred(x: Tensor, generator: torch.Generator) -> Tensor:
    """A Gaussian of 0.5 to 2.5 px along any direction and 0.3 to 1 times that across: out of focus, or moved."""
    count, side = len(x), x.shape[-1]
    along = _between(0.5, 2.5, count, generator).view(-1, 1, 1)
    across = (along * _between(0.3, 1, count, generator).view(-1, 1, 1)).clamp_min(0.3)
    angle = _between(0, math.pi, count, generator).view(-1, 1, 1)
    place = torch.arange(BLUR_TAPS) - BLUR_TAPS // 2
    u = angle.cos() * place + angle.sin() * place.view(-1, 1)
    v = angle.cos() * place.view(-1, 1) - angle.sin() * place
    kernel = torch.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    kernel = (kernel / kernel.sum((1, 2), keepdim=True)).repeat_interleave(3, 0)[:, None].to(x.device)
    padded = functional.pad(x, [BLUR_TAPS // 2] * 4, mode="replicate").reshape(1, count * 3, side + BLUR_TAPS - 1, -1)
    return functional.conv2d(padded, kernel, groups=count * 3).view(count, 3, side, side)


def low_resolution(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture shrunk to a quarter to three quarters of its side and enlarged again."""
    side = x.shape[-1]
    rows = []
    for picture, scale in zip(x.split(1), _between(0.25, 0.75, len(x), generator).tolist(), strict=True):
        reduced = functional.interpolate(picture, size=(int(side * scale),) * 2, mode="area")
        rows.append(functional.interpolate(reduced, size=(side, side), mode="bilinear", align_corners=False))
    return torch.cat(rows)


def compressed(x: Tensor, generator: torch.Generator) -> Tensor:
    """Written as JPEG and read again, by Pillow, which takes about a millisecond a picture, on the CPU."""
    pixels = as_crops(x).cpu().numpy()
    qualities = torch.randint(10, 71, (len(x),), generator=generator).tolist()
    rows = []
    for picture, quality in zip(pixels, qualities, strict=True):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        rows.append(torch.from_numpy(np.array(Image.open(file))))
    return planes(torch.stack(rows)).to(x.device)


def _between(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _chosen(x: Tensor, share_: float, generator: torch.Generator) -> Tensor:
    """Rows of a random share of the batch, int64."""
    return (torch.rand(len(x), generator=generator) < share_).nonzero().flatten().to(x.device)


def _some(x: Tensor, share_: float, generator: torch.Generator, change: Callable[..., Tensor]) -> None:
    """Apply `change` in place to a random share of the batch."""
    chosen = _chosen(x, share_, generator)
    if len(chosen) == len(x):
        x.copy_(change(x, generator))
    elif len(chosen):
        x[chosen] = change(x[chosen], generator)
