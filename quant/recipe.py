"""How to train a network of one of the methods; needs no PyTorch."""

from dataclasses import dataclass
from math import cos, pi

__all__ = ["LglsqParts", "Recipe", "recipe_for"]

#: Graffitist's schedules count steps of batches of so many images.
REFERENCE_BATCH = 24


@dataclass(frozen=True, kw_only=True)
class LglsqParts:
    """LG-LSQ's parts, as far as they are known; see :mod:`.train.lglsq`.

    Parameters
    ----------
    step_gradient : str
        ``"probe"``, ``"relative"`` or ``"lsq"``.
    sharpness : float, optional
        Of the arctangent round's slope; straight through if absent.
    delta : float
        Weight of the discretization error in gradients.
    """

    step_gradient: str = "relative"
    sharpness: float | None = 2.0
    delta: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train; the defaults are TQT's, published for ImageNet networks trained already.

    Parameters
    ----------
    epochs : int
        Passes over the data.
    batch : int
        Samples of a step.
    optimizer : str
        Of weights: ``"adam"``, or ``"sgd"`` with momentum 0.9. Thresholds always have Adam, which
        makes their steps independent of the data's scale.
    weight_lr, threshold_lr : float
        Rates at the start; published, for Adam: 1e-6 and 1e-2.
    quantizer_lr : float
        Of a method's steps and intervals, with Adam, as a share of each one's value at the start.
    schedule : str
        ``"steps"``: see the next two. ``"cosine"``: all rates fall to zero along half a cosine.
    weight_halving, threshold_halving : int
        Steps of 24 images after which a rate is 0.94, or half, of what it was; published:
        3000 and 1000.
    weight_decay : float
        Of weights; thresholds minimise the loss alone.
    freeze_start : int
        Steps of 24 images before the first threshold freezes; published: 1000.
    live_norms : float
        Share of the steps in which batch norms follow the data; then they are frozen.
    bfloat16 : bool
        Steps with live norms compute in bfloat16, which is faster; parameters have 32 bits.
    flip : bool
        Mirror every other image, left to right.
    crop : int
        Shift images by up to so many pixels.
    distillation : float
        Share of the loss that is the divergence from the float network's outputs.
    temperature : float
        Of that divergence.
    stages : tuple of int
        Bits to pass through before those wanted, each for as many epochs (QIL's progressive
        fine-tuning).
    seed : int
        Of the order of samples.
    """

    epochs: int = 5
    batch: int = 24
    optimizer: str = "adam"
    weight_lr: float = 1e-6
    threshold_lr: float = 1e-2
    quantizer_lr: float = 1e-3
    schedule: str = "steps"
    weight_halving: int = 3000
    threshold_halving: int = 1000
    weight_decay: float = 0.0
    freeze_start: int = 1000
    live_norms: float = 0.0
    bfloat16: bool = False
    flip: bool = False
    crop: int = 0
    distillation: float = 0.0
    temperature: float = 2.0
    stages: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in ("adam", "sgd"):
            raise ValueError(f"optimizer must be adam or sgd, not {self.optimizer}")
        if self.schedule not in ("steps", "cosine"):
            raise ValueError(f"schedule must be steps or cosine, not {self.schedule}")
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if self.crop < 0:
            raise ValueError(f"crop must not be negative, not {self.crop}")
        for name in ("distillation", "live_norms"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie within 0…1, not {getattr(self, name)}")

    def steps(self, reference: int) -> int:
        """Return steps of this batch for steps of the reference's."""
        return max(1, reference * REFERENCE_BATCH // self.batch)

    def factors(self, step: int, total: int) -> tuple[float, float]:
        """Return what the rates of weights and of quantizers are multiplied by in a step."""
        if self.schedule == "cosine":
            share = (1 + cos(pi * step / total)) / 2
            return share, share
        weights = step // self.steps(self.weight_halving)
        thresholds = step // self.steps(self.threshold_halving)
        return 0.94**weights, 0.5**thresholds


def recipe_for(method: str, *, epochs: int, batch: int = 64, seed: int = 0) -> Recipe:
    """Return a short recipe for a network that is trained in float already.

    Parameters
    ----------
    method : str
        ``"tqt"``, ``"qil"``, ``"lglsq"`` or ``"lsbq"``.
    epochs, batch, seed : int
        See :class:`Recipe`.
    """
    one_bit = method == "lsbq"
    return Recipe(
        epochs=epochs,
        batch=batch,
        seed=seed,
        weight_lr={"tqt": 3e-5, "lsbq": 2e-3}.get(method, 1e-4),
        schedule="cosine",
        freeze_start=60,
        live_norms=0.9 if one_bit else 0.0,
        distillation=0.5,
        stages=(5,) if method == "qil" else (),
    )
