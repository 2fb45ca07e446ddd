"""Offline mining: triplets from a part of all crops, embedded with the latest checkpoint.

"Generate triplets offline every n steps, using the most recent network checkpoint and computing the argmin and
argmax on a subset of the data" (FaceNet, section 3.2).
"""

from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.augment import planes, resized
from models.data import Crops, people_by_faces, shuffled
from models.losses import squared_l2_matrix
from models.mining import Triplets, hardest, hardest_positives
from models.options import Options

EMBED_BATCH = 128


def mine_offline(network: nn.Module, crops: Crops, options: Options, step: int) -> NDArray[np.int64]:
    """Indices of crops, int64 (t, 3): anchor, its farthest positive, its nearest negative, for each of the subset.

    The subset is drawn anew for each step, as whole people of K faces. Crops are not augmented; the network is in
    inference mode meanwhile.
    """
    faces = options.faces_per_person or 4
    (subset,) = islice(people_by_faces(crops.people, options.mine_crops, faces, options.seed, step), 1)
    device = next(network.parameters()).device
    learning = [module for module in network.modules() if module.training]
    network.eval()
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.bf16):
        rows = [network(_shown(crops[part], options).to(device)).cpu() for part in _parts(subset)]
    for module in learning:
        module.training = True
    embeddings = torch.cat(rows).float()
    triplets = hardest_triplets(squared_l2_matrix(embeddings, embeddings), torch.from_numpy(crops.people[subset]))
    return subset[torch.stack(triplets, dim=1).numpy()]


def hardest_triplets(distances: torch.Tensor, people: torch.Tensor) -> Triplets:
    """For every anchor the argmax over its positives and the argmin over its negatives."""
    return hardest(distances, people, *hardest_positives(distances, people))


def offline_indices(triplets: NDArray[np.int64], options: Options, step: int):  # type: ignore[no-untyped-def]
    """Endless batches of crops: all anchors, then their positives, then their negatives, a third of the batch each."""
    for rows in shuffled(len(triplets), options.batch_size // 3, options.seed, step):
        yield triplets[rows].T.ravel()


def rows_of_batch(count: int, device: torch.device) -> Triplets:
    """Where the triplets of such a batch lie."""
    anchor, positive, negative = torch.arange(count, device=device).view(3, -1)
    return Triplets(anchor, positive, negative)


def _parts(subset: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(subset, -(-len(subset) // EMBED_BATCH))


def _shown(crops: NDArray[np.uint8], options: Options) -> torch.Tensor:
    shown_px = options.crop_px or options.side
    margin = (crops.shape[1] - shown_px) // 2
    middle = torch.from_numpy(crops[:, margin : margin + shown_px, margin : margin + shown_px])
    return resized(planes(middle).contiguous(memory_format=torch.channels_last), options.side)
