"""RTLIL as text: what tools ignore goes, and names become plain."""

import re

__all__ = ["plain_rtlil", "sort_ports", "without_notes", "without_zeros"]

#: Attributes that carry meaning; the rest describes how the text came about.
_ATTRIBUTES = ("init", "no_rw_check", "ram_style", "X_INTERFACE_INFO", "X_INTERFACE_PARAMETER")

#: A public name in RTLIL.
_NAME = re.compile(r"\\([^\s\\\"]+)")


def plain_rtlil(design: str, top: str, keep: tuple[str, ...] = ()) -> str:
    """Return Amaranth's RTLIL with names that need no escape, and without what tools ignore.

    Attributes are dropped but for those that Shiftloom's blocks use, and those to ``keep``.
    """
    design = _plain_names(without_zeros(without_notes(design, keep)), top)
    return "".join(_with_free_reads(module) for module in _modules(design))


def without_notes(design: str, keep: tuple[str, ...] = ()) -> str:
    """Drop attributes that say nothing about the hardware, and all but those of ports."""
    kept = "|".join((*_ATTRIBUTES, *keep))
    design = re.sub(rf"^ *attribute \\(?!(?:{kept})\b).*\n", "", design, flags=re.MULTILINE)
    inner = r"^(?:  attribute \\X_.*\n)+(?=  wire width \d+ \\)"
    return re.sub(inner, "", design, flags=re.MULTILINE)


def without_zeros(design: str) -> str:
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


def sort_ports(design: str, top: str) -> str:
    """Put the ports of the top module in the order of their names."""
    start = design.index(f"module \\{top}\n")
    end = design.index("\nend\n", start)
    port = re.compile(r"^  wire (.*?)(input|output) \d+ +\\(\w+)$", re.MULTILINE)
    module = design[start:end]
    names = sorted(match[3] for match in port.finditer(module))
    numbers = {name: n for n, name in enumerate(names, start=1)}
    numbered = port.sub(lambda m: f"  wire {m[1]}{m[2]} {numbers[m[3]]} \\{m[3]}", module)
    return design[:start] + numbered + design[end:]
