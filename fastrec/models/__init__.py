"""The models: one file per family on the contracts of ``base.py``."""

from fastrec.models.base import Recommender
from fastrec.models.doc2vec import Doc2Vec
from fastrec.models.embedder import Embedder
from fastrec.models.item2vec import Item2Vec
from fastrec.models.item_knn import ItemKNN
from fastrec.models.model import Model
from fastrec.models.phrases import Phrases
from fastrec.models.playlist_rnn import PlaylistRNN
from fastrec.models.popularity import Popularity
from fastrec.models.registry import MODEL_NAMES, load, model_class
from fastrec.models.sentence import SentenceVectors
from fastrec.models.session_knn import SessionKNN
from fastrec.models.word2vec import Word2Vec
from fastrec.search import Recommendations

__all__ = [
    "MODEL_NAMES",
    "Doc2Vec",
    "Embedder",
    "Item2Vec",
    "ItemKNN",
    "Model",
    "Phrases",
    "PlaylistRNN",
    "Popularity",
    "Recommendations",
    "Recommender",
    "SentenceVectors",
    "SessionKNN",
    "Word2Vec",
    "load",
    "model_class",
]
