"""Reading the input and the result of a call as columns by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence

if TYPE_CHECKING:
    from .estimators import Options

# More columns than this are no features but pixels or tokens; the collector takes 4,096.
FEATURES_MAX = 1_024


def columns_of(given: Any, options: "Options", names: Optional[Sequence[str]] = None) -> Mapping[str, Any]:
    """The features of a call's input: a table's columns, an array's columns, or what `features` makes of them."""
    if options.features is False:
        return {}
    if options.features is not None:
        return dict(options.features(given))
    if hasattr(given, "get_data") and hasattr(given, "feature_names"):  # xgboost.DMatrix
        names = given.feature_names
        given = given.get_data()
    if hasattr(given, "columns") and hasattr(given, "dtypes"):  # pandas, polars
        return {str(name): given[name] for name in given.columns} if len(given.columns) <= FEATURES_MAX else {}
    if hasattr(given, "toarray"):  # a sparse matrix
        given = given.toarray() if given.shape[1] <= FEATURES_MAX else []
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items() if _is_column(value)}
    return matrix(given, options.feature_names or names, "x")


def matrix(given: Any, names: Optional[Sequence[str]], prefix: str) -> Dict[str, Any]:
    """The columns of an array: `x0`, `x1` … where they have no names."""
    import numpy

    array = numpy.asarray(given)
    if array.ndim == 1:
        return {str(names[0]) if names is not None and len(names) == 1 else prefix: array}
    if array.ndim != 2 or not 1 <= array.shape[1] <= FEATURES_MAX:
        return {}
    width = array.shape[1]
    if names is None or len(names) != width:
        names = [prefix] if width == 1 else [f"{prefix}{i}" for i in range(width)]
    return {str(name): array[:, i] for i, name in enumerate(names)}


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes)) and getattr(value, "ndim", 1) == 1


def answers(result: Any, answer: Any, classes: Optional[Sequence[Any]] = None) -> Dict[str, Any]:
    """The answers of a call's result as columns: `score`, `label` with `probabilities`, or `value`."""
    if callable(answer):
        return dict(answer(result))
    outputs = list(result) if isinstance(result, (list, tuple)) and _is_outputs(result) else [result]
    return _named(outputs, answer) if isinstance(answer, str) else _by_shape(outputs, classes)


def _named(outputs: Sequence[Any], answer: str) -> Dict[str, Any]:
    """The first output of one number a row, or of one class where labels are asked for."""
    columns = [_flat(_second(output) if answer == "score" else output) for output in outputs]
    there = [column for column in columns if column is not None]
    fitting = [column for column in there if (column.dtype.kind == "f") is (answer != "label")]
    return {answer: column for column in (fitting or there)[:1]}


def _is_outputs(result: Sequence[Any]) -> bool:
    """Several arrays, and not one list of numbers."""
    return len(result) > 0 and all(hasattr(held, "ndim") or _is_maps(held) for held in result)


def _is_maps(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and isinstance(value[0], Mapping)


def _by_shape(outputs: Sequence[Any], classes: Optional[Sequence[Any]]) -> Dict[str, Any]:
    import numpy

    labels: Any = None
    numbers: Any = None
    for output in outputs:
        if _is_maps(output):  # the ZipMap of ONNX: a dictionary a row
            names = list(output[0])
            return _probabilities(numpy.array([[row[name] for name in names] for row in output]), names, labels)
        array = numpy.asarray(output)
        if array.dtype.kind == "f" and array.ndim == 2 and array.shape[1] > 1:
            return _probabilities(array, classes if classes is not None else range(array.shape[1]), labels)
        flat = _flat(array)
        if flat is None:
            continue
        if flat.dtype.kind == "f" and numbers is None:
            numbers = flat
        elif flat.dtype.kind != "f" and labels is None:
            labels = flat
    if labels is not None:
        return {"label": labels}
    return {} if numbers is None else {"value": numbers}


def _probabilities(array: Any, classes: Sequence[Any], labels: Any) -> Dict[str, Any]:
    """Of two classes the second one's score; of more, the likeliest and all probabilities."""
    names: List[str] = [str(name) for name in classes]
    if len(names) == 2:
        return {"score": array[:, 1]}
    if labels is None:
        likeliest = array.argmax(axis=1)
        labels = [names[i] for i in likeliest.tolist()]
    return {"label": labels, "probabilities": {name: array[:, i] for i, name in enumerate(names)}}


def _second(result: Any) -> Any:
    import numpy

    array = numpy.asarray(result)
    return array[:, 1] if array.ndim == 2 and array.shape[1] == 2 else array


def _flat(output: Any) -> Any:
    import numpy

    array = numpy.asarray(output)
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    return array if array.ndim == 1 else None
