"""Trainable LG-LSQ quantizer (Lin et al., 2022, arXiv 2202.09009), as far as it is known.

Only the abstract could be read. Each part is selected separately:

====================  ==================================================  ======================
part                  choice                                              source
====================  ==================================================  ======================
gradient of the step  ``"probe"``: three-point probe, ``±step**2``        ancestor LLSQ's code
..                    ``"relative"``: the same probe, ``±step``           reconstruction
..                    ``"lsq"``: derivative over ``sqrt(N * high)``       LSQ (ICLR 2020)
round's gradient      ``sharpness=None``: straight through                LLSQ
..                    ``sharpness=k``: slope of the arctangent round      reconstruction
error in gradients    ``delta=0``: none                                   LLSQ
..                    ``delta``: ``1 + delta sign(g) (x/s - round)``      guess, after EWGS
====================  ==================================================  ======================

The deployed twin is :mod:`shiftloom.quant.quantizers.lglsq`; it is the same for all choices.
"""

from math import atan
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..quantizers.lglsq import Lglsq, decide, initial_step
from .coded import Coded
from .gradients import scale_gradient, simulate_gradient, straight_through

__all__ = ["STEP_GRADIENTS", "LglsqQuantizer"]

STEP_GRADIENTS = ("probe", "relative", "lsq")

LEAST_STEP = 2.0**-24

#: Values that a probe looks at, evenly spaced.
PROBED = 1 << 15


class _Round(torch.autograd.Function):
    """Round half to even; backward the arctangent's slope and the discretization error."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sharpness: float | None, delta: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.sharpness, ctx.delta = sharpness, delta
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,), gradient = ctx.saved_tensors, gradients[0]
        if ctx.sharpness is not None:
            k = ctx.sharpness
            inside = k * (x - torch.floor(x) - 0.5)
            gradient = gradient * (k / (2 * atan(k / 2))) / (1 + inside**2)
        if ctx.delta:
            gradient = gradient * (1 + ctx.delta * gradients[0].sign() * (x - torch.round(x)))
        return gradient, None, None


class LglsqQuantizer(nn.Module):
    """Linear symmetric quantizer with a trained real step.

    Parameters
    ----------
    bits, signed
        Of a code.
    narrow : bool
        Leave out the most negative code.
    step_gradient : str
        ``"probe"``, ``"relative"`` or ``"lsq"``: see the module.
    sharpness : float, optional
        ``k`` of the arctangent round's slope.
    delta : float
        Weight of the discretization error in gradients.
    clips : bool
        Values outside the range get no gradient (activations); LLSQ passes weights' on.
    """

    #: A factor on the weights changes their codes.
    rescales = True

    def __init__(
        self,
        bits: int,
        *,
        signed: bool,
        narrow: bool = False,
        step_gradient: str = "probe",
        sharpness: float | None = None,
        delta: float = 0.0,
        clips: bool = True,
    ) -> None:
        super().__init__()
        if step_gradient not in STEP_GRADIENTS:
            raise ValueError(
                f"step_gradient must be one of {', '.join(STEP_GRADIENTS)}, not {step_gradient}"
            )
        #: Everything but the step.
        self.form = Lglsq(step=1.0, bits=bits, signed=signed, narrow=narrow)
        self.step_gradient, self.clips = step_gradient, clips
        self.sharpness, self.delta = sharpness, delta
        self.step = nn.Parameter(torch.tensor(1.0))

    def initialise(self, values: NDArray[Any], method: str = "llsq") -> None:
        """Set the step from data, as ``"llsq"`` or ``"lsq"`` do."""
        found = initial_step(values, self.form.bits, self.form.signed, method)
        with torch.no_grad():
            self.step.fill_(max(found, LEAST_STEP))

    def direction(self, x: Tensor) -> int:
        """Return the probe's direction for some values: 1 grow, -1 shrink, 0 keep."""
        x, errors = x.detach().ravel(), []
        x = x[:: max(1, x.numel() // PROBED)]
        for factor in (0.5, 1.0, 2.0):
            step = self.step.detach() * factor
            codes = torch.round(x / step).clamp(self.form.low, self.form.high)
            errors.append(float(((x - codes * step) ** 2).mean()))
        return decide(*errors)

    def _trained_step(self, x: Tensor) -> Tensor:
        """Return the step with the chosen gradient."""
        step = straight_through(self.step, self.step.detach().clamp(min=LEAST_STEP))
        if not (self.training and self.step.requires_grad):
            return step
        if self.step_gradient == "lsq":
            return scale_gradient(step, (x.numel() * max(self.form.high, 1)) ** -0.5)
        size = step.detach() ** (2 if self.step_gradient == "probe" else 1)
        return simulate_gradient(step, -self.direction(x) * size)

    def forward(self, x: Tensor) -> Tensor:
        """Return quantized values."""
        return self.coded(x).values()

    def coded(self, x: Tensor) -> Coded:
        """Return codes, and the step as their unit."""
        step = self._trained_step(x)
        scaled = x / step
        clipped = scaled.clamp(self.form.low, self.form.high)
        if not self.clips:
            clipped = straight_through(scaled, clipped.detach())
        codes: Tensor = _Round.apply(clipped, self.sharpness, self.delta)
        return Coded(codes, step)

    def deployed(self) -> Lglsq:
        """Return the NumPy twin."""
        form = self.form
        step = max(float(self.step.detach()), LEAST_STEP)
        return Lglsq(step=step, bits=form.bits, signed=form.signed, narrow=form.narrow)
