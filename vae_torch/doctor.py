"""Whether this PyTorch is fit for use."""

import torch


def diagnose() -> tuple[dict[str, str], list[str]]:
    """Devices and checks by name, and a list of what is wrong."""
    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    right = sums_of_squares_are_right()
    findings = {
        "devices": ", ".join(["cpu", *devices]),
        "threads": str(torch.get_num_threads()),
        "matrix products": f"{torch.get_float32_matmul_precision()} precision (set to highest during each call)",
        "sum of squares": "right" if right else "wrong",
    }
    return findings, [] if right else ["this PyTorch computes wrong sums of squares: install another version"]


def sums_of_squares_are_right() -> bool:
    """Whether the sum of squares of X @ M is exact for a tall X, as in `vae_jax.doctor`: a reconstruction error."""
    for rows, columns in ((32_769, 8), (40_000, 50)):
        ones, square = (torch.ones((size, columns), dtype=torch.float32) for size in (rows, columns))
        total = ((ones @ square) ** 2).sum()
        exact = rows * columns**3
        if not abs(float(total) - exact) <= 1e-4 * exact:
            return False
    return True
