"""A container engine and ``python:<tag>`` images for the tests, also where neither is to be had ready-made."""
