"""PYNQ driver of a Shiftloom accelerator: one file that needs ``pynq`` and NumPy.

    from pynq import Overlay
    import shiftloom_pynq                     # before the overlay, which looks for drivers

    accelerator = Overlay("shiftloom.bit").accelerator
    accelerator.load("model.program")         # a file that shiftloom compile wrote
    outputs = accelerator.run(image=codes)    # integer codes, (channels, height, width)
    accelerator.compare("samples.npz")        # None if every integer is right

Python 3.8 or later, NumPy 1 or 2.
"""

import json
import time

import numpy as np
from pynq import DefaultIP, allocate
from shiftloom_registers import (
    CONTROL_RESET,
    CONTROL_START,
    ERRORS,
    INSTRUCTION_BYTES,
    OFFSETS,
    STATUS_BUSY,
    STATUS_DONE,
    VLNV,
)

#: Buffers of a program: four regions, and behind them its instructions.
_CODE = 4

#: The region that the host writes before a run.
_INPUT = 1


class ShiftloomError(RuntimeError):
    """A file that cannot be used, or a machine that stopped; the message says why."""


class Accelerator(DefaultIP):
    """Runs compiled networks; one program is loaded at a time."""

    bindto = (VLNV,)

    def __init__(self, description):
        super().__init__(description=description)
        self._program = None
        self._buffers = []

    def register(self, name):
        """Return the value of a register."""
        return self.read(OFFSETS[name])

    def load(self, path):
        """Load a program file and put its constants and instructions into memory."""
        program = Program(path)
        found = self.register("CONFIG_ID")
        if program.config_id != found:
            raise ShiftloomError(
                f"{path} is for an accelerator with id {program.config_id:#010x}, "
                f"this one has {found:#010x}"
            )
        self.free()
        sizes = [max(size, 1) for size in program.region_bytes]
        for size in (*sizes, len(program.code)):
            buffer = allocate(shape=(size,), dtype=np.uint8)
            buffer[:] = 0
            self._buffers.append(buffer)
        self._buffers[0][: len(program.constants)] = program.constants
        self._buffers[_CODE][:] = program.code
        for buffer in self._buffers:
            buffer.flush()
        self._program = program

    def free(self):
        """Give the memory of the program back."""
        for buffer in self._buffers:
            buffer.freebuffer()
        self._buffers = []
        self._program = None

    def run(self, timeout=10.0, **inputs):
        """Run the program on one sample.

        Inputs and the outputs that are returned are integer codes by tensor name, each of shape
        (channels, height, width).
        """
        program = self._program
        if program is None:
            raise ShiftloomError("no program is loaded")
        if sorted(inputs) != sorted(program.inputs):
            raise ShiftloomError(f"the inputs are {program.inputs}, not {sorted(inputs)}")
        for name in program.inputs:
            for place in program.places_of(name):
                program.write(self._buffers[place["region"]], place, np.asarray(inputs[name]))
        self._buffers[_INPUT].flush()
        for segment in program.segments:
            self._run_segment(segment, timeout)
        outputs = {}
        for name in program.outputs:
            place = program.places_of(name)[0]
            buffer = self._buffers[place["region"]]
            buffer.invalidate()
            outputs[name] = program.read(buffer, place)
        return outputs

    def compare(self, path):
        """Run samples whose results are known; return the first difference, or None.

        The file is one that shiftloom generate --program wrote: arrays input.NAME and output.NAME
        with one code array for each sample.
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        inputs = {n[6:]: a for n, a in arrays.items() if n.startswith("input.")}
        expected = {n[7:]: a for n, a in arrays.items() if n.startswith("output.")}
        for sample in range(len(next(iter(inputs.values())))):
            found = self.run(**{name: values[sample] for name, values in inputs.items()})
            for name, values in expected.items():
                wrong = np.argwhere(found[name] != values[sample])
                if len(wrong):
                    at = tuple(int(index) for index in wrong[0])
                    got, want = int(found[name][at]), int(values[sample][at])
                    return f"sample {sample}, {name}{list(at)}: {got}, not {want}"
        return None

    def _run_segment(self, segment, timeout):
        self.write(OFFSETS["CONTROL"], CONTROL_RESET)
        self._wait("CONTROL", CONTROL_RESET, timeout)
        for region in range(_CODE):
            self.write(OFFSETS[f"BASE{region}"], self._buffers[region].physical_address)
        first = segment["first"] * INSTRUCTION_BYTES
        self.write(OFFSETS["PROGRAM"], self._buffers[_CODE].physical_address + first)
        self.write(OFFSETS["PROGRAM_LENGTH"], segment["count"])
        self.write(OFFSETS["CONTROL"], CONTROL_START)
        self._wait("STATUS", STATUS_BUSY, timeout)
        if not self.register("STATUS") & STATUS_DONE:
            code = self.register("ERROR")
            index = segment["first"] + self.register("ERROR_INDEX")
            reason = ERRORS.get(code, f"error {code}")
            raise ShiftloomError(f"stopped at instruction {index}: {reason}")

    def _wait(self, name, bit, timeout):
        limit = time.monotonic() + timeout
        while self.register(name) & bit:
            if time.monotonic() > limit:
                raise ShiftloomError(f"not done after {timeout:g} seconds")


class Program:
    """A program file: a safetensors container with a manifest in JSON."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        try:
            end = 8 + int.from_bytes(data[:8], "little")
            header = json.loads(data[8:end].decode())
            manifest = json.loads(header["__metadata__"]["manifest"])
            arrays = {}
            for name in ("code", "constants"):
                first, last = header[name]["data_offsets"]
                arrays[name] = np.frombuffer(data[end + first : end + last], np.uint8)
            config = dict(line.split(" = ") for line in manifest["config"].splitlines())
        except (ValueError, KeyError, TypeError) as error:
            raise ShiftloomError(f"{path} is no Shiftloom program: {error}") from error
        self.code, self.constants = arrays["code"], arrays["constants"]
        self.columns = int(config["columns"])
        self.word_bytes = 1 << (self.columns - 1).bit_length()
        self.config_id, self.region_bytes = manifest["config_id"], manifest["region_bytes"]
        self.inputs, self.outputs = manifest["inputs"], manifest["outputs"]
        self.places = manifest["places"]
        self.segments = manifest["steps"]
        for step in self.segments:
            if "node" in step:
                raise ShiftloomError(f"{path}: node {step['node']} runs on the host, not here")

    def places_of(self, tensor):
        """Return where a feature map lies in memory; inputs may lie there several times."""
        return [place for place in self.places if place["tensor"] == tensor]

    def write(self, region, place, codes):
        """Put the codes of a feature map into a region."""
        shape = tuple(place["shape"])
        low, high = (-128, 127) if place["signed"] else (0, 255)
        if codes.shape != shape:
            raise ShiftloomError(f"{place['tensor']} has shape {shape}, not {codes.shape}")
        if codes.min() < low or codes.max() > high:
            raise ShiftloomError(f"{place['tensor']} takes codes {low} to {high}")
        stored = _unrolled(codes, place) if place["unroll"] else codes
        pixels = stored.astype(np.int64).astype(np.uint8).transpose(1, 2, 0)
        rows = self._rows(region, place)
        height, width, channels = pixels.shape
        if place["layout"] == "folded":
            flat = np.zeros((height, rows.shape[2] * self.word_bytes), np.uint8)
            flat[:, : width * channels] = pixels.reshape(height, -1)
            rows[0] = flat.reshape(rows[0].shape)
            return
        words = np.zeros((height, width, len(rows) * self.columns), np.uint8)
        words[:, :, :channels] = pixels
        blocks = words.reshape(height, width, len(rows), self.columns).transpose(2, 0, 1, 3)
        rows[:] = 0
        rows[..., : self.columns] = blocks

    def read(self, region, place):
        """Return the codes of a feature map in a region."""
        channels, height, width = place["shape"]
        rows = self._rows(region, place)
        if place["layout"] == "folded":
            flat = rows[0].reshape(height, -1)[:, : width * channels]
            pixels = flat.reshape(height, width, channels)
        else:
            words = rows[..., : self.columns].transpose(1, 2, 0, 3)
            pixels = words.reshape(height, width, -1)[..., :channels]
        kind = np.int8 if place["signed"] else np.uint8
        return pixels.transpose(2, 0, 1).astype(np.uint8).view(kind).astype(np.int16)

    def _rows(self, region, place):
        """Return a feature map's words (blocks, height, words of a row, bytes), as a view."""
        channels, height, width = place["shape"]
        if place["unroll"]:
            channels, height = channels * place["unroll"][0], place["rows"]
        blocks, words = -(-channels // self.columns), width
        if place["layout"] == "folded":
            blocks, words = 1, -(-channels * width // self.word_bytes)
        shape = (blocks, height, place["row_words"], self.word_bytes)
        end = place["offset"] + int(np.prod(shape))
        return region[place["offset"] : end].reshape(shape)[:, :, :words]


def _unrolled(codes, place):
    """Return codes with kernel rows as channels: (kernel rows * channels, rows, width)."""
    kernel, stride, dilation, padding = place["unroll"]
    channels, height, width = codes.shape
    y = np.arange(place["rows"]) * stride + np.arange(kernel)[:, None] * dilation - padding
    inside = (y >= 0) & (y < height)
    rows = codes[:, np.clip(y, 0, height - 1)] * inside[None, :, :, None]
    return rows.transpose(1, 0, 2, 3).reshape(kernel * channels, place["rows"], width)
