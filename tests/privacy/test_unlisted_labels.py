"""Promise: rows whose label is not listed, or not found, become missing; no listed label grows by them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synth_worker.generators.aim import Aim
from synth_worker.generators.dp_method import MarginalMethod
from synth_worker.generators.mst import Mst
from synth_worker.privacy.source import TableSource
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table


@pytest.mark.parametrize("method", [Mst, Aim])
@pytest.mark.parametrize("declared", [True, False])
def test_rows_of_unlisted_labels_become_missing(method: type[MarginalMethod], *, declared: bool) -> None:
    rng = np.random.default_rng(0)
    # Half of 20,000 rows have one of 5,000 labels that hardly anybody shares.
    labels = ("a", "b", *(f"r{at}" for at in range(5_000)))
    codes = np.where(rng.random(20_000) < 0.5, rng.integers(2, 5_002, 20_000), rng.random(20_000) < 0.4)
    frame = pd.DataFrame(
        {
            "code": pd.Categorical.from_codes(codes, categories=list(labels)),
            "sex": pd.Categorical.from_codes((codes == 1).astype(int), categories=["f", "m"]),
        }
    )
    sex = Column("sex", Kind.CATEGORICAL, categories=("f", "m"), public=True)
    read = Column("code", Kind.CATEGORICAL, categories=labels, nullable=True)
    asked = Column("code", Kind.CATEGORICAL, categories=("a", "b"), public=True, nullable=True)
    source = TableSource(Table(Schema((read, sex)), frame))
    model = method({"epsilon": 5.0, "delta": 1e-6}).fit_source(source, Schema((asked if declared else read, sex)))
    drawn = model.sample(20_000, rng=rng).frame
    share = drawn["code"].value_counts(normalize=True, dropna=False)
    assert abs(drawn["code"].isna().mean() - 0.5) < 0.02
    assert abs(share["a"] - 0.3) < 0.02 and abs(share["b"] - 0.2) < 0.02
    assert (drawn.loc[drawn["code"] == "b", "sex"] == "m").mean() > 0.9
