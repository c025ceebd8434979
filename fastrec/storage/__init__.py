"""What goes to disk and comes back: the container, model files, word2vec text and binary files."""
