"""Images that are moved and mirrored by chance."""

import numpy as np
import pytest

from shiftloom.quant.recipe import Recipe

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
augment = pytest.importorskip("shiftloom.quant.train.augment", reason=REASON)


def maps(count=40):
    """Return images of which each pixel is different, and none is zero."""
    return torch.arange(1.0, count * 2 * 5 * 6 + 1).view(count, 2, 5, 6)


def changed(seed=0, **options):
    return augment.augmented(maps(), Recipe(**options), np.random.default_rng(seed))


def test_nothing_changes_unless_it_is_asked_for():
    assert torch.equal(changed(), maps())


def test_about_half_of_the_images_are_mirrored():
    mirrored = 0
    for before, after in zip(maps(), changed(flip=True), strict=True):
        assert torch.equal(after, before) or torch.equal(after, before.flip(2))
        mirrored += not torch.equal(after, before)
    assert 10 < mirrored < 30


def test_each_image_is_shifted_by_its_own_distance():
    padded = torch.nn.functional.pad(maps(), [2] * 4)
    places = set()
    for image, after in zip(padded, changed(crop=2), strict=True):
        fits = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if torch.equal(image[:, y : y + 5, x : x + 6], after)
        ]
        assert len(fits) == 1
        places.update(fits)
    assert {y for y, _ in places} == {x for _, x in places} == {0, 1, 2, 3, 4}


def test_chance_is_the_generator_s_alone():
    assert torch.equal(changed(3, flip=True, crop=1), changed(3, flip=True, crop=1))
    assert not torch.equal(changed(3, flip=True, crop=1), changed(4, flip=True, crop=1))


def test_a_negative_crop_is_refused():
    with pytest.raises(ValueError, match="crop must not be negative, not -1"):
        Recipe(crop=-1)
