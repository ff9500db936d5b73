"""An ECP5's global network for nets that reset thousands of flip-flops."""

from .copies import copy_driver
from .flat_module import FlatModule

__all__ = ["LEAST_RESETS", "reset_globally"]

#: Flip-flops that make a net worth one of the chip's global networks.
LEAST_RESETS = 1_000


def reset_globally(module: FlatModule) -> None:
    """Bring a net that resets very many flip-flops to them by a global network.

    Clocks alone are put there by nextpnr. As an ordinary net, the reset of the accelerator's run
    took longer than any other path, and the wires of its surroundings. What else the net leads to
    is left alone.

    Parameters
    ----------
    module : FlatModule
        An ECP5's netlist, which is changed.
    """
    for net, readers in list(module.readers.items()):
        resets = [pin for pin in readers if pin.port == "LSR"]
        if len(resets) < LEAST_RESETS:
            continue
        # The way to the network is long, and so begins in a register that leads nowhere else.
        source = copy_driver(module, net) if module.kind(net) == "TRELLIS_FF" else net
        buffered = module.add(f"reset_{net}_buffer", "DCCA", {"CLKI": source, "CE": "1"}, "CLKO")
        for pin in resets:
            module.move(pin, buffered)
