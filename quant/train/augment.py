"""Training images moved a little and mirrored, so that no epoch repeats another."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..recipe import Recipe

__all__ = ["augmented"]


def augmented(maps: Tensor, recipe: Recipe, rng: np.random.Generator) -> Tensor:
    """Return feature maps ``(batch, channels, height, width)``, each changed by chance.

    Parameters
    ----------
    maps : Tensor
        Left as they are.
    recipe : Recipe
        ``flip`` mirrors every other sample, left to right; ``crop`` shifts each by up to so many
        pixels, with zeros behind.
    rng : numpy.random.Generator
        What chance is from.
    """
    if recipe.flip:
        mirrored = torch.from_numpy(rng.random(len(maps)) < 0.5)
        maps = torch.where(mirrored.view(-1, 1, 1, 1), maps.flip(3), maps)
    if recipe.crop:
        height, width = maps.shape[2:]
        padded = functional.pad(maps, [recipe.crop] * 4)
        corners = rng.integers(0, 2 * recipe.crop, (len(maps), 2), endpoint=True).tolist()
        parts = zip(padded, corners, strict=True)
        maps = torch.stack([p[:, y : y + height, x : x + width] for p, (y, x) in parts])
    return maps
