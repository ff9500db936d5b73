"""Shell: the accelerator behind ports with the names that AXI tools expect."""

from amaranth import ClockDomain, Elaboratable, Module, Signal
from amaranth.hdl import Const, Value

from ..isa.config import Config
from .accelerator import Accelerator

__all__ = ["Shell"]

#: Constant signals of the address channels: one identifier, incrementing bursts, bufferable
#: and modifiable memory, unprivileged secure data access.
_INCREMENTING, _BUFFERABLE = 1, 3

#: Signals of the register port that say nothing to us, and their widths.
_LITE_IGNORED = {"awprot": 3, "arprot": 3}

#: Identifiers that come back; there is only one.
_FULL_IGNORED = {"rid": 1, "bid": 1}

#: How block design tools know the signals that are no bus: type, and what they ask for.
_ROLES = {
    "aclk": ("clock:1.0 {} CLK", "ASSOCIATED_BUSIF s_axi:m_axi, ASSOCIATED_RESET aresetn"),
    "aresetn": ("reset:1.0 {} RST", "POLARITY ACTIVE_LOW"),
    "interrupt": ("interrupt:1.0 {} INTERRUPT", "SENSITIVITY LEVEL_HIGH"),
}


class Shell(Elaboratable):
    """Give the accelerator plain port names.

    Parameters
    ----------
    config : Config
        The accelerator.
    package : bool
        Clock ``aclk``, active-low reset ``aresetn``, and attributes by which block design tools
        know clock, reset and interrupt; otherwise ``clk`` and active-high ``rst``.
    trace : bool
        Bring out what simulators compare.

    Attributes
    ----------
    ports : dict
        Signals by name; those that nothing inside drives are inputs.
    """

    def __init__(self, config: Config, *, package: bool, trace: bool = False) -> None:
        self.config = config
        self.package = package
        self.accelerator = Accelerator(config, trace=trace)
        self.ports = {}
        self._statements = []
        self.clock = self._pin("aclk" if package else "clk", 1)
        self.reset = self._pin("aresetn" if package else "rst", 1)
        self._output("interrupt", self.accelerator.interrupt)
        self._register_port()
        self._memory_port()
        if trace:
            self._trace_ports()

    def _pin(self, name, width):
        attributes = {}
        if self.package and name in _ROLES:
            role, parameter = _ROLES[name]
            attributes["X_INTERFACE_INFO"] = f"xilinx.com:signal:{role.format(name)}"
            attributes["X_INTERFACE_PARAMETER"] = parameter
        self.ports[name] = signal = Signal(width, name=name, attrs=attributes)
        return signal

    def _drive(self, target, value):
        self._statements.append(Value.cast(target).eq(value))

    def _output(self, name, value):
        pin = self._pin(name, len(Value.cast(value)))
        self._drive(pin, Value.cast(value))

    def _input(self, name, target):
        pin = self._pin(name, len(Value.cast(target)))
        self._drive(target, pin)

    def _channel(self, prefix, channel, *, outward):
        """Name the signals of one channel; ``outward`` payloads leave the accelerator."""
        give, take = (self._output, self._input) if outward else (self._input, self._output)
        for field in channel.payload.shape().members:
            give(f"{prefix}{field}", channel.payload[field])
        give(f"{prefix}valid", channel.valid)
        take(f"{prefix}ready", channel.ready)

    def _register_port(self):
        port = self.accelerator.s_axi
        for name in ("aw", "w", "ar"):
            self._channel(f"s_axi_{name}", getattr(port, name), outward=False)
        for name in ("b", "r"):
            self._channel(f"s_axi_{name}", getattr(port, name), outward=True)
        for name, width in _LITE_IGNORED.items():
            self._pin(f"s_axi_{name}", width)

    def _memory_port(self):
        port = self.accelerator.m_axi
        size = self.config.bus_bytes.bit_length() - 1
        constants = {
            "id": Const(0, 1),
            "size": Const(size, 3),
            "burst": Const(_INCREMENTING, 2),
            "cache": Const(_BUFFERABLE, 4),
            "prot": Const(0, 3),
        }
        for name in ("ar", "aw", "w"):
            self._channel(f"m_axi_{name}", getattr(port, name), outward=True)
        for name in ("r", "b"):
            self._channel(f"m_axi_{name}", getattr(port, name), outward=False)
        for name in ("ar", "aw"):
            for field, value in constants.items():
                self._output(f"m_axi_{name}{field}", value)
        for name, width in _FULL_IGNORED.items():
            self._pin(f"m_axi_{name}", width)

    def _trace_ports(self):
        trace = self.accelerator
        self._output("trace_start", trace.trace_start)
        self._output("trace_done", trace.trace_done)
        for name in ("valid", "addr", "data"):
            self._output(f"trace_write_{name}", getattr(trace.trace_write, name))

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        if self.package:
            m.d.comb += [domain.clk.eq(self.clock), domain.rst.eq(~self.reset)]
        else:
            domain.clk, domain.rst = self.clock, self.reset
        m.submodules.core = self.accelerator
        m.d.comb += self._statements
        return m
