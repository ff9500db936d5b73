"""The command line itself: help, options, and what it makes of errors."""

import re
import subprocess
import sys

import pytest

from shiftloom.flow.cli import BUG, ERROR, application, main
from shiftloom.flow.commands import COMMANDS

NAMES = [command.__name__ for command in COMMANDS]


def examples(command):
    """Return the words of the examples in a command's help, without the program's name."""
    return [line.split() for line in re.findall(r"Example: `shiftloom (.*)`", command.__doc__)]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_example(name, shiftloom):
    status, out, _ = shiftloom(name, "--help")
    assert status == 0
    assert f"Example: shiftloom {name}" in out
    assert "--json" in out


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_examples_are_commands(command):
    assert examples(command)
    for words in examples(command):
        parsed, *_ = application().parse_args(words, exit_on_error=False)
        assert parsed is command


def test_help_lists_all_commands(shiftloom):
    status, out, _ = shiftloom("--help")
    assert status == 0
    assert all(re.search(rf"\b{name}\b", out) for name in NAMES)


def test_version(shiftloom):
    status, out, _ = shiftloom("--version")
    assert status == 0
    assert re.match(r"\d+\.\d+\.\d+", out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["frobnicate"], "Unknown command"),
        (["quantize"], "MODEL"),
        (["quantize", "model.onnx"], "--output"),
        (["quantize", "model.onnx", "-o", "x", "--weight-bits", "9"], "8"),
        (["quantize", "model.onnx", "-o", "x", "--bits", "4"], "--bits"),
        (["simulate", "p", "--input", "x.npy", "--engine", "quantum"], "quantum"),
        (["verify", "p", "--samples", "0"], "1"),
    ],
)
def test_options_that_make_no_sense(words, message, shiftloom):
    status, out, err = shiftloom(*words)
    assert (status, out) == (ERROR, "")
    assert err.startswith("error:")
    assert message in err
    assert "--help" in err


def test_a_mistake_of_ours_is_called_one(monkeypatch, capsys):
    monkeypatch.setattr("shiftloom.flow.doctor.doctor", lambda: 1 / 0)
    assert main(["doctor"]) == BUG
    assert "mistake in Shiftloom" in capsys.readouterr().err
    assert main(["--debug", "doctor"]) == BUG
    assert "Traceback" in capsys.readouterr().err


def test_interruption(monkeypatch, shiftloom):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("shiftloom.flow.doctor.doctor", interrupt)
    status, _, err = shiftloom("doctor")
    assert status == 130
    assert "interrupted" in err


def test_help_does_not_load_what_it_does_not_need():
    code = (
        "import sys; from shiftloom.flow.cli import main; main(['--help'])\n"
        "heavy = {'numpy', 'onnx', 'amaranth', 'safetensors'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
