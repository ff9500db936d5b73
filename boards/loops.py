"""Phase-locked loops whose feedback is their output: dividers that keep a chip's limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from .board import BoardError

__all__ = ["Loop", "LoopLimits", "within"]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Dividers in front of the phase detector, in the feedback, and behind the oscillator."""

    input_divider: int
    feedback_divider: int
    output_divider: int


@dataclass(frozen=True, kw_only=True)
class LoopLimits:
    """What a chip's loop allows.

    Parameters
    ----------
    vco_hz, detector_hz : tuple of int
        Least and largest frequency of the oscillator and of the phase detector.
    dividers : range
        Of the input and of the feedback.
    output_dividers : sequence of int
        The first that keeps the limits is taken.
    """

    vco_hz: tuple[int, int]
    detector_hz: tuple[int, int]
    dividers: range
    output_dividers: Sequence[int]

    def loop(self, input_hz: int, output_hz: int) -> Loop:
        """Return dividers that give exactly a frequency.

        Raises
        ------
        BoardError
            There are none.
        """
        for divider in self.dividers:
            feedback, rest = divmod(output_hz * divider, input_hz)
            detector = input_hz / divider
            if rest or feedback not in self.dividers or not within(detector, self.detector_hz):
                continue
            for output in self.output_dividers:
                if within(output_hz * output, self.vco_hz):
                    return Loop(
                        input_divider=divider, feedback_divider=feedback, output_divider=output
                    )
        raise BoardError(f"no dividers make {output_hz} Hz from {input_hz} Hz")


def within(value: float, limits: tuple[int, int]) -> bool:
    """Return whether a frequency in hertz keeps a phase-locked loop's limits."""
    return limits[0] <= value <= limits[1]
