"""(a) The ordinary endpoint, as tutorials write it: a pydantic model, a DataFrame for each request, predict_proba.

`async def`, which is faster here than `def` and its threads. ORDINARY_MODEL: the model's file.
"""

from __future__ import annotations

import os
from typing import Any

import pandas as pd
import skops.io
from fastapi import FastAPI
from pydantic import BaseModel

from contracts.model_files import SKOPS_TRUSTED_TYPES

model = skops.io.load(os.environ["ORDINARY_MODEL"], trusted=list(SKOPS_TRUSTED_TYPES))
app = FastAPI()


class Features(BaseModel):
    amount: float
    amount_avg_7d: float
    amount_ratio: float
    tx_count_1h: float
    tx_count_24h: float
    tx_count_7d: float
    minutes_since_last: float
    distance_home_km: float
    account_age_days: float
    device_age_days: float
    merchant_risk: float
    merchant_tx_24h: float
    ip_risk: float | None
    declines_24h: float
    utilisation: float
    credit_limit: float
    bureau_score: float | None
    email_score: float | None
    session_seconds: float
    hour: float
    channel: str
    country: str
    merchant_category: str


class Payment(BaseModel):
    entity_id: str
    features: Features


@app.post("/predict")
async def predict(payment: Payment) -> dict[str, Any]:
    row = pd.DataFrame([payment.features.model_dump()])
    row = row.astype({"ip_risk": float, "bureau_score": float, "email_score": float})  # None alone makes an object
    score = float(model.predict_proba(row)[0, 1])
    return {"score": score, "decision": score >= 0.5}
