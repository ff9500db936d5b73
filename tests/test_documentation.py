"""The instruction set's page and C header say what the definitions say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shiftloom.isa import documentation
from shiftloom.isa.formats import FORMATS, Buffer, Engine, Opcode, Region
from shiftloom.isa.header import c_header, meanings
from shiftloom.isa.instructions import Instruction, encode
from shiftloom.isa.registers import Error
from shiftloom.isa.requantize import Rounding

ROOT = Path(__file__).parent.parent
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

PROGRAM = """\
#include <stdio.h>
#include "shiftloom_isa.h"

static unsigned char bytes[SHIFTLOOM_INSTRUCTION_BYTES];

static void put(unsigned bit, unsigned width, long long value)
{
    unsigned k;
    for (k = 0; k < width; k++)
        bytes[(bit + k) / 8] |= (unsigned char)(((value >> k) & 1) << ((bit + k) % 8));
}

#define PUT(name, value) put(SHIFTLOOM_##name##_BIT, SHIFTLOOM_##name##_WIDTH, value)

int main(void)
{
    put(0, 8, SHIFTLOOM_OP_@OPCODE@);
@PUTS@
    return fwrite(bytes, 1, sizeof bytes, stdout) != sizeof bytes;
}
"""


def test_documents_are_up_to_date():
    for path, text in documentation.documents().items():
        current = path.read_text(encoding="utf-8")
        assert current == text, f"{path.name} is stale; run {documentation.COMMAND}"


def test_every_field_and_code_has_a_meaning():
    texts = {f.name: f.meaning for fields in FORMATS.values() for f in fields}
    for kind in (Buffer, Engine, Error, Opcode, Region, Rounding):
        texts |= meanings(kind)
    assert [name for name, text in texts.items() if not text] == ["NONE"]


@pytest.mark.parametrize(
    "name", ["architecture.md", "isa.md", "cycle-model.md", "verification.md", "ip.md"]
)
def test_files_that_pages_name_exist(name):
    named = re.findall(r"`(\w+/[\w/]+\.py)`", (ROOT / "docs" / name).read_text(encoding="utf-8"))
    assert named
    assert not [path for path in named if not (ROOT / path).is_file()]


def test_page_without_a_section_is_refused():
    with pytest.raises(ValueError, match="the page must have sections opcodes"):
        documentation.page("# The instruction set\n")


@pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")
@pytest.mark.parametrize("opcode", FORMATS, ids=lambda opcode: opcode.name)
def test_header_places_fields_where_encode_does(opcode, tmp_path):
    fields = FORMATS[opcode][1:]
    values = {f.name: (f.low, f.high, f.low + 5)[n % 3] for n, f in enumerate(fields)}
    values = {f.name: min(values[f.name], f.high) for f in fields}
    puts = [f"    PUT({opcode.name}_{k.upper()}, {v}LL);" for k, v in values.items()]
    text = PROGRAM.replace("@OPCODE@", opcode.name).replace("@PUTS@", "\n".join(puts))
    (tmp_path / "shiftloom_isa.h").write_text(c_header())
    (tmp_path / "main.c").write_text(text)
    flags = ["-std=c99", "-Wall", "-Werror", "-pedantic"]
    subprocess.run([COMPILER, *flags, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    written = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout
    assert written == encode(Instruction(opcode, values))
