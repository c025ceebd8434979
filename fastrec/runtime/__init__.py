"""What all above stands on: ISA choice, threads, random streams, BLAS limit, checks, safe files."""
