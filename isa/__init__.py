"""The contract: configuration, numbers, integer arithmetic, instructions, program file."""
