"""Requests as strangers send them, over HTTP and gRPC."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from fuzzing.modelfiles import changed_bytes
from fuzzing.questions import Question
from fuzzing.trees import WORDS, Draw, mutated, paths, text_of, weird
from tidegate.serve.protocol import message
from tidegate.serve.tensors import to_raw

__all__ = ["Call", "Post", "changed_calls", "changed_posts", "plain_call", "plain_post"]

_NAMES = (
    "../../etc/passwd", "..", ".", "", "%2e%2e%2f", "..%2f..%2fetc", "/etc/passwd", "a\\b", "load%00", "é", "x" * 5_000,
    "forecaster-direct/../tagger-letters", "~", "con", "\x7f", "%ff", "?x=1", "#", "-1", "0", "1", "2", "99999999999",
)  # fmt: skip
_PAGES = (
    "infer",
    "forecast",
    "ready",
    "",
    "explain",
    "infer/",
    "infer/x",
    "versions",
    "versions/1/infer",
    "versions/x",
)
_METHODS = ("POST", "POST", "POST", "GET", "PUT", "HEAD", "DELETE", "OPTIONS", "TRACE", "post", "X" * 30, "PRI")
_LENGTHS = ("", "-1", "0", "1", "7", "x", "99999999999999999999", "1e3", "0x10", "+5", "5, 5", "16777217")
_METADATA = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "Other")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Post:
    """Bytes of an HTTP/1.1 request, and whether its form is whole, so that an answer of HTTP must come."""

    content: bytes
    whole: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """A call over gRPC: the method and the bytes of its message."""

    method: str
    content: bytes


def plain_post(question: Question) -> Post:
    """Give a request that is as it should be."""
    body = _text(question.body())
    head = f"POST /v2/models/{question.model}/infer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    return Post(content=f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, whole=True)


def plain_call(question: Question) -> Call:
    """Give a call that is as it should be."""
    return Call(method="ModelInfer", content=_message(question, typed=False).SerializeToString())


def changed_posts(asked: Sequence[Question], rows: Sequence[tuple[str, dict[str, Any]]]) -> st.SearchStrategy[Post]:
    """Give requests: the body, the path, the header lines or the bytes changed."""

    @st.composite
    def post(draw: Draw) -> Post:
        model, page, body, headers = _body(draw, asked, rows)
        method, version = "POST", ""
        if draw(st.integers(0, 4)) == 4:
            model = draw(st.one_of(st.sampled_from(_NAMES), st.text(max_size=8), st.just(model)))
            page = draw(st.sampled_from(_PAGES))
            version = draw(st.sampled_from(("", "versions/1/", "versions/2/", "versions/../", "versions/%2e/")))
        path = f"/v2/models/{model}/{version}{page}"
        if draw(st.integers(0, 9)) == 9:
            method = draw(st.sampled_from(_METHODS))
            path = draw(
                st.sampled_from((path, "/", "/v2", "/v2/models", "/metrics", "/v2/health/live", "*", "//", "x"))
            )
        lines, whole, sent = _headers(draw, headers, body)
        target = "".join(letter if letter > " " else "_" for letter in path).encode("utf-8", "surrogatepass")
        content = method.encode() + b" " + target + b" HTTP/1.1\r\n" + lines + b"\r\n" + sent
        if draw(st.integers(0, 9)) == 9:
            return Post(content=changed_bytes(draw, content), whole=False)
        return Post(content=content, whole=whole)

    made: st.SearchStrategy[Post] = post()
    return made


def _body(
    draw: Draw, asked: Sequence[Question], rows: Sequence[tuple[str, dict[str, Any]]]
) -> tuple[str, str, bytes, dict[str, str]]:
    form = draw(st.sampled_from(("json", "json", "json", "binary", "binary", "rows", "rows", "noise")))
    if form == "rows":
        model, given = draw(st.sampled_from(rows))
        places = [*_shuffled(paths(given))]
        return model, "forecast", _text(mutated(draw, given, places)), {}
    question = draw(st.sampled_from(asked))
    if form == "noise":
        return question.model, "infer", draw(st.one_of(st.binary(max_size=60), weird().map(_text))), {}
    if form == "json":
        body = question.body()
        return question.model, "infer", _text(mutated(draw, body, [*_shuffled(paths(body))])), {}
    body, raw = question.binary()
    if draw(st.booleans()):
        body = mutated(draw, body, list(paths(body)))
    if draw(st.booleans()):
        raw = changed_bytes(draw, raw)
    head = _text(body)
    length = str(len(head)) if draw(st.integers(0, 4)) < 4 else draw(st.sampled_from(_LENGTHS))
    return question.model, "infer", head + raw, {"Inference-Header-Content-Length": length}


def _shuffled(places: Any) -> Any:
    """Leave out most places of long lists: a change there is like a change of the first."""
    return (place for place in places if all(not isinstance(key, int) or key < 3 for key in place))


def _text(tree: Any) -> bytes:
    return text_of(tree).encode("utf-8", "surrogatepass")


def _headers(draw: Draw, headers: dict[str, str], body: bytes) -> tuple[bytes, bool, bytes]:
    """Give the header lines, whether they are as they should be, and the body as it is sent."""
    kind = draw(st.sampled_from(("plain",) * 12 + ("chunked", "chunked", "broken", "length", "more")))
    lines, whole = {"Host": "localhost", "Connection": "close", **headers}, True
    if kind == "chunked":
        lines["Transfer-Encoding"] = "chunked"
        size = draw(st.sampled_from((1, 7, 1000, 10**6))) if len(body) < 5_000 else 10**6
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    elif kind == "broken":
        lines["Transfer-Encoding"] = draw(st.sampled_from(("chunked", "gzip", "chunked, chunked", "x")))
        whole = False
    elif kind == "length":
        lines["Content-Length"] = draw(st.sampled_from(_LENGTHS))
        whole = False
    else:
        lines["Content-Length"] = str(len(body))
    if kind == "more":
        name = draw(st.sampled_from(("Content-Encoding", "Content-Type", "Expect", "Inference-Header-Content-Length",
                                     "Upgrade", "X-" + "y" * 300, "Transfer-Encoding", "Host")))  # fmt: skip
        lines[name] = draw(
            st.sampled_from(("gzip", "x" * 9_000, "100-continue", "websocket", "h2c", *_LENGTHS, *WORDS))
        )
        whole = False
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1", "replace"), whole, body


def changed_calls(asked: Sequence[Question]) -> st.SearchStrategy[Call]:
    """Give calls: fields of the messages changed, or their bytes."""

    @st.composite
    def call(draw: Draw) -> Call:
        question = draw(st.sampled_from(asked))
        method = draw(st.sampled_from(("ModelInfer",) * 12 + _METADATA))
        if method not in ("ModelInfer", "Other") and draw(st.booleans()):
            made = message(f"{method}Request")()
            for field in ("name", "version"):
                if hasattr(made, field):
                    setattr(made, field, draw(st.one_of(st.sampled_from(_NAMES[:12]), st.text(_LETTERS, max_size=8))))
            return Call(method=method, content=made.SerializeToString())
        typed = draw(st.booleans())
        made = _message(question, typed=typed)
        for _ in range(draw(st.sampled_from((1, 1, 2, 4)))):
            _change(draw, made)
        content: bytes = made.SerializeToString()
        if draw(st.integers(0, 4)) == 4:
            content = draw(st.one_of(st.binary(max_size=80), st.just(changed_bytes(draw, content))))
        return Call(method=method, content=content)

    made: st.SearchStrategy[Call] = call()
    return made


_LETTERS = st.characters(exclude_categories=["Cs"])
_CONTENTS = ("bool_contents", "int_contents", "int64_contents", "uint_contents", "uint64_contents", "fp32_contents",
             "fp64_contents", "bytes_contents")  # fmt: skip
_FIELDS = {"BOOL": "bool", "INT32": "int", "INT64": "int64", "FP32": "fp32", "FP64": "fp64", "BYTES": "bytes"}
_TYPES = ("BOOL", "UINT8", "UINT64", "INT8", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES", "BF16", "", "float")
_SIZES = (0, 1, 2, 3, 19, 20, 21, -1, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, -(2**63))


def _message(question: Question, *, typed: bool) -> Any:
    made = message("ModelInferRequest")(model_name=question.model, id="7")
    for item in question.body()["inputs"]:
        tensor = made.inputs.add(name=item["name"], datatype=item["datatype"], shape=item["shape"])
        array = question.inputs[item["name"]]
        if typed:
            getattr(tensor.contents, f"{_FIELDS[item['datatype']]}_contents").extend(array.ravel().tolist())
        else:
            made.raw_input_contents.append(to_raw(array))
    for name, value in question.parameters.items():
        kind = {bool: "bool_param", int: "int64_param", str: "string_param"}[type(value)]
        setattr(made.parameters[name], kind, value)
    return made


def _change(draw: Draw, made: Any) -> None:
    """Change one thing of a ``ModelInferRequest``."""
    what = draw(
        st.sampled_from(("model", "version", "tensor", "tensor", "tensor", "raw", "raw", "parameter", "output"))
    )
    if what == "model":
        made.model_name = draw(st.one_of(st.sampled_from(_NAMES), st.text(_LETTERS, max_size=6)))
    elif what == "version":
        made.model_version = draw(st.sampled_from(_NAMES))
    elif what == "tensor" and made.inputs:
        _change_tensor(draw, made, draw(st.integers(0, len(made.inputs) - 1)))
    elif what == "raw" and made.raw_input_contents:
        place = draw(st.integers(0, len(made.raw_input_contents) - 1))
        if draw(st.integers(0, 3)) == 3:
            del made.raw_input_contents[place]
        else:
            made.raw_input_contents[place] = changed_bytes(draw, made.raw_input_contents[place])
    elif what == "parameter":
        _change_parameter(draw, made.parameters)
    else:
        made.outputs.add(name=draw(st.sampled_from(("forecast", "quantiles", "tags", "label", *_NAMES))))


def _change_tensor(draw: Draw, made: Any, place: int) -> None:
    tensor = made.inputs[place]
    what = draw(st.sampled_from(("name", "type", "size", "rank", "drop", "double", "contents", "values", "inner")))
    if what == "name":
        tensor.name = draw(st.sampled_from(("values", "lengths", "time", "known", "tokens", "text", *_NAMES)))
    elif what == "type":
        tensor.datatype = draw(st.sampled_from(_TYPES))
    elif what == "size" and tensor.shape:
        tensor.shape[draw(st.integers(0, len(tensor.shape) - 1))] = draw(st.sampled_from(_SIZES))
    elif what == "rank":
        tensor.shape[:] = draw(st.lists(st.sampled_from(_SIZES), max_size=10))
    elif what == "drop":
        del made.inputs[place]
    elif what == "double":
        made.inputs.append(tensor)
    elif what == "inner":
        _change_parameter(draw, tensor.parameters)
    else:
        _change_contents(draw, tensor, draw(st.sampled_from(_CONTENTS)), fill=what == "values")


def _change_contents(draw: Draw, tensor: Any, name: str, *, fill: bool) -> None:
    if fill:
        filled = [field.name for field, _ in tensor.contents.ListFields()]
        name = filled[0] if filled else name
    numbers = {"fp64_contents": (float("nan"), float("inf"), -1e308, 1e16, 0.0), "fp32_contents": (float("inf"), 0.0)}
    plain: dict[str, tuple[Any, ...]] = {
        "bool_contents": (True,),
        "bytes_contents": (b"", b"\xff", b"x" * 70_000, b"\0"),
    }
    whole = (0, 1, 2**31 - 1) if name.startswith("u") else (0, -1, 2**31 - 1)
    value = draw(st.sampled_from({**numbers, **plain}.get(name, whole)))
    listed = getattr(tensor.contents, name)
    if fill and len(listed):
        listed[draw(st.integers(0, len(listed) - 1))] = value
    else:
        listed.extend([value] * draw(st.sampled_from((1, 20, 40, 5_000))))


def _change_parameter(draw: Draw, parameters: Any) -> None:
    name = draw(
        st.sampled_from(("sequence_id", "sequence_start", "sequence_end", "timeout", "quantiles", "timezone", "x"))
    )
    kind = draw(st.sampled_from(("bool_param", "int64_param", "double_param", "string_param", "uint64_param", "none")))
    values: dict[str, Any] = {
        "bool_param": st.booleans(),
        "int64_param": st.sampled_from((0, 1, -1, 5, 2**63 - 1, -(2**63))),
        "double_param": st.sampled_from((0.0, 1e300, float("nan"), float("inf"), -1.0)),
        "string_param": st.sampled_from(
            ("", "0.1", "0.1,0.1", "nan", "1e-320,0.5", "Europe/Paris", "Mars/Base", *_NAMES)
        ),
        "uint64_param": st.sampled_from((0, 2**64 - 1)),
    }
    if kind in values and hasattr(parameters[name], kind):
        setattr(parameters[name], kind, draw(values[kind]))
