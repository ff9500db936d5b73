"""Verilog of an accelerator: one text for people and their tools, one for fast simulation."""

import re
from importlib import metadata
from typing import Any

from amaranth._toolchain.yosys import find_yosys  # not public; the version is bounded below 0.6
from amaranth.back import rtlil

from ..isa.config import Config
from .guards import with_guards
from .shell import Shell

__all__ = [
    "accelerator_rtlil",
    "accelerator_verilog",
    "flat_verilog",
    "module_name",
    "plain_rtlil",
    "simulation_verilog",
    "trace_rtlil",
    "without_collisions",
]

#: Attributes that carry meaning; the rest describes how the text came about.
_ATTRIBUTES = ("init", "no_rw_check", "X_INTERFACE_INFO", "X_INTERFACE_PARAMETER")

_FOR_PEOPLE = ("proc", "opt_expr", "opt_clean -purge", "memory_collect", "write_verilog")
_FOR_SIMULATION = (
    "hierarchy -top shiftloom_top",
    "proc",
    "flatten",
    "opt -full",
    "wreduce t:$add t:$sub t:$mul",  # no 33-bit sum where 32 bits are taken
    "opt_clean -purge",
    "memory_collect",
    "write_verilog -noattr",
)

#: A public name in RTLIL.
_NAME = re.compile(r"\\([^\s\\\"]+)")

_HEADER = """\
Shiftloom {version}: neural network accelerator, configuration {name}.

Generated; change the configuration, not this file. This text belongs to whoever generated it:
the license of the generator does not extend to its output.

Identity of the configuration: {id:#010x}

{toml}"""


def module_name(config: Config) -> str:
    """Return the name of an accelerator's top module."""
    return "shiftloom_" + re.sub(r"[^A-Za-z0-9_]", "_", config.name)


def accelerator_verilog(config: Config) -> str:
    """Return the Verilog of an accelerator with ``aclk``, ``aresetn`` and plain AXI names.

    The same configuration always gives the same text. Inner modules carry the top module's name
    as prefix, so that several accelerators fit into one design.
    """
    name = module_name(config)
    design = _sort_ports(accelerator_rtlil(config), name)
    header = _HEADER.format(
        version=metadata.version("shiftloom"),
        name=config.name,
        id=config.id,
        toml=config.to_toml(),
    )
    comment = "".join(f"// {line}".rstrip() + "\n" for line in header.splitlines())
    return comment + "\n" + _yosys(design, _FOR_PEOPLE)


def accelerator_rtlil(config: Config) -> str:
    """Return the same hardware as RTLIL with plain names, for synthesis."""
    name = module_name(config)
    return plain_rtlil(_rtlil(Shell(config, package=True), name), name)


def simulation_verilog(config: Config, trace: bool = True) -> str:
    """Return the same hardware as one module ``shiftloom_top``, optimized for simulators."""
    return flat_verilog(_rtlil(Shell(config, package=False, trace=trace), "shiftloom_top"))


def trace_rtlil(config: Config, platform: Any = None) -> str:
    """Return the same module as RTLIL with plain names, for synthesis.

    Parameters
    ----------
    config : Config
        The accelerator.
    platform : object, optional
        What blocks are built for; its ``family`` says which cells they may instantiate.
    """
    shell = Shell(config, package=False, trace=True)
    design = _rtlil(shell, "shiftloom_top", platform)
    return without_collisions(plain_rtlil(design, "shiftloom_top"))


def without_collisions(design: str) -> str:
    """Return RTLIL in which synthesis may give anything for a word read while it is written.

    For memories that say so (:mod:`.storage`): Yosys heeds their attribute in Verilog only, and
    adds comparators and registers otherwise.
    """
    return "".join(map(_free_collisions, re.split(r"^(?=module )", design, flags=re.MULTILINE)))


def _free_collisions(module: str) -> str:
    free = set(re.findall(r"no_rw_check 1\n +memory .*\\(\w+)$", module, re.MULTILINE))

    def change(match: re.Match[str]) -> str:
        memory = re.search(r'\\MEMID "\\\\(\w+)"', match[0])
        if memory is None or memory[1] not in free:
            return match[0]
        return re.sub(
            r"(\\COLLISION_X_MASK )(\d+)'0+$",
            lambda mask: f"{mask[1]}{mask[2]}'{'1' * int(mask[2])}",
            match[0],
            flags=re.MULTILINE,
        )

    return re.sub(r"  cell \$memrd_v2 .*\n(?:    parameter .*\n)*", change, module)


def flat_verilog(design: str) -> str:
    """Return Amaranth's RTLIL of a module ``shiftloom_top`` as Verilog for fast simulators."""
    design = _sort_ports(_without_zeros(_without_notes(design)), "shiftloom_top")
    return with_guards(_yosys(design, _FOR_SIMULATION))


