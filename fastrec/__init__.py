"""fastrec: one compiled engine for embedding and sequence recommenders."""
