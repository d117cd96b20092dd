"""What the server says of itself at /openapi.json: also how it refuses, which the framework does not know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel


class Reason(BaseModel):
    message: str
    type: str


class Refusal(BaseModel):
    """Why a request was not done, in one sentence."""

    error: Reason


ANYWHERE = {
    403: "Asked by another name than its own, or by a page of another site",
    422: "What was asked cannot be done",
    429: "Too much waits already; try again after Retry-After",
    500: "The model failed over this request",
}
WITH_BODY = {408: "The body did not come in time", 411: "A body without a length", 413: "A body that is too long"}
UNAUTHORISED = {401: "The server's token is missing or wrong"}
_REFUSED = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}


def describe(app: FastAPI, is_guarded: bool = False) -> None:
    """Have the application describe itself so; `is_guarded` by a token."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _whole(
                get_openapi(title=app.title, version=app.version, routes=app.routes), is_guarded
            )
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # the way that the framework documents


def _whole(schema: dict[str, Any], is_guarded: bool) -> dict[str, Any]:
    parts = schema.setdefault("components", {}).setdefault("schemas", {})
    parts["Reason"] = Reason.model_json_schema()
    parts["Refusal"] = Refusal.model_json_schema(ref_template="#/components/schemas/{model}")
    parts["Refusal"].pop("$defs")
    for name in ("HTTPValidationError", "ValidationError"):  # never sent: one sentence is
        parts.pop(name, None)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            is_open = path == "/health"
            operation["responses"] |= _refusals(operation, is_guarded and not is_open)
            if is_guarded and not is_open:
                operation["security"] = [{"token": []}]
    if is_guarded:
        schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return schema


def _refusals(operation: dict[str, Any], is_guarded: bool) -> dict[str, Any]:
    """The refusals of an operation: its own, named by status in its route, and those of all."""
    own = {int(status): answer["description"] for status, answer in operation["responses"].items() if status >= "400"}
    body = WITH_BODY if "requestBody" in operation else {}
    every = {
        **ANYWHERE,
        **body,
        **(UNAUTHORISED if is_guarded else {}),
        **{s: d for s, d in own.items() if s not in ANYWHERE},
    }
    return {str(status): {"description": why, "content": _REFUSED} for status, why in every.items()}
