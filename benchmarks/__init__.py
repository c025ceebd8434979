"""Ours and the peer on the same work in the same run; nothing here is installed with the package."""
