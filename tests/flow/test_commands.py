"""Each command on files that are as they should be."""

import json
import tomllib

import numpy as np
import onnx
import pytest

from shiftloom.flow.doctor import Item, doctor
from shiftloom.isa.config import load_config, named_configs, parse_config
from shiftloom.isa.program import load_program
from shiftloom.quant.export import load_graph
from shiftloom.quant.golden import predict
from shiftloom.sim.cycle.engine import run_segment
from shiftloom.sim.cycle.memory import Memory
from tests.flow.conftest import network


def test_check(files, shiftloom):
    status, out, _ = shiftloom("check", files / "model.onnx")
    assert status == 0
    assert "Conv_t0" in out
    assert "nothing is refused" in out


def test_check_for_an_accelerator(files, tmp_path, shiftloom):
    assert shiftloom("check", files / "model.onnx", "--config", "tiny")[0] == 0
    small = (
        load_config("tiny").to_toml().replace("activation_bytes = 65536", "activation_bytes = 8")
    )
    (tmp_path / "small.toml").write_text(small)
    status, out, _ = shiftloom("check", files / "model.onnx", "--config", tmp_path / "small.toml")
    assert status == 1
    assert "raise activation_bytes" in out


def test_check_of_a_model_that_is_refused(tmp_path, shiftloom):
    onnx.save(network("NonMaxSuppression"), tmp_path / "model.onnx")
    status, out, _ = shiftloom("check", tmp_path / "model.onnx", "--json")
    assert status == 1
    found = json.loads(out)
    fates = {finding["op"]: finding["fate"] for finding in found["findings"]}
    assert fates["NonMaxSuppression"] == "refused"
    assert found["refused"] == sum(f["fate"] == "refused" for f in found["findings"])


def test_quantize(files, tmp_path, shiftloom):
    target = tmp_path / "new" / "model.q.onnx"
    words = ("--calibration", files / "images.npy", "--weight-bits", 4, "--per-channel")
    status, out, err = shiftloom("quantize", files / "model.onnx", "-o", target, *words)
    assert (status, err) == (0, "")
    assert "2 Conv" in out
    assert len(load_graph(target).nodes) == 2


def test_quantize_without_samples_warns(files, tmp_path, shiftloom):
    target = tmp_path / "model.q.onnx"
    status, out, err = shiftloom("quantize", files / "model.onnx", "-o", target, "--quiet")
    assert (status, out) == (0, "")
    assert err.startswith("warning:")
    assert "noise" in err


def test_compile(files, tmp_path, shiftloom):
    target, dump = tmp_path / "model.program", tmp_path / "dump"
    words = ("--config", "tiny", "-o", target, "--dump", dump, "--json")
    status, out, _ = shiftloom("compile", files / "model.q.onnx", *words)
    assert status == 0
    assert json.loads(out)["layers"] == 2
    assert target.read_bytes() == (files / "model.program").read_bytes()
    names = [path.name for path in sorted(dump.iterdir())]
    assert [name[:2] for name in names] == [f"{n:02}" for n in range(1, len(names) + 1)]
    assert all(path.read_text() for path in dump.iterdir())


def test_compile_searches(files, tmp_path, shiftloom):
    target, dump = tmp_path / "model.program", tmp_path / "dump"
    words = ("--config", "tiny", "-o", target, "--dump", dump, "--search", "--json")
    status, out, err = shiftloom("compile", files / "model.q.onnx", *words)
    assert status == 0
    assert json.loads(out)["layers"] == 2
    assert list(dump.iterdir())
    assert "Traceback" not in err


def test_compile_warns_of_the_host(tmp_path, files, shiftloom):
    onnx.save(network("Sigmoid"), tmp_path / "model.onnx")
    words = ("--calibration", files / "images.npy", "-o", tmp_path / "q.onnx")
    assert shiftloom("quantize", tmp_path / "model.onnx", *words)[0] == 0
    words = ("--config", "tiny", "-o", tmp_path / "program")
    status, _, err = shiftloom("compile", tmp_path / "q.onnx", *words)
    assert status == 0
    assert "(Sigmoid) runs on the host" in err
    assert "of the network's values" in err


