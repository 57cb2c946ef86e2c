"""Benchmarks: scripts that measure speed and scale; run them from the checkout with `-m`."""
