"""The programs that twinvae is compared with."""
