"""Ours and the peer on the same work in the same run; none of it is installed with the package."""
