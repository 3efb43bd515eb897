"""Tests on a real card: `python -m pytest tests/gpu`; skipped without one."""

import pytest


def reason_to_skip() -> str:
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a build without CUDA"
    if not torch.cuda.is_available():
        return "no NVIDIA card answers"
    return ""


@pytest.fixture(autouse=True, scope="session")
def card():
    """The card's name; every test here needs one."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    import torch

    return torch.cuda.get_device_name(0)
