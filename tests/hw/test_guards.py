"""Registers gathered under what enables them: the text changes, the hardware does not."""

import re

import numpy as np
import pytest

from shiftloom.hw import guards
from shiftloom.hw.guards import with_guards

#: Enables in every form that is looked into, and a value that is read inside, outside, or both.
TEXT = r"""module top(clk, en, sel, a, o, p);
  input clk;
  wire clk;
  input en;
  wire en;
  input [3:0] sel;
  wire [3:0] sel;
  input [7:0] a;
  wire [7:0] a;
  output [7:0] o;
  wire [7:0] o;
  output [7:0] p;
  wire [7:0] p;
  wire _0_;
  wire _1_;
  wire [7:0] _2_;
  wire [7:0] _3_;
  wire [7:0] _4_;
  wire [7:0] _5_;
  reg [7:0] \x.r0  = 8'h00;
  reg [7:0] \x.r1  = 8'h00;
  reg [7:0] \x.r2  = 8'h00;
  reg [7:0] \x.r3  = 8'h00;
  reg [7:0] \x.r4  = 8'h00;
  assign _0_ = sel == 4'h3;
  assign _1_ = en & _0_;
  assign _2_ = a + p;
  assign _3_ = _2_ ^ \x.r0 ;
  assign _4_ = a - \x.r2 ;
  assign _5_ = _4_ + 8'h01;
  always @(posedge clk)
    if (en) \x.r0  <= _3_;
  always @(posedge clk)
    if (_1_) \x.r1  <= _5_;
  always @(posedge clk)
    if (sel[0]) \x.r2  <= _5_;
  always @(posedge clk)
    if (sel[1]) \x.r3  <= \x.r2 ;
  always @(posedge clk)
    if (!en) \x.r4  <= _4_;
  assign o = \x.r0  ^ \x.r1 ;
  assign p = \x.r3  ^ \x.r4 ;
endmodule
"""


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(guards, "_LEAST", 2)


def block(text, guard):
    """Return the statements under a guard."""
    found = re.search(rf"    if \({re.escape(guard)} \) begin\n(.*?)    end\n", text, re.DOTALL)
    return [line.strip() for line in found[1].splitlines()] if found else None


def outputs(text, cycles=200, seed=0):
    """Return what the module gives for random inputs, by the meaning of its few statements."""
    random = np.random.default_rng(seed)
    declaration = re.compile(r"^  (?:wire|reg) (?:\[(\d+):0\] )?(\S+?) *[;=]", re.MULTILINE)
    widths = {name: int(high or 0) + 1 for high, name in declaration.findall(text)}
    state = dict.fromkeys(widths, 0)
    assigns = re.findall(r"^  assign (\S+) += (.*);", text, re.MULTILINE)
    blocks = re.findall(r"^    (if .*\n(?:      .*\n|    end\n)*)", text, re.MULTILINE)
    found = []
    for _ in range(cycles):
        state |= {"en": int(random.integers(2)), "sel": int(random.integers(16))}
        state["a"] = int(random.integers(256))
        for _ in assigns:  # in any order, as often as the longest chain may need
            for name, expression in assigns:
                state[name] = value(expression, state) % (1 << widths[name])
        found.append((state["o"], state["p"]))
        state |= clocked(blocks, state, widths)
    return found


def clocked(blocks, state, widths):
    """Return what registers take at the end of a cycle."""
    taken = {}
    for block in blocks:
        seen = dict(state)  # values inside a block are its own
        guard, body = re.fullmatch(r"if \((.*?)\) (begin\n.*end\n|.*\n)", block, re.DOTALL).groups()
        if not value(guard, seen):
            continue
        for line in re.findall(r"(?:if .*|\S+ +<?= .*);", body):
            enable, name, kind, expression = re.fullmatch(
                r"(?:if \((.*)\) )?(\S+) +(<?=) (.*);", line
            ).groups()
            if enable is None or value(enable, seen):
                target = taken if kind == "<=" else seen
                target[name] = value(expression, seen) % (1 << widths[name])
    return taken


def value(expression, state):
    """Return an expression's value: names, bits, constants and the operators of ``TEXT``."""
    expression = re.sub(r"\d+'h([0-9a-f]+)", lambda m: str(int(m[1], 16)), expression.strip())
    expression = re.sub(r"^!", "0 == ", re.sub(r"^\|", "0 != ", expression))

    def read(match):
        number = state[match[1]]
        return f"({number} >> {match[2]} & 1)" if match[2] else str(number)

    return int(eval(re.sub(r"(\\\S+|[A-Za-z_]\w*)(?: *\[(\d+)\])?", read, expression)))


def test_registers_are_gathered_with_what_only_they_read():
    text = with_guards(TEXT)
    inside = block(text, "en")
    assert inside[-2:] == [r"\x.r0  <= _3_;", r"if (_1_ ) \x.r1  <= _5_;"]
    assert set(inside[:-2]) == {
        "_0_ = sel == 4'h3;",
        "_1_ = en & _0_;",
        r"_2_ = a + p;",
        r"_3_ = _2_ ^ \x.r0 ;",
    }
    assert inside.index(r"_2_ = a + p;") < inside.index(r"_3_ = _2_ ^ \x.r0 ;")
    assert block(text, "|sel") == [
        r"if (sel[0] ) \x.r2  <= _5_;",
        r"if (sel[1] ) \x.r3  <= \x.r2 ;",
    ]
    assert "reg [7:0] _2_;" in text and "wire [7:0] _4_;" in text and "wire [7:0] _5_;" in text


@pytest.mark.parametrize("enable", ["en & _0_", "en | _0_", "en ^ _0_"])
def test_outputs_stay_the_same(enable):
    text = TEXT.replace("en & _0_", enable)
    expected = outputs(text)
    assert len(set(expected)) > 50
    assert outputs(with_guards(text)) == expected


def test_few_registers_stay_where_they_are(monkeypatch):
    monkeypatch.setattr(guards, "_LEAST", 3)
    assert with_guards(TEXT) == TEXT


@pytest.mark.parametrize("other", ["en & _0_", "_0_ & en"])
def test_either_side_of_a_conjunction_may_be_the_guard(other):
    assert len(block(with_guards(TEXT.replace("en & _0_", other)), "en")) == 6


@pytest.mark.parametrize("other", ["en | _0_", "en ^ _0_", "~en & _0_"])
def test_what_the_enable_does_not_imply_is_no_guard(other):
    assert block(with_guards(TEXT.replace("en & _0_", other)), "en") is None


def test_a_bracket_in_a_name_is_no_bit():
    text = TEXT.replace("sel[0]", r"\x.e[0] ").replace("sel[1]", r"\x.e[1] ")
    assert "|" not in with_guards(text)
