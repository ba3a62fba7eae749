# SPDX-License-Identifier: Apache-2.0
"""Where inputs go: FOLDER/TARGET/NAME."""

import pathlib

_folder = pathlib.Path(__file__).resolve().parent.parent / "corpus"


def save_below(folder):
    global _folder
    _folder = pathlib.Path(folder)


def save(target, name, data):
    if isinstance(data, str):
        data = data.encode("latin-1")
    path = _folder / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
