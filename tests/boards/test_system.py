"""The whole system of a board, serial line included, as compiled Verilog."""

import random

import numpy as np
import pytest

from shiftloom.boards.board import load_board
from shiftloom.boards.frames import Command, Decoder, LinkWord, ReplyStatus, Request, reply
from shiftloom.boards.host import Host
from shiftloom.boards.system import System, system_verilog
from shiftloom.flow.board_engine import BoardEngine
from shiftloom.flow.compile import compile
from shiftloom.flow.demonstration import DEMO
from shiftloom.flow.execute import execute
from shiftloom.flow.networks import program_graph
from shiftloom.flow.quantize import quantize
from shiftloom.flow.run import run
from shiftloom.isa.config import load_config
from shiftloom.sim import golden
from shiftloom.sim.result import SimulationError
from shiftloom.sim.rtl_serial import build_port
from tests.support.graph_builder import Builder
from tests.support.graphs import random_codes

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

MEMORY_BYTES, CLOCK_HZ, BAUD = 65_536, 4_000_000, 1_000_000


@pytest.fixture(scope="module", params=["tiny", "icebreaker"])
def config(request):
    return load_config(request.param)


@pytest.fixture(scope="module")
def verilog(config):
    system = System(config, memory_bytes=MEMORY_BYTES, clock_hz=CLOCK_HZ, baud=BAUD)
    return system_verilog(system)


@pytest.fixture
def port(verilog):
    return build_port(verilog, divisor=CLOCK_HZ // BAUD)


@pytest.fixture(scope="module")
def digits(config):
    network = quantize(DEMO / "digits.onnx", DEMO / "calibration.npy")
    return compile(network, config)


class Noisy:
    """A line that damages what it carries, in both directions."""

    def __init__(self, port, seed, share):
        self.port, self.rng, self.share = port, random.Random(seed), share

    def damaged(self, data):
        if not data or self.rng.random() >= self.share:
            return data
        damaged = bytearray(data)
        damaged[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        return bytes(damaged) if self.rng.random() < 0.5 else bytes(damaged[1:])

    def write(self, data):
        self.port.write(self.damaged(data))

    def read(self, size):
        received = self.port.read(size)
        # The host takes byte by byte: some frames are hit, few of them twice.
        return self.damaged(received) if self.rng.random() < 0.002 else received


def test_digits_give_the_same_integers(port, digits):
    found = run(digits, DEMO / "digits.npz", port, samples=4)
    assert found.equal, found.verdict()
    assert found.repeated == 0 and found.integers == 40
    assert found.result.counters["MAC_CYCLES"] > 0


def test_digits_fit_the_tang_nano_and_give_the_same_integers():
    board = load_board("tangnano20k")
    options = {"memory_bytes": board.memory_bytes, "clock_hz": CLOCK_HZ, "baud": BAUD}
    port = build_port(system_verilog(System(board.config, **options)), divisor=CLOCK_HZ // BAUD)
    network = quantize(DEMO / "digits.onnx", DEMO / "calibration.npy")
    found = run(compile(network, board.config), DEMO / "digits.npz", port, samples=4)
    assert found.equal, found.verdict()
    assert found.repeated == 0 and found.integers == 40
    assert found.result.counters["MAC_CYCLES"] > 0


def test_digits_give_the_same_integers_over_a_bad_line(port, digits):
    found = run(digits, DEMO / "digits.npz", Noisy(port, 1, 0.3), samples=2)
    assert found.equal, found.verdict()
    assert found.repeated > 5


def test_a_wrong_result_is_found(port, digits):
    # The first address of the constants holds weights or a bias: another number there is noticed.
    engine, graph = BoardEngine(port), program_graph(digits)
    sample = {name: values[0] for name, values in random_codes(graph, seed=1).items()}
    right = execute(digits, graph, sample, engine.run_segment)
    by_definition = execute(digits, graph, sample, golden.run_segment)
    engine.host.write(0, bytes(range(1, 253)))
    wrong = execute(digits, graph, sample, engine.run_segment)
    (name,) = graph.outputs
    assert np.array_equal(right.outputs[name], by_definition.outputs[name])
    assert not np.array_equal(wrong.outputs[name], by_definition.outputs[name])


def test_programs_for_others_are_refused(port):
    builder = Builder(3)
    graph = builder.graph([builder.conv(builder.input((3, 6)))])
    program = compile(graph, "small")
    codes = {name: values[0] for name, values in random_codes(graph, seed=1).items()}
    with pytest.raises(SimulationError, match="for configuration small"):
        execute(program, graph, codes, BoardEngine(port).run_segment)


def damage(frame, rng):
    """Return a frame with flipped bits, without some bytes, or without its end."""
    frame, kind = bytearray(frame), rng.randrange(4)
    if kind == 0:
        for _ in range(rng.randint(1, 3)):
            frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        at = rng.randrange(len(frame) - 1)
        del frame[at : at + rng.randint(1, 4)]
    elif kind == 2:
        del frame[rng.randrange(1, len(frame) - 1) :]
    else:
        at = rng.randrange(len(frame))
        frame[at:at] = rng.randbytes(rng.randint(1, 6))
    return bytes(frame)


def test_ten_thousand_frames_of_which_half_are_damaged(port):
    rng, expected = random.Random(7), bytearray(4 * 10_000)
    reference, answers, tags, frames = Decoder(), Decoder(), [], []
    intact = set()
    for number in range(10_000):
        data = rng.randbytes(4)
        request = Request(
            command=Command.WRITE, tag=number % 251, address=4 * number, words=1, data=data
        )
        frame = request.to_bytes()
        if rng.random() < 0.5:
            frame = damage(frame, rng)
        else:
            intact.add(number)
        frames.append(frame)
    # What is right by definition: bodies whose CRC fits. Nearly all are those left alone, for a
    # frame may lose or gain nothing but a flag.
    for body in reference.feed(b"".join(frames)):
        number = int.from_bytes(body[2:6], "little") // 4
        expected[4 * number : 4 * number + 4] = body[8:12]
        tags.append(body[1])
        intact.discard(number)
    assert not intact and reference.damaged > 4000
    received, damaged, host = [], 0, Host(port)
    for first in range(0, len(frames), 2_500):
        port.write(b"".join(frames[first : first + 2_500]))
        while data := port.read(64):
            received.extend(reply(body) for body in answers.feed(data))
        # Beside a serial machine the count begins again after 4,095.
        damaged += (host.link_word(LinkWord.DAMAGED_FRAMES) - damaged) % 4096
    assert [found.tag for found in received] == tags
    assert {found.status for found in received} == {ReplyStatus.OK} and answers.damaged == 0
    assert host.read(0, len(expected)) == expected
    assert damaged == reference.damaged
    assert host.link_word(LinkWord.OVERRUNS) == 0
    assert host.repeated == 0
