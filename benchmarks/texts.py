"""Text for the benchmarks: the same words as our corpus and as the file that the peers read."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastrec import Corpus


@dataclass(frozen=True)
class Text:
    """A text in memory and in a file.

    Attributes
    ----------
    corpus : Corpus
        What we train on.
    path : Path
        The same words, one document a line: gensim's ``corpus_file``. Gone with this object.
    """

    corpus: Corpus
    path: Path

    def head(self, documents: int) -> Text:
        """Return the first documents, in a file of their own."""
        rows = range(min(documents, len(self.corpus)))
        return write_lines(" ".join(words) for words in self.corpus.decode(rows))


def write_lines(lines: Iterable[str]) -> Text:
    """Return the text of lines of words with one space between them, one document each."""
    import fastrec as fr

    folder = tempfile.mkdtemp()
    path = Path(folder) / "text.txt"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
    text = Text(fr.Corpus.from_file(path, tokenize=str.split), path)
    weakref.finalize(text, shutil.rmtree, folder)
    return text
