"""SCALE-Sim on a list of layers, in whatever Python has it: JSON in, JSON out.

``PYTHON -I scalesim_run.py``; imports nothing of this project, which that Python may not have.
"""

import contextlib
import io
import json
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scalesim.layout_utils import layouts
from scalesim.scale_config import scale_config
from scalesim.single_layer_sim import single_layer_sim
from scalesim.topology_utils import topologies

#: Its buffers, which its compute cycles do not depend on.
_BUFFERS = {"ifmap_size_kb": 1024, "filter_size_kb": 1024, "ofmap_size_kb": 1024}


def _topology(layers: list[list[Any]]) -> Any:
    """Return its form of layers: name, rows, columns, kernel, channels, filters, stride."""
    found = topologies()
    for name, *sizes, stride in layers:
        found.append_topo_arrays(name, [name, *sizes, stride, stride, 1, 1])
    found.num_layers = len(layers)
    found.topo_load_flag = True
    found.topo_calc_hyperparams()
    return found


def _config(size: int, dataflow: str) -> Any:
    config = scale_config()
    config.set_arr_dims(size, size)
    config.set_dataflow(dataflow)
    config.set_buffer_sizes_kb(**_BUFFERS)
    config.set_bw_mode_to_calc()
    config.force_valid()
    return config


def _cycles(config: Any, topology: Any, number: int) -> int:
    """Return the compute cycles that it reports for a layer."""
    layer = single_layer_sim()
    layer.set_params(
        layer_id=number,
        config_obj=config,
        topology_obj=topology,
        layout_obj=layouts(),
        verbose=False,
    )
    layer.run()
    return int(layer.get_compute_report_items()[1])


def main() -> None:
    """Answer one request: ``layers``, ``size`` of the array, ``dataflow``."""
    request = json.load(sys.stdin)
    started = time.process_time()
    topology = _topology(request["layers"])
    config = _config(request["size"], request["dataflow"])
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        cycles = [_cycles(config, topology, n) for n in range(len(request["layers"]))]
    answer = {
        "version": version("scalesim"),
        "cycles": cycles,
        "seconds": time.process_time() - started,
        "peak_bytes": _peak_bytes(),
    }
    json.dump(answer, sys.stdout)


def _peak_bytes() -> int:
    """Return the most memory held, as ``peak.py`` does."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
