"""Reading what Windvane found, in a notebook or a script: tables that show themselves, as pandas or Arrow where these are there.

    from windvane.client import Reader

    windvane = Reader("http://127.0.0.1:8080")
    windvane.models()                       # a table in a notebook
    windvane.drift("delay").to_pandas()     # a row a column and method

Unlike the hooks, this raises: `ReadError` says what the service answered.
"""

from __future__ import annotations

import html
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from ._settings import from_environment
from ._transport import Transport, Unreachable

# Rows that a notebook shows; the rest is in the table.
ROWS_SHOWN = 50
# Pages that one call reads, so that no loop is endless.
PAGES_MAX = 1_000


class ReadError(Exception):
    """The service did not answer, or answered that something is wrong."""


@dataclass(frozen=True)
class Table:
    """Rows by name, with the documents that they were made of."""

    title: str
    rows: Tuple[Mapping[str, Any], ...]
    documents: Tuple[Mapping[str, Any], ...]

    @property
    def columns(self) -> List[str]:
        """Names of columns, in the order in which they first appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)

    def to_pandas(self) -> Any:
        """As a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(list(self.rows), columns=self.columns)

    def to_arrow(self) -> Any:
        """As an Arrow table; what is nested is JSON text."""
        import pyarrow

        return pyarrow.table({name: [_cell(row.get(name)) for row in self.rows] for name in self.columns})

    def __repr__(self) -> str:
        return f"{self.title}: {len(self.rows)} rows of {', '.join(self.columns)}"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(row.get(name))}</td>" for name in self.columns) + "</tr>"
            for row in self.rows[:ROWS_SHOWN]
        )
        left = len(self.rows) - ROWS_SHOWN
        more = f"<p>and {left:,} rows more</p>" if left > 0 else ""
        title = html.escape(f"{self.title} ({len(self.rows):,})")
        return f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


class Document(Dict[str, Any]):
    """One document of the service as a dictionary, which shows itself in a notebook, and whose main list is pandas or Arrow."""

    def __init__(self, title: str, held: Mapping[str, Any], lists: Sequence[str]) -> None:
        super().__init__(held)
        self._title = title
        self._lists = tuple(lists)

    @property
    def table(self) -> Table:
        """The main list: the comparisons of an experiment, the checks of a gate."""
        return self._table(self._lists[0])

    def to_pandas(self) -> Any:
        """The main list as a pandas DataFrame."""
        return self.table.to_pandas()

    def to_arrow(self) -> Any:
        """The main list as an Arrow table; what is nested is JSON text."""
        return self.table.to_arrow()

    def _repr_html_(self) -> str:
        said = [self._title]
        said += [f"{name}: {held}" for name, held in self.items() if name != "schema" and isinstance(held, (str, int, float))]
        head = f"<p>{html.escape('; '.join(said))}</p>"
        return head + "".join(self._table(name)._repr_html_() for name in self._lists)

    def _table(self, name: str) -> Table:
        return Table(f"{name.replace('_', ' ')} of {self._title}", tuple(self.get(name) or ()), (self,))


