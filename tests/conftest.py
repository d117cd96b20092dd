"""Kernels run in Triton's interpreter where there is no GPU; it has to be asked for before triton is first imported.

Torch gets one thread, here and in what tests start: workers side by side share the cores, and sums are made in one order.
How long an example takes is no finding of hypothesis: other work may hold the machine.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")
torch.set_num_threads(1)
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", action="store_true", help="ask the real services of the web (tests marked live)")
    parser.addoption("--hostile", type=int, default=0, help="so many mutated files, and every crafted one, are read")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --live nothing is asked beyond loopback; with it the marked tests may open sockets."""
    for item in items:
        if item.get_closest_marker("live"):
            allowed = config.getoption("--live")
            item.add_marker(
                pytest.mark.enable_socket if allowed else pytest.mark.skip(reason="asks the real web: --live")
            )
