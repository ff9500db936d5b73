"""A 3x3 convolution of bit-planes as instructions for the bit array.

Every pair of an input plane and a weight plane is one MAC job into the same accumulators, which are
doubled from each power of two to the next smaller one. Weights of the next output block arrive
while the present ones are in use, and results are packed into planes again, ready for another such
layer.
"""

from dataclasses import dataclass
from itertools import product

from shiftloom.isa.config import Config
from shiftloom.isa.instructions import Buffer, Instruction, Opcode, Region
from shiftloom.isa.requantize import Rounding

__all__ = ["KERNEL", "BitShape", "bit_instructions"]

#: Rows and columns of the kernel.
KERNEL = 3

#: Jobs of an output block: half of the rows each, into one half of the accumulators.
_HALVES = 2

#: Output blocks whose bits share a word.
_PARTS = 8


@dataclass(frozen=True, kw_only=True)
class BitShape:
    """What a layer is, and what follows from it.

    Binary weights are bipolar, and so are binary inputs beside them; other weights are two's
    complement, other inputs unsigned.

    Parameters
    ----------
    config : Config
        With a bit array.
    channels, size : int
        Of input and output: a multiple of the bit lanes; rows and columns, an even number.
    weight_bits, bits : int
        Of weights, and of inputs and outputs.

    Raises
    ------
    ValueError
        A layer that does not fit.
    """

    config: Config
    channels: int
    size: int
    weight_bits: int
    bits: int

    def __post_init__(self) -> None:
        if self.channels % self.config.bit_lanes or self.size % _HALVES:
            raise ValueError(f"{self.channels} channels or {self.size} rows are no multiples")
        needed = {
            "activation_words": 2 * self.bits * self.plane_words,
            "weight_words": 2 * self.weight_bits * self.tile_words,
            "accumulator_pixels": self.rows * self.size,
            "parameter_words": self.parts,
        }
        for name, least in needed.items():
            if least > getattr(self.config, name):
                raise ValueError(f"{least} {name} needed, not {getattr(self.config, name)}")

    @property
    def bipolar_weights(self) -> bool:
        """Whether weights are -1 and +1."""
        return self.weight_bits == 1

    @property
    def bipolar_inputs(self) -> bool:
        """Whether inputs are -1 and +1."""
        return self.weight_bits == self.bits == 1

    @property
    def blocks(self) -> int:
        """Input words of a pixel of one plane."""
        return self.channels // self.config.bit_lanes

    @property
    def parts(self) -> int:
        """Output blocks of as many channels as the array has columns."""
        return self.channels // self.config.columns

    @property
    def plane_words(self) -> int:
        """Words of one plane of a map."""
        return self.blocks * self.size**2

    @property
    def tile_words(self) -> int:
        """Words of one plane of an output block's weights."""
        return self.blocks * KERNEL**2 * self.config.columns

    @property
    def rows(self) -> int:
        """Output rows of a job."""
        return self.size // _HALVES

    @property
    def binary_macs(self) -> int:
        """Products of two bits, all pairs of planes together."""
        return self.bits * self.weight_bits * (self.channels * KERNEL * self.size) ** 2

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Planes of inputs and of weights that are multiplied, the largest powers of two first."""
        found = product(range(self.bits), range(self.weight_bits))
        return sorted(found, key=sum, reverse=True)


def bit_instructions(shape: BitShape, weights_at: int) -> list[Instruction]:
    """Return the program of a layer.

    Region CONSTANTS holds parameters, and from byte ``weights_at`` on weights, for each output
    block all planes; INPUT and OUTPUT hold planes as :func:`shiftloom.isa.layout.pack_planes` lays
    them out.
    """
    writer = _Writer(shape, weights_at)
    writer.write()
    return writer.code


class _Writer:
    """Instructions so far, and how much work of each engine they are."""

    def __init__(self, shape: BitShape, weights_at: int) -> None:
        self.shape, self.weights_at = shape, weights_at
        self.word = shape.config.word_bytes
        self.code: list[Instruction] = []
        self.work = dict.fromkeys((Opcode.LOAD, Opcode.MAC, Opcode.VECTOR, Opcode.STORE), 0)

    def write(self) -> None:
        """Write everything."""
        shape = self.shape
        self._add(Opcode.CONFIG, config_id=shape.config.id)
        self._settings()
        weights = self._load_weights(0)
        inputs = [self._load_inputs(range(shape.rows + 1))]
        self._add(Opcode.LOAD, buffer=Buffer.PARAMETER, words=8 * shape.parts, runs=1)
        self.parameters = self.work[Opcode.LOAD]
        inputs.append(self._load_inputs(range(shape.rows + 1, shape.size)))
        drained = [0] * _HALVES
        for part in range(shape.parts):
            present = weights
            if part + 1 < shape.parts:
                weights = self._load_weights(part + 1)
            for half in range(_HALVES):
                waits = {"wait_load": max(present, inputs[half]), "wait_vector": drained[half]}
                self._multiply(part, half, waits)
                drained[half] = self._drain(part, half)
                if part % _PARTS == _PARTS - 1 or part + 1 == shape.parts:
                    self._store(part // _PARTS, half)
        self._add(Opcode.END)

    def _add(self, opcode: Opcode, **fields: int) -> int:
        """Add an instruction; return how much work of its engine there is now."""
        self.code.append(Instruction(opcode, {name: int(v) for name, v in fields.items()}))
        if opcode not in self.work:
            return 0
        self.work[opcode] += 1
        return self.work[opcode]

    def _settings(self) -> None:
        shape, row = self.shape, self.shape.size * self.word
        self._add(
            Opcode.MAC_LOOPS,
            bitwise=1,
            bipolar_inputs=shape.bipolar_inputs,
            bipolar_weights=shape.bipolar_weights,
            lanes=shape.config.bit_lanes,
            blocks=shape.blocks,
            groups=1,
            kernel_rows=KERNEL,
            kernel_columns=KERNEL,
            columns=shape.size,
            block_stride=shape.size * row,
            kernel_row_stride=row,
            kernel_column_stride=self.word,
            row_stride=row,
            column_stride=self.word,
            kernel_row_y=1,
            kernel_column_x=1,
            row_y=1,
            column_x=1,
            height=shape.size,
            width=shape.size,
        )
        strides = {"write_row_stride": shape.size, "write_stride": 1}
        self._add(Opcode.VECTOR_LOOPS, columns=shape.size, emit_period=1, **strides)

    def _load_weights(self, part: int) -> int:
        """Load an output block's weights in the place of those of the block before the last."""
        words = self.shape.weight_bits * self.shape.tile_words
        return self._add(
            Opcode.LOAD,
            wait_mac=self.work[Opcode.MAC],
            buffer=Buffer.WEIGHT,
            region=Region.CONSTANTS,
            offset=self.weights_at + part * words * self.word,
            addr=part % 2 * words,
            words=words,
            runs=1,
        )

    def _load_inputs(self, rows: range) -> int:
        """Load some rows of all planes and blocks."""
        size = self.shape.size
        return self._add(
            Opcode.LOAD,
            buffer=Buffer.ACTIVATION,
            region=Region.INPUT,
            offset=rows.start * size * self.word,
            addr=rows.start * size,
            words=len(rows) * size,
            runs=self.shape.bits * self.shape.blocks,
            pitch=size**2,
            memory_pitch=size**2 * self.word,
        )

    def _multiply(self, part: int, half: int, waits: dict[str, int]) -> None:
        """Add the products of all pairs of planes for half of the rows of an output block."""
        shape, first = self.shape, half * self.shape.rows
        power = sum(shape.pairs[0])
        for plane, weight_plane in shape.pairs:
            corner = plane * shape.plane_words + (first - 1) * shape.size - 1
            weights = part % 2 * shape.weight_bits + weight_plane
            sign = weight_plane == shape.weight_bits - 1 and not shape.bipolar_weights
            self._add(
                Opcode.MAC,
                **waits,
                accumulate=(plane, weight_plane) != shape.pairs[0],
                half=half,
                rows=shape.rows,
                addr=corner * self.word,
                y=first - 1,
                x=-1,
                weight_addr=weights * shape.tile_words,
                double=plane + weight_plane < power,
                negative=sign,
            )
            power = plane + weight_plane

    def _drain(self, part: int, half: int) -> int:
        """Pack results plane by plane; binary ones are 1 where a sum is not negative."""
        shape = self.shape
        most = (1 << shape.bits) - 1
        low, high = (-1, 0) if shape.bits == 1 else (0, most)
        code = {"low": low, "high": high, "out_low": 0, "out_high": most}
        macs, work = self.work[Opcode.MAC], 0
        for plane in range(shape.bits):
            self._add(
                Opcode.VECTOR_REQUANTIZE, rounding=Rounding.FLOOR, pack=1, plane=plane, **code
            )
            work = self._add(
                Opcode.VECTOR,
                wait_mac=macs,
                wait_load=self.parameters,
                half=half,
                rows=shape.rows,
                parameter_addr=part,
                part=part % _PARTS,
                write_addr=self._result(plane, part // _PARTS, half),
            )
        return work

    def _result(self, plane: int, block: int, half: int) -> int:
        """Return where results begin; the first ones lie behind the inputs."""
        shape = self.shape
        words = (shape.bits + plane) * shape.plane_words
        return words + block * shape.size**2 + half * shape.rows * shape.size

    def _store(self, block: int, half: int) -> None:
        """Store half of the rows of all planes of a block of words."""
        shape, first = self.shape, self._result(0, block, half)
        self._add(
            Opcode.STORE,
            wait_vector=self.work[Opcode.VECTOR],
            region=Region.OUTPUT,
            offset=(first - shape.bits * shape.plane_words) * self.word,
            addr=first,
            words=shape.rows * shape.size,
            runs=shape.bits,
            pitch=shape.plane_words,
            memory_pitch=shape.plane_words * self.word,
        )
