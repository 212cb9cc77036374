"""The command `twinvae`."""
