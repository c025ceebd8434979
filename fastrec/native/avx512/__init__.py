"""The kernels compiled for the avx512 level; ``fastrec.runtime.isa`` decides whether they are loaded."""
