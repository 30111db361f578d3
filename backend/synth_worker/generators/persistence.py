"""Write a model as JSON and npz, and read it back without trusting it.

Nothing is ever unpickled, the sizes are checked before anything is unpacked, and both files carry a checksum, so that a
damaged or foreign file is a BadModel and never a wrong sample. A model holds values of the table it was fitted on: keep
it as confidential as that table.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from synth_worker.errors import BadModel, BadSchema, UnknownName
from synth_worker.generators.base import Value
from synth_worker.schema import Schema

FORMAT = "gesalp model"
VERSION = 1
MODEL = "model.json"
ARRAYS = "arrays.npz"
MOST_BYTES = 2**32
"""Refuse to unpack more than this: a small zip can claim any size."""

Array = NDArray[np.generic]
State = Mapping[str, object]


@dataclass(frozen=True, eq=False)
class Stored:
    """Hold what a model file says: the method, the schema, JSON values and arrays by name.

    The accessors check what they hand out, so that a model that lacks a part is a BadModel.
    """

    method: str
    schema: Schema
    state: State
    arrays: Mapping[str, Array]

    def number(self, name: str) -> float:
        """Return a JSON number."""
        value = self.state.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadModel(f"the model has no number {name!r}", hint="fit it again")
        return value

    def text(self, name: str) -> str:
        """Return a JSON string."""
        value = self.state.get(name)
        if not isinstance(value, str):
            raise BadModel(f"the model has no text {name!r}", hint="fit it again")
        return value

    def items(self, name: str) -> list[object]:
        """Return a JSON list."""
        value = self.state.get(name)
        if not isinstance(value, list):
            raise BadModel(f"the model has no list {name!r}", hint="fit it again")
        return cast("list[object]", value)

    def hyperparameters(self) -> dict[str, Value]:
        """Return the hyper-parameters the model was made with."""
        found = self.state.get("hyperparameters")
        if not isinstance(found, dict):
            raise BadModel("the model has no hyper-parameters", hint="fit it again")
        return {str(name): value for name, value in found.items() if isinstance(value, str | int | float | bool)}

    def array(self, name: str, *, dtype: type[np.generic], shape: tuple[int, ...]) -> Array:
        """Return an array of this dtype and shape; -1 in ``shape`` stands for any length."""
        found = self.arrays.get(name)
        if found is None:
            raise BadModel(f"the model has no array {name!r}", hint="fit it again")
        fits = found.ndim == len(shape) and all(
            want in (-1, have) for want, have in zip(shape, found.shape, strict=True)
        )
        if found.dtype != dtype or not fits:
            raise BadModel(
                f"the model's array {name!r} is {found.dtype}{found.shape}; expected {np.dtype(dtype)}{shape}",
                hint="fit it again",
            )
        return found


def save_model(folder: Path, *, method: str, schema: Schema, state: State, arrays: Mapping[str, Array]) -> None:
    """Write ``model.json`` and ``arrays.npz`` into an existing folder."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))  # pyright: ignore[reportArgumentType]
    packed = buffer.getvalue()
    body = {
        "method": method,
        "schema": json.loads(schema.to_json()),
        "state": state,
        "arrays": sorted(arrays),
        "arrays_sha256": hashlib.sha256(packed).hexdigest(),
    }
    document = sealed(body, form=FORMAT, version=VERSION)
    (folder / ARRAYS).write_bytes(packed)
    (folder / MODEL).write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


def load_model(folder: Path, *, method: str) -> Stored:
    """Read a model back. Raises BadModel where it is damaged, foreign, or of another method."""
    body = _body(folder)
    if body.get("method") != method:
        raise BadModel(f"{folder / MODEL} holds a {body.get('method')!r} model, not {method!r}")
    try:
        packed = (folder / ARRAYS).read_bytes()
    except OSError as error:
        raise BadModel(f"{folder / ARRAYS} cannot be read: {error.strerror}") from error
    if hashlib.sha256(packed).hexdigest() != body.get("arrays_sha256"):
        raise BadModel(f"{folder / ARRAYS} is not the file that was saved (checksum differs)", hint="fit it again")
    arrays = _unpack(packed, folder / ARRAYS)
    if sorted(arrays) != body.get("arrays"):
        raise BadModel(f"{folder / ARRAYS} does not hold the arrays that the model names", hint="fit it again")
    try:
        schema = Schema.from_json(json.dumps(body.get("schema")))
    except (BadSchema, UnknownName, TypeError) as error:
        raise BadModel(f"{folder / MODEL}: {error}") from error
    state = body.get("state")
    if not isinstance(state, dict):
        raise BadModel(f"{folder / MODEL} has no 'state'")
    return Stored(method, schema, cast("State", state), arrays)


def stored_method(folder: Path) -> str:
    """Return the method that a model folder names. Raises BadModel on damage."""
    name = _body(folder).get("method")
    if not isinstance(name, str):
        raise BadModel(f"{folder / MODEL} names no method")
    return name


def _body(folder: Path) -> dict[str, object]:
    return unsealed(folder / MODEL, form=FORMAT, version=VERSION)


def sealed(body: Mapping[str, object], *, form: str, version: int) -> dict[str, object]:
    """Return the document that holds ``body`` with its form, version and checksum."""
    return {"format": form, "version": version, "sha256": _checksum(body), "body": body}


def unsealed(path: Path, *, form: str, version: int) -> dict[str, object]:
    """Read the body of a sealed document back. Raises BadModel on damage, another form or another version."""
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadModel(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadModel(f"{path} is not JSON") from error
    if not isinstance(document, dict) or document.get("format") != form:
        raise BadModel(f"{path} is not a {form}")
    if document.get("version") != version:
        raise BadModel(f"{path} has version {document.get('version')!r}; this program reads {version}")
    body = document.get("body")
    if not isinstance(body, dict) or document.get("sha256") != _checksum(cast("dict[str, object]", body)):
        raise BadModel(f"{path} is not the file that was saved (checksum differs)", hint="fit it again")
    return cast("dict[str, object]", body)


def _checksum(body: Mapping[str, object]) -> str:
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _unpack(packed: bytes, path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            size = sum(one.file_size for one in archive.infolist())
        if size > MOST_BYTES:
            raise BadModel(f"{path} would unpack to {size} bytes; the limit is {MOST_BYTES}")
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, NotImplementedError, MemoryError) as error:
        raise BadModel(f"{path} is not an npz file of plain arrays") from error
