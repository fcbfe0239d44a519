"""A model server that records what it predicts: FastAPI, scikit-learn, and one line of Windvane.

    python fastapi_sklearn.py [--port 8000]
    curl -i http://127.0.0.1:8000/predict -H 'content-type: application/json' -d '{"distance": 1400, "hour": 17}'
    curl http://127.0.0.1:8000/outcome/EVENT_ID -H 'content-type: application/json' -d '{"late": true}'
"""

import argparse
import os
from contextlib import asynccontextmanager

import numpy
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.linear_model import LogisticRegression

import windvane
from windvane.hooks import asgi


class Flight(BaseModel):
    distance: float
    hour: int


class Truth(BaseModel):
    late: bool


def trained() -> LogisticRegression:
    """Flights are late in the evening, and the long ones more so."""
    generator = numpy.random.default_rng(7)
    flights = numpy.column_stack([generator.uniform(100, 3_000, 2_000), generator.integers(5, 23, 2_000)])
    odds = flights[:, 0] / 1_000 + flights[:, 1] / 4 - 5
    return LogisticRegression().fit(flights, generator.uniform(size=2_000) < 1 / (1 + numpy.exp(-odds)))


@asynccontextmanager
async def lifespan(app: FastAPI):
    windvane.init(os.environ.get("WINDVANE_SDK_URL", "http://127.0.0.1:8080"), model="delay", version="7")
    yield
    windvane.close()


app = FastAPI(lifespan=lifespan)
app.add_middleware(asgi.Middleware, routes={"/predict": asgi.Route()})
model = trained()


@app.post("/predict")
async def predict(flight: Flight):
    return {"score": float(model.predict_proba([[flight.distance, flight.hour]])[0, 1])}


@app.post("/outcome/{event_id}")
async def outcome(event_id: str, truth: Truth):
    windvane.log_outcome(event_id, label="true" if truth.late else "false")
    return {}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
