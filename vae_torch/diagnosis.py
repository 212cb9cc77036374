"""Whether this PyTorch is fit for use."""

import torch


def diagnose() -> tuple[dict[str, str], list[str]]:
    """Devices and checks by name, and what is wrong."""
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    findings = {
        "devices": ", ".join(["cpu", *devices]),
        "threads": str(torch.get_num_threads()),
        "matrix products": f"{torch.get_float32_matmul_precision()} precision (set to highest during each call)",
    }
    ones = torch.ones((40_000, 50))
    exact = 40_000 * 50**3
    right = abs(float(((ones @ torch.ones((50, 50))) ** 2).sum()) - exact) <= 1e-4 * exact
    findings["sum of squares"] = "right" if right else "wrong"
    return findings, [] if right else ["this PyTorch computes wrong sums of squares: install another version"]
