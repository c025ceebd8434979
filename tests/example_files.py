"""The files that the examples of the guides read, generated: real ones are not ours to hand out."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import fastrec as fr
from fastrec.data import SyntheticPlaylists

# What the pages ask for by name; the other names are generated.
PRODUCTS = (
    "SET/20 RED RETROSPOT PAPER NAPKINS",
    "REGENCY CAKESTAND 3 TIER",
    "PARTY BUNTING",
    "PAPER CHAIN KIT 50'S CHRISTMAS",
)
APPS = ("Skype - free IM & video calls", "reddit is fun")
CATEGORIES = ("Casual", "Social", "Tools", "Music & Audio")


def write_plays(folder: Path) -> None:
    """Sessions of tracks, for the pages that begin with any log."""
    sessions, tracks = range(40), (3, 7, 12, 99, 5, 12)
    table = pa.table(
        {
            "session": [session for session in sessions for _ in tracks],
            "track": [track for _ in sessions for track in tracks],
            "ts": [
                1000 * session + second for session in sessions for second, _ in enumerate(tracks)
            ],
        }
    )
    pq.write_table(table, folder / "plays.parquet")


def write_carts(folder: Path) -> None:
    """Invoices with a product a line, and a return."""
    made = fr.synthetic_playlists(2_000, 150, genres=3, seed=1)
    names = renamed(made, PRODUCTS)
    lines = {
        "InvoiceNo": made.log.owner.astype(str).tolist(),
        "StockCode": made.log.item.astype(str).tolist(),
        "Description": names[made.log.item].tolist(),
        "Quantity": [1] * len(made.log),
        "UnitPrice": [1.0] * len(made.log),
    }
    returned = {"InvoiceNo": "C1", "Quantity": -1}
    for column, values in lines.items():
        values.append(returned.get(column, values[0]))
    pq.write_table(pa.table(lines), folder / "transactions.parquet")


def write_apps(folder: Path) -> None:
    """Users with their apps, and a table of all apps, whose categories are the genres."""
    made = fr.synthetic_playlists(400, 200, genres=len(CATEGORIES), seed=2)
    names = renamed(made, APPS)
    genres = made.log.items["genre"].tolist()
    category = dict(zip(dict.fromkeys(genres), CATEGORIES, strict=True))
    usage = {"user": made.log.owner, "item": made.log.item}
    pq.write_table(pa.table(usage), folder / "usage.parquet")
    apps = {
        "item": list(range(len(names))),
        "name": names.tolist(),
        "category": [category[genre] for genre in genres],
    }
    pq.write_table(pa.table(apps), folder / "apps.parquet")


def renamed(made: SyntheticPlaylists, wanted: tuple[str, ...]) -> np.ndarray:
    """Return the names of the tracks by code, those of the most frequent ones as ``wanted``."""
    names = made.names.copy()
    names[np.argsort(-made.log.item_counts(), kind="stable")[: len(wanted)]] = wanted
    return names
