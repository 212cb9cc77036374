"""The detector that an adapter is given: a prototype, which stays unfitted, as in scikit-learn's meta-estimators."""

from twinvae.detector.detector import VAEDetector


def unfitted(detector: object) -> VAEDetector:
    """A new detector with the arguments of the prototype; a TypeError says if that is no detector of a backend."""
    if not isinstance(detector, VAEDetector) or not hasattr(detector, "backend"):
        raise TypeError(f"detector must be a VAEDetector of vae_jax or vae_torch, got {detector!r}")
    return type(detector)(**detector.get_params())
