"""The capture contract as an OpenAPI 3.1 document, so that clients can be made from it. Pure."""

from typing import Any

from ingestion.capture.validate import TEXT_LIMIT
from ingestion.config import CaptureConfig

_TEXT = {"type": "string", "minLength": 1, "maxLength": TEXT_LIMIT}
_PROBLEMS = {
    "400": "The body is not valid JSON (UTF-8).",
    "401": "No project key was given, or it is not known.",
    "408": "The body did not come in time.",
    "413": "The body, or the number of events, is over the limit.",
    "415": "The body is not declared as JSON, or is compressed.",
    "422": "No event is valid; `errors` names each field.",
    "429": "Too many events wait for confirmation, or a token is over its limit (then `results` tells which events were taken); `Retry-After` tells when to come again.",
    "503": "Kafka did not confirm every valid event; `results` tells which ones. Send the others again with the same event_id.",
}


def openapi(config: CaptureConfig) -> dict[str, Any]:
    """The document, with this process's limits."""
    event = {
        "type": "object",
        "required": ["event", "distinct_id"],
        "properties": {
            "event": {**_TEXT, "description": "What happened."},
            "distinct_id": {**_TEXT, "description": "Whom it concerns; events of one distinct_id keep their order."},
            "properties": {"type": ["object", "null"], "description": "Anything else about the event."},
            "event_id": {
                "type": ["string", "null"],
                "format": "uuid",
                "description": "Makes sending again harmless; made by capture when absent (UUIDv7).",
            },
            "timestamp": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When it happened. Older than 24 h: a backfill, counted apart from the SLO.",
            },
            "token": {
                "type": ["string", "null"],
                "description": "The project key, unless a header names it; the two may not differ.",
            },
        },
        "additionalProperties": True,
    }
    result = {
        "type": "object",
        "required": ["event_id", "status"],
        "properties": {
            "event_id": {"type": ["string", "null"]},
            "status": {"enum": ["accepted", "invalid", "unconfirmed", "not_sent", "limited"]},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
            "reason": {"type": "string"},
        },
    }
    problem = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
            "results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}},
        },
    }
    field_error = {
        "type": "object",
        "required": ["path", "message"],
        "properties": {
            "path": {"type": "string", "examples": ["events[3].distinct_id"]},
            "message": {"type": "string"},
        },
    }
    refused = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    post = {
        "summary": f"Send one event, or an array of up to {config.max_batch:,} ({config.max_body_bytes:,} bytes; {config.max_event_bytes:,} an event).",
        "security": [{"bearer": []}, {"apiKey": []}, {}],
        "parameters": [{"name": "traceparent", "in": "header", "schema": {"type": "string"}}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            {"$ref": "#/components/schemas/Event"},
                            {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": config.max_batch,
                                "items": {"$ref": "#/components/schemas/Event"},
                            },
                        ]
                    }
                }
            },
        },
        "responses": {
            "202": {
                "description": "Kafka has confirmed every event whose status is `accepted`; the others are invalid, and say why.",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["results"],
                            "properties": {
                                "results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}}
                            },
                        }
                    }
                },
            },
            **{status: {"description": text, "content": refused} for status, text in _PROBLEMS.items()},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Fairlane capture", "version": "1"},
        "paths": {"/v1/events": {"post": post}},
        "components": {
            "schemas": {"Event": event, "Result": result, "Problem": problem, "FieldError": field_error},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }
