"""What a recommender answers; the class lives beside the search, whose similar items it holds."""

from fastrec.search.recommendations import Recommendations

__all__ = ["Recommendations"]