def test_simulate_gives_the_golden_outputs(files, tmp_path, shiftloom):
    target = tmp_path / "outputs.npz"
    words = ("--input", files / "images.npy", "-o", target, "--samples", 4, "--json")
    status, out, _ = shiftloom("simulate", files / "model.program", *words)
    assert status == 0
    assert json.loads(out)["samples"] == 4
    images = np.load(files / "images.npy")[:4]
    expected = predict(load_graph(files / "model.q.onnx"), {"x": images})["t2"]
    assert np.array_equal(np.load(target)["t2"], expected)


def test_simulate_with_cycles(files, tmp_path, shiftloom):
    target = tmp_path / "outputs.npz"
    words = ("--input", files / "images.npy", "--samples", 3, "--engine", "cycle", "--json")
    words = (*words, "-o", target)
    slow = ("--latency", 100, "--interval", 2, "--outstanding", 1, "--trace", tmp_path / "t.json")
    program = load_program(files / "model.program")
    for given, memory in (((), Memory()), (slow, Memory(latency=100, interval=2, outstanding=1))):
        status, out, _ = shiftloom("simulate", files / "model.program", *words, *given)
        assert status == 0
        expected = run_segment(program, program.segments[0], memory=memory)
        found = json.loads(out)
        assert (found["cycles"], found["cycles per sample"]) == (
            3 * expected.cycles,
            expected.cycles,
        )
        assert found["counters"] == {name: 3 * n for name, n in expected.counters.items()}
    images = np.load(files / "images.npy")[:3]
    expected_outputs = predict(load_graph(files / "model.q.onnx"), {"x": images})["t2"]
    assert np.array_equal(np.load(target)["t2"], expected_outputs)
    trace = json.loads((tmp_path / "t.json").read_text())
    assert trace["otherData"]["cycles"] == expected.cycles


def test_golden_knows_no_time(files, tmp_path, shiftloom):
    words = ("simulate", files / "model.program", "--input", files / "images.npy")
    for option in (("--latency", 5), ("--trace", tmp_path / "t.json")):
        status, out, err = shiftloom(*words, *option)
        assert (status, out) == (2, "")
        assert "golden engine knows no time" in err
    assert not list(tmp_path.iterdir())


def test_simulate_with_the_host(tmp_path, files, shiftloom):
    onnx.save(network("Sigmoid"), tmp_path / "model.onnx")
    words = ("--calibration", files / "images.npy", "-o", tmp_path / "q.onnx")
    shiftloom("quantize", tmp_path / "model.onnx", *words)
    shiftloom("compile", tmp_path / "q.onnx", "--config", "tiny", "-o", tmp_path / "program")
    target = tmp_path / "outputs.npz"
    words = ("--input", files / "images.npy", "-o", target)
    assert shiftloom("simulate", tmp_path / "program", *words)[0] == 0
    images = np.load(files / "images.npy")
    expected = predict(load_graph(tmp_path / "q.onnx"), {"x": images})["t2"]
    assert np.array_equal(np.load(target)["t2"], expected)
    assert shiftloom("simulate", tmp_path / "program", *words, "--engine", "cycle")[0] == 0
    assert np.array_equal(np.load(target)["t2"], expected)


def test_generate(tmp_path, shiftloom):
    status, out, _ = shiftloom("generate", "--config", "tiny", "-o", tmp_path / "hardware")
    assert status == 0
    names = {path.name for path in (tmp_path / "hardware").iterdir()}
    assert names == {"shiftloom_tiny.v", "tiny.toml", "shiftloom_isa.h", "README.md"}
    assert all(name in out for name in names)
    config = (tmp_path / "hardware" / "tiny.toml").read_text()
    assert parse_config(config, "").name == tomllib.loads(config)["name"] == "tiny"
    page = (tmp_path / "hardware" / "README.md").read_text()
    verilog = (tmp_path / "hardware" / "shiftloom_tiny.v").read_text()
    assert "module shiftloom_tiny(" in verilog
    for port in ("aclk", "aresetn", "interrupt"):
        assert f"`{port}`" in page
        assert f"put {port};" in verilog
    assert "`0x7c`" not in page
    assert "`CONTROL`" in page


#: As much of the Verilog as is read to describe it.
PORTS = """
module shiftloom_tiny(m_axi_awaddr, m_axi_wdata, s_axi_awaddr, s_axi_wdata);
  output [31:0] m_axi_awaddr;
  output [63:0] m_axi_wdata;
  input [6:0] s_axi_awaddr;
  input [31:0] s_axi_wdata;
endmodule
"""


