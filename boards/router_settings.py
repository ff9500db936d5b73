"""How nextpnr's second router looks for wires in an ECP5 that is nearly full."""

from .flat_module import FlatModule

__all__ = ["ROUTER_SETTINGS", "set_router"]

#: What the router has no options for, but reads from the netlist; values as nextpnr writes them.
#: It guesses how far a wire is from its end, and takes 1.25 times its guess by default: routes are
#: found sooner, but they are longer. What a wire costs that another net has grows by 2 each round
#: by default: nets then go so far around each other that one of them is late. One placement of
#: ulx3s, routed: 58 MHz with both defaults, 72 with the first, 87 with neither.
ROUTER_SETTINGS = {"router2/estimateWeight": "1.0", "router2/currCongWeightMult": "1.0"}


def set_router(module: FlatModule) -> None:
    """Let the router look for the shortest wires rather than for the first ones.

    Parameters
    ----------
    module : FlatModule
        An ECP5's netlist, which is changed.
    """
    module.set(ROUTER_SETTINGS)
