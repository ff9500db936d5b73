"""Where memory and registers lie in the LiteX system of the tests."""

MEMORY, REGISTERS = 0x4000_0000, 0x9000_0000
