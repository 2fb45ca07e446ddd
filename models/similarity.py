"""Distillation of similarities: whom a face resembles, and how much, beside where it lies.

Squared L2 to a teacher's embedding counts a slip in any direction alike. Whether two people are told apart depends on
the directions in which somebody else is near. So the student's face is compared with the teacher's embeddings of many
others, and the softmax of these cosines is to be the teacher's own (SEED, Fang et al. 2021, equation 4, whose queue
holds the teacher's embeddings of earlier batches; here all of them are at hand).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.options import Options


class Similarities:
    """Compares a batch with the teacher's embeddings of the batch itself and of so many other faces.

    A step's others are a function of seed and step, so that a resumed run repeats.
    """

    def __init__(self, teacher: NDArray[np.float32], options: Options, device: torch.device) -> None:
        """`teacher`: targets of all crops, unit vectors float32 (crops, d)."""
        order = np.random.default_rng((options.seed, len(teacher))).permutation(len(teacher))
        self.teacher = torch.from_numpy(teacher[order]).to(device)
        self.count = min(options.similarity_faces, len(teacher))
        self.temperature = options.similarity_temperature

    def __call__(self, embeddings: Tensor, teacher: Tensor, step: int) -> Tensor:
        """The loss of a batch: student and teacher, unit vectors (n, d)."""
        return similarity_distillation(embeddings, teacher, torch.cat([teacher, self.others(step)]), self.temperature)

    def others(self, step: int) -> Tensor:
        """The faces of one step, float32 (count, d): the next ones in an order drawn once."""
        rows = (step * self.count + torch.arange(self.count, device=self.teacher.device)) % len(self.teacher)
        return self.teacher[rows]


def similarity_distillation(embeddings: Tensor, teacher: Tensor, faces: Tensor, temperature: float) -> Tensor:
    """Mean divergence (KL) of the student's softmax over `faces`, (m, d), from the teacher's, times the temperature.

    Logits are cosines over the temperature; 0 where a face resembles everybody as the teacher says. Times the
    temperature, slopes do not grow where it is low: they are the faces' embeddings, weighed by how far shares differ.
    """
    seen = functional.log_softmax(embeddings.float() @ faces.T / temperature, dim=1)
    wanted = functional.log_softmax(teacher @ faces.T / temperature, dim=1)
    return temperature * functional.kl_div(seen, wanted, reduction="batchmean", log_target=True)