class Reader:
    """Reads the service's API."""

    def __init__(self, url: Optional[str] = None, token: Optional[str] = None, *, timeout_s: float = 60.0) -> None:
        given = from_environment()
        url = url or given.get("url")
        if url is None:
            raise ValueError("a reader needs a url, as an argument or as WINDVANE_SDK_URL")
        self._transport = Transport(url, token or given.get("token"), timeout_s)

    def models(self) -> Table:
        """Every model, version and environment with what was recorded of it."""
        return self._table("models", "models", {}, "models")

    def monitors(self, model: str = "") -> Table:
        """The monitors, each with its last run and its next one."""
        return self._table("monitors", "monitors", {"model": model}, "monitors")

    def experiments(self, **filters: str) -> Table:
        """What the latest look at each experiment said; filters: `verdict`, `srm`."""
        return self._table("experiments", "experiments", filters, "experiments")

    def experiment(self, name: str) -> Document:
        """The latest look at one experiment; its table has a row a comparison."""
        return Document(name, self.get(f"experiments/{_quoted(name)}"), ("comparisons", "health"))

    def drift(self, model: str, **filters: str) -> Table:
        """Recorded comparisons of a model: a row a column and method. Filters: `monitor`, `column`, `verdict`, `segment`, `from_`, `to`."""
        documents = self._pages(f"models/{_quoted(model)}/drift", filters)
        rows = [row for document in documents for run in document["runs"] for row in _drift_rows(run)]
        return Table(f"drift of {model}", tuple(rows), tuple(documents))

    def performance(self, model: str, **filters: str) -> Table:
        """Recorded performance of a model: a row a chunk and metric."""
        return self._found(model, "performance", filters)

    def quality(self, model: str, **filters: str) -> Table:
        """Recorded checks of a model's data: a row a check."""
        return self._found(model, "quality", filters)

    def latency(self, model: str, **filters: str) -> Table:
        """Recorded latency of a model: a row a group and quantile, and a row a rule of an objective."""
        return self._found(model, "latency", filters)

    def fairness(self, model: str, **filters: str) -> Table:
        """Recorded comparisons of groups: a row a group and metric. Filters: `monitor`, `segment`, `metric`, `verdict`, `from_`, `to`."""
        return self._found(model, "fairness", filters)

    def attribution(self, model: str, **filters: str) -> Table:
        """Recorded rankings of features: a row a feature. Filters: `monitor`, `column`, `verdict`, `from_`, `to`."""
        return self._found(model, "attribution", filters)

    def gates(self) -> Table:
        """What each gate said last."""
        return self._table("gates", "gates", {}, "gates")

    def gate(self, name: str) -> Document:
        """The latest run of one gate; its table has a row a check."""
        return Document(name, self.get(f"gates/{_quoted(name)}"), ("checks",))

    def alerts(self, **filters: str) -> Table:
        """What is pending, firing or recovering; filters: `state`, `severity`, `model`, `rule`."""
        return self._table("alerts", "alerts", filters, "alerts")

    def views(self) -> Table:
        """The statements behind the pages: what each answers, and its parameters."""
        return self._table("views", "views", {}, "views")

    def view(self, name: str, **parameters: str) -> Table:
        """All rows behind a table or chart of the pages, such as `fleet`; `documents` have the statement of each page of them (`sql`)."""
        return self._table(name, f"views/{_quoted(name)}", parameters, "rows")

    def get(self, path: str, **parameters: str) -> Dict[str, Any]:
        """A document of `/api/v1/`, for what has no method here."""
        sent = {name.rstrip("_"): value for name, value in parameters.items() if value != ""}
        query = f"?{urllib.parse.urlencode(sent)}" if sent else ""
        try:
            answer = self._transport.request("GET", f"/api/v1/{path}{query}")
        except Unreachable as error:
            raise ReadError(f"the service does not answer: {error}") from error
        try:
            document = json.loads(answer.body)
        except ValueError:
            document = {}
        if answer.status != 200:
            said = document.get("detail") or document.get("title") or "no reason was given"
            raise ReadError(f"{path}: {answer.status}: {said}")
        return dict(document)

    def _pages(self, path: str, filters: Mapping[str, str]) -> List[Dict[str, Any]]:
        documents = [self.get(path, **filters)]
        while documents[-1].get("next_offset") is not None and len(documents) < PAGES_MAX:
            documents.append(self.get(path, **{**filters, "offset": str(documents[-1]["next_offset"])}))
        return documents

    def _table(self, title: str, path: str, filters: Mapping[str, str], key: str) -> Table:
        documents = self._pages(path, filters)
        return Table(title, tuple(row for document in documents for row in document[key]), tuple(documents))

    def _found(self, model: str, what: str, filters: Mapping[str, str]) -> Table:
        documents = self._pages(f"models/{_quoted(model)}/{what}", filters)
        runs = [run for document in documents for run in document.get("runs", document.get("windows", []))]
        rows = [{"model": model, **row} for run in runs for row in _flat_rows(run)]
        return Table(f"{what} of {model}", tuple(rows), tuple(documents))


def _drift_rows(run: Mapping[str, Any]) -> Iterator[Dict[str, Any]]:
    """A run has columns with methods, for the whole and for each segment."""
    head = {
        "monitor": run["monitor"],
        "version": run["version"],
        "window_start": run["window"]["start"],
        "window_end": run["window"]["end"],
    }
    parts: List[Tuple[Any, Sequence[Mapping[str, Any]]]] = [(None, run["columns"])]
    parts += [(part["segment"], part["columns"]) for part in run["segments"]]
    for segment, columns in parts:
        for column in columns:
            about = {name: value for name, value in column.items() if not isinstance(value, (list, dict))}
            for method in column["methods"]:
                yield {**head, "segment": segment, **about, **method}


def _flat_rows(document: Mapping[str, Any]) -> Iterator[Dict[str, Any]]:
    """Rows of a document whose lists nest: what is beside an inner list is said with each of its entries."""
    lists = {name: held for name, held in document.items() if _is_rows(held)}
    about = {name: held for name, held in document.items() if name not in lists}
    if not lists:
        if about:
            yield about
        return
    for rows in lists.values():
        for row in rows:
            for inner in _flat_rows(row):
                yield {**about, **inner}


def _is_rows(held: Any) -> bool:
    return isinstance(held, list) and len(held) > 0 and all(isinstance(row, dict) for row in held)


def _quoted(name: str) -> str:
    # On their way, `.` and `..` are taken out of a path, escaped or not.
    if name.lstrip("~") in (".", ".."):
        name = f"~{name}"
    return urllib.parse.quote(name, safe="")


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return html.escape(str(_cell(value)))
