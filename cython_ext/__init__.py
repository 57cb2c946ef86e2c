"""Compiled kernels: typed arrays in, arrays out; they know no graph and check nothing."""