def test_generate_for_a_board_with_a_program(files, tmp_path, shiftloom, monkeypatch):
    monkeypatch.setattr("shiftloom.hw.verilog.accelerator_verilog", lambda _: PORTS)
    words = ("--board", "pynq-z2", "--program", files / "model.program", "-o", tmp_path)
    status, out, _ = shiftloom("generate", *words, "--input", files / "images.npy")
    assert status == 0
    names = {path.name for path in tmp_path.iterdir()}
    hardware = {"shiftloom_tiny.v", "tiny.toml", "shiftloom_isa.h", "README.md"}
    drivers = {"shiftloom_registers.py", "shiftloom_pynq.py", "shiftloom_litex.py"}
    scripts = {"component.xml", "package.tcl", "build_pynq_z2.tcl"}
    assert names == hardware | drivers | scripts | {"model.program", "samples.npz"}
    assert all(name in out for name in names)
    page = (tmp_path / "README.md").read_text()
    assert all(f"| `{name}` | " in page for name in names - {"README.md"})
    with np.load(tmp_path / "samples.npz") as arrays:
        (made,) = [arrays[name] for name in arrays.files if name.startswith("output.")]
    graph, images = load_graph(files / "model.q.onnx"), np.load(files / "images.npy")
    expected = predict(graph, {"x": images})["t2"]
    assert np.array_equal(made * 2.0 ** graph.tensors["t2"].exponent, expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--board", "zedboard"), "no board zedboard with a chip for Vivado: use pynq_z2"),
        (("--program", "model.program"), "give both"),
        (("--input", "images.npy"), "give both"),
        (("--program", "model.program", "--input", "images.npy", "--config", "small"), "again"),
    ],
)
def test_generate_refuses(words, message, files, tmp_path, shiftloom):
    given = [files / word if (files / word).is_file() else word for word in words]
    status, out, err = shiftloom("generate", *given, "-o", tmp_path / "new")
    assert (status, out) == (2, "")
    assert message in err
    assert not (tmp_path / "new").exists()


def test_build_names_the_verb_for_boards_of_vivado(tmp_path, shiftloom):
    status, _, err = shiftloom("build", "--board", "pynq-z2", "-o", tmp_path / "new")
    assert status == 2
    assert "shiftloom generate --board pynq_z2" in err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.onnx", "ONNX model"),
        ("model.q.onnx", "quantized network"),
        ("model.program", "program"),
    ],
)
def test_info_of_files(name, kind, files, shiftloom):
    status, out, _ = shiftloom("info", files / name, "--json")
    assert status == 0
    assert json.loads(out)["kind"] == kind
    status, out, _ = shiftloom("info", files / name)
    assert kind in out


@pytest.mark.parametrize("name", named_configs())
def test_info_of_configurations(name, shiftloom):
    status, out, _ = shiftloom("info", name, "--json")
    assert status == 0
    assert json.loads(out)["name"] == name


def test_info_of_a_toml_file(tmp_path, shiftloom):
    text = "name = 'own'\nrows = 4\ncolumns = 8\nbus_bytes = 8\nactivation_bytes = 65536\n"
    text += "weight_bytes = 32768\nparameter_bytes = 8192\naccumulator_pixels = 64\n"
    (tmp_path / "own.toml").write_text(text)
    status, out, _ = shiftloom("info", tmp_path / "own.toml")
    assert status == 0
    assert "4 x 8" in out


def test_doctor(shiftloom):
    status, out, _ = shiftloom("doctor", "--json")
    items = json.loads(out)
    assert status == (0 if all(item["good"] for item in items) else 1)
    assert all(item["found"] or item["fix"] for item in items)


def test_doctor_names_what_is_missing(monkeypatch, shiftloom):
    monkeypatch.setattr("shiftloom.sim.rtl_compiler.shutil.which", lambda name: None)
    monkeypatch.setattr("shiftloom.sim.rtl_compiler.importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    assert "C++ compiler" in {item.name for item in doctor() if not item.good}
    status, out, _ = shiftloom("doctor")
    assert status == 1
    assert "missing" in out
    assert "shiftloom[zig]" in out


def test_what_is_optional_may_be_missing():
    assert Item(name="a", purpose="b", found="", required=False).good
    assert not Item(name="a", purpose="b", found="").good
