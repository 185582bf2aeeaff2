"""Named byte files with atomic commits: the interface, in memory, and in a folder.

A storage holds what the JavaScript modules keep in a folder: files such as ``master_key`` or
``ab/cd/<64 hex digits>/tree``. Changes go in as *commits*: all of one commit's writes survive a
crash, or none. ``read()`` sees a commit at once.

    storage = files("./store")("full")      # or memory()("full")
    storage.commit([Write("key", 0, key), Write("tree", 0, header)])
    await storage.sync()                    # from here on it survives a power loss
    await storage.close()                   # a folder any JavaScript peer can open

Durability is a choice of two:

``"full"``
    ``sync()`` returns when everything committed so far survives a power loss.
``"relaxed"``
    ``sync()`` returns at once. After a power loss an older state may be back, always one that
    was there between two commits, never a mixture. A crash of the process alone loses nothing.
"""

from __future__ import annotations

from hypermultifeed.feed.files import Write
from hypermultifeed.storage.file_storage import files
from hypermultifeed.storage.interface import Durability, Storage, StorageFactory, StorageFile
from hypermultifeed.storage.memory import MemoryStorage, memory

__all__ = [
    "Durability",
    "MemoryStorage",
    "Storage",
    "StorageFactory",
    "StorageFile",
    "Write",
    "files",
    "memory",
]
