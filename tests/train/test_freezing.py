"""Thresholds freeze one by one, in the octave where they spend most of their time."""

import pytest

REASON = "training needs PyTorch: pip install 'shiftloom[train]'"
torch = pytest.importorskip("torch", reason=REASON)
freezing = pytest.importorskip("shiftloom.quant.train.freezing", reason=REASON)


def parameter(value):
    return torch.nn.Parameter(torch.tensor([value]))


def play(freezer, series, gradients):
    """Feed values and gradients step by step; return the thresholds frozen, with their steps."""
    frozen = []
    for step in range(len(series[0])):
        for threshold, values, gradient in zip(freezer.thresholds, series, gradients, strict=True):
            if threshold.requires_grad:
                threshold.data.fill_(values[step])
                threshold.grad = torch.tensor([gradient[step]])
        chosen = freezer.step()
        if chosen is not None:
            index = next(i for i, t in enumerate(freezer.thresholds) if t is chosen)
            frozen.append((step + 1, index))
    return frozen


def test_oscillating_threshold_freezes_in_its_popular_octave():
    values = [1.2 if step % 3 else 0.9 for step in range(150)]  # two thirds of the time in 2
    series, gradients = [values], [[0.1] * 150]
    freezer = freezing.ThresholdFreezer([parameter(0.0)], start=100, every=50)
    ((step, _),) = play(freezer, series, gradients)
    assert float(freezer.average(0)) == pytest.approx(1.1, abs=0.01)
    assert values[step - 1] == 1.2
    assert float(freezer.thresholds[0].detach()) == pytest.approx(1.2)


def test_threshold_in_its_rare_octave_is_passed_over():
    values = [1.2] * 99 + [0.9] + [1.2] * 50
    freezer = freezing.ThresholdFreezer([parameter(0.0)], start=100, every=50)
    assert play(freezer, [values], [[0.1] * 150]) == [(150, 0)]


def test_nothing_freezes_before_the_start_or_between_visits():
    freezer = freezing.ThresholdFreezer([parameter(0.0)], start=120, every=50)
    assert play(freezer, [[0.5] * 200], [[0.1] * 200]) == [(150, 0)]


def test_order_is_that_of_mean_gradients_and_one_freezes_at_a_time():
    alternating = [0.9 * (-1) ** step for step in range(300)]  # large, but with mean zero
    freezer = freezing.ThresholdFreezer([parameter(0.0) for _ in range(3)], start=50, every=50)
    gradients = [[0.3] * 300, alternating, [-0.1] * 300]
    assert play(freezer, [[0.5] * 300] * 3, gradients) == [(50, 1), (100, 2), (150, 0)]
    assert freezer.frozen == 3


def test_gradients_count_since_the_last_visit_only():
    freezer = freezing.ThresholdFreezer([parameter(0.0) for _ in range(3)], start=50, every=50)
    gradients = [[0.0] * 100, [0.9] * 50 + [0.1] * 50, [0.5] * 50 + [0.2] * 50]
    assert play(freezer, [[0.5] * 100] * 3, gradients) == [(50, 0), (100, 1)]


def test_threshold_at_a_whole_number_can_freeze():
    freezer = freezing.ThresholdFreezer([parameter(0.0)], start=50, every=50)
    assert play(freezer, [[1.0] * 60], [[0.1] * 60]) == [(50, 0)]


def test_frozen_threshold_does_not_drift():
    moving, frozen = parameter(0.0), parameter(0.0)
    optimizer = torch.optim.Adam([moving, frozen], lr=0.01)
    freezer = freezing.ThresholdFreezer([frozen], start=10, every=10)
    for _ in range(10):
        for threshold in (moving, frozen):
            threshold.grad = torch.ones(1)
        optimizer.step()
        freezer.step()
    assert freezer.frozen == 1
    before = (float(moving.detach()), float(frozen.detach()))
    moving.grad = torch.zeros(1)  # what a zero gradient would do
    optimizer.step()
    assert float(moving.detach()) != before[0]
    assert float(frozen.detach()) == before[1]