def plain_rtlil(design: str, top: str, keep: tuple[str, ...] = ()) -> str:
    """Return Amaranth's RTLIL with names that need no escape, and without what tools ignore.

    Attributes are dropped but for those that Shiftloom's blocks use, and those to ``keep``.
    """
    design = _plain_names(_without_zeros(_without_notes(design, keep)), top)
    return "".join(_with_free_reads(module) for module in _modules(design))


def _rtlil(shell: Shell, name: str, platform: Any = None) -> str:
    ports = list(shell.ports.values())
    return rtlil.convert(shell, name=name, ports=ports, platform=platform, emit_src=False)


def _yosys(design: str, commands: tuple[str, ...]) -> str:
    """Return the Verilog that Yosys writes."""
    script = "\n".join((f"read_rtlil <<rtlil\n{design}\nrtlil", *commands))
    tool = find_yosys(lambda version: version >= (0, 40))
    text = tool.run(["-q", "-"], script, ignore_warnings=True)
    text = re.sub(r"\A/\* Generated by .*? \*/\n+", "", text)
    for name in sorted(set(re.findall(r"\\(\w+) ", text))):  # a word that Verilog reserves
        plain = f"{name}_"
        while re.search(rf"\b{plain}\b", text):
            plain += "_"
        text = text.replace(f"\\{name} ", plain)
    return text


def _without_notes(design: str, keep: tuple[str, ...] = ()) -> str:
    """Drop attributes that say nothing about the hardware, and all but those of ports."""
    kept = "|".join((*_ATTRIBUTES, *keep))
    design = re.sub(rf"^ *attribute \\(?!(?:{kept})\b).*\n", "", design, flags=re.MULTILINE)
    inner = r"^(?:  attribute \\X_.*\n)+(?=  wire width \d+ \\)"
    return re.sub(inner, "", design, flags=re.MULTILINE)


def _without_zeros(design: str) -> str:
    """Drop initial contents of memories that are all zero: no tool needs one line per row."""
    block = r"  cell \$meminit_v2 .*\n(?:    parameter .*\n)*    connect \\ADDR .*\n"
    zeros = block + r"    connect \\DATA \d+'0+\n    connect \\EN .*\n  end\n"
    return re.sub(zeros, "", design)


def _plain_names(design: str, top: str) -> str:
    """Give modules and signals names that need no escape."""
    design = re.sub(
        rf"\\{top}((?:\.\w+)+)", lambda match: f"\\{top}{match[1].replace('.', '__')}", design
    )
    return "".join(_plain_signals(module) for module in _modules(design))


def _modules(design: str) -> list[str]:
    """Cut a design where its modules begin."""
    return re.split(r"^(?=module )", design, flags=re.MULTILINE)


def _with_free_reads(module: str) -> str:
    """Let reads of marked memories give anything in the cycle in which their word is written.

    Yosys heeds ``no_rw_check`` where it makes read ports out of registers, as from Verilog; ports
    that are there from the start must say it themselves, or synthesis adds what decides.
    """
    marked = r"^  attribute \\no_rw_check 1\n(?:  attribute .*\n)*  memory .* \\(\S+)$"
    for name in re.findall(marked, module, flags=re.MULTILINE):
        port = rf'  cell \$memrd_v2 .*\n    parameter \\MEMID "\\\\{name}"\n'
        mask = r"(?:    parameter .*\n)*?    parameter \\COLLISION_X_MASK \d+'"
        module = re.sub(f"({port}{mask})(0+)", _all_ones, module)
    return module


def _all_ones(match: re.Match[str]) -> str:
    return match[1] + "1" * len(match[2])


def _plain_signals(module: str) -> str:
    taken = set(_NAME.findall(module))
    chosen = {}
    for name in sorted(name for name in taken if not re.fullmatch(r"[A-Za-z_]\w*", name)):
        plain = re.sub(r"\W|^(?=\d)", "_", name)
        while plain in taken:
            plain += "_"
        taken.add(plain)
        chosen[name] = plain
    return _NAME.sub(lambda match: "\\" + chosen.get(match[1], match[1]), module)


def _sort_ports(design: str, top: str) -> str:
    """Put the ports of the top module in the order of their names."""
    start = design.index(f"module \\{top}\n")
    end = design.index("\nend\n", start)
    port = re.compile(r"^  wire (.*?)(input|output) \d+ +\\(\w+)$", re.MULTILINE)
    module = design[start:end]
    names = sorted(match[3] for match in port.finditer(module))
    numbers = {name: n for n, name in enumerate(names, start=1)}
    numbered = port.sub(lambda m: f"  wire {m[1]}{m[2]} {numbers[m[3]]} \\{m[3]}", module)
    return design[:start] + numbered + design[end:]
