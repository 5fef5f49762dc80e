"""What of a document breaks the callers of an earlier one.

What callers may send must not become less, and what they are answered must not become more: a
parameter that is gone, a narrower range, a value that may now be null. What is added besides is for
those who want it, and so are further errors, as callers are told.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Part = Mapping[str, Any]

_LEAST: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_FORM: Final = ("style", "explode")


def find_breaks(before: Part, now: Part) -> list[str]:
    """Return each thing that no longer is as an earlier document has it, in words."""
    return [*_find_breaks(resolve(before, before), resolve(now, now))]


def is_new_version(before: Part, now: Part) -> bool:
    """Tell whether a document has the version that says that callers have to look at it."""
    first, second = (int(one["info"]["version"].partition(".")[0]) for one in (before, now))
    return second > first


def resolve(part: Any, document: Part) -> Any:
    """Return a part of a document with what it names in place of the names."""
    if isinstance(part, list):
        return [resolve(one, document) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        found: Any = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        return resolve(found, document)
    return {name: resolve(one, document) for name, one in part.items()}


def _find_breaks(before: Part, now: Part) -> Iterator[str]:
    for path, operations in before["paths"].items():
        for method, operation in operations.items():
            where, after = f"{method.upper()} {path}", now["paths"].get(path, {}).get(method)
            if after is None:
                yield f"{where} is gone"
                continue
            for look in (_look_at_asking, _look_at_body, _look_at_access, _look_at_answers):
                yield from (f"{where}: {what}" for what in look(operation, after))


def _look_at_asking(before: Part, now: Part) -> Iterator[str]:
    if before["operationId"] != now["operationId"]:
        yield f"is called {now['operationId']} in generated clients"
    if before.get("tags") != now.get("tags"):
        yield f"is under {', '.join(now.get('tags', ()))} in generated clients"
    old, new = ({(one["in"], one["name"]): one for one in it.get("parameters", ())}
                for it in (before, now))  # fmt: skip
    for key, one in new.items():
        if one.get("required") and not old.get(key, {}).get("required"):
            yield f"the parameter {one['name']} is required"
    for key, one in old.items():
        name = f"the parameter {one['name']}"
        if key not in new:
            yield f"{name} is gone"
            continue
        if any(one.get(how) != new[key].get(how) for how in _FORM):
            yield f"{name} is written otherwise"
        yield from find_narrower(one["schema"], new[key]["schema"], name)
        yield from _find_other_default(one["schema"], new[key]["schema"], name)


def _look_at_body(before: Part, now: Part) -> Iterator[str]:
    old, new = before.get("requestBody"), now.get("requestBody")
    if new and new.get("required") and not (old and old.get("required")):
        yield "a body is required"
    if old and not new:
        yield "no body is read"
    if old and new:
        for kind, content in old["content"].items():
            if kind not in new["content"]:
                yield f"no body of type {kind} is read"
            else:
                yield from find_narrower(
                    content["schema"], new["content"][kind]["schema"], "the body"
                )


def _look_at_access(before: Part, now: Part) -> Iterator[str]:
    enough = [{*one} for one in now.get("security") or [{}]]
    for one in before.get("security") or [{}]:
        if not any(needed <= {*one} for needed in enough):
            yield f"{' and '.join(one) or 'no token'} is no longer enough"


def _look_at_answers(before: Part, now: Part) -> Iterator[str]:
    for status in sorted({*before["responses"], *now["responses"]}):
        old, new = before["responses"].get(status), now["responses"].get(status)
        what, is_error = f"the answer {status}", status >= "400"
        if is_error and not (old and new):
            continue
        if old is None:
            yield f"{what} is new"
        elif new is None:
            yield f"{what} is gone"
        else:
            yield from _look_at_answer(old, new, what)


def _look_at_answer(old: Part, new: Part, what: str) -> Iterator[str]:
    for name, header in old.get("headers", {}).items():
        after = new.get("headers", {}).get(name, {})
        if header.get("required") and not after.get("required"):
            yield f"{what}: the header {name} may be missing"
        if "schema" in header and "schema" in after:
            yield from find_wider(header["schema"], after["schema"], f"{what}: the header {name}")
    for kind in sorted(new.get("content", {}).keys() - old.get("content", {}).keys()):
        yield f"{what} may be {kind}"
    for kind, content in old.get("content", {}).items():
        if kind not in new.get("content", {}):
            yield f"{what} is no {kind}"
        else:
            yield from find_wider(content["schema"], new["content"][kind]["schema"], what)


def find_narrower(before: Part, now: Part, what: str) -> Iterator[str]:
    """Yield what a schema no longer takes."""
    ways = now.get("oneOf", [now])
    for way in before.get("oneOf", [before]):
        # Of several ways to ask, one that still takes all; else what the nearest does not.
        found = min(([*_find_narrower(way, one, what)] for one in ways), key=len)
        is_there = "title" not in way or way["title"] in {one.get("title") for one in ways}
        yield from found if is_there or not found else [f"{what} is not taken {way['title']}"]


def _find_narrower(before: Part, now: Part, what: str) -> Iterator[str]:
    if lost := _lost(before, now, _types, _takes):
        yield f"{what} takes no {lost}"
    if lost := _lost(before, now, _values, lambda value, values: value in values):
        yield f"{what} takes no {lost}"
    for key in _LEAST:
        if now.get(key, -math.inf) > before.get(key, -math.inf):
            yield f"{what} has {key} {now[key]}"
    for key in _MOST:
        if now.get(key, math.inf) < before.get(key, math.inf):
            yield f"{what} has {key} {now[key]}"
    for key in ("pattern", "format", "uniqueItems"):
        if now.get(key) and now[key] != before.get(key):
            yield f"{what} has {key} {now[key]}"
    if "items" in before and "items" in now:
        yield from find_narrower(before["items"], now["items"], f"an item of {what}")
    yield from _find_fewer_members(before, now, what)


def _find_fewer_members(before: Part, now: Part, what: str) -> Iterator[str]:
    taken: Part = now.get("properties", {})
    for name in now.get("required", ()):
        if name not in before.get("required", ()):
            yield f"{what} needs {name}"
    is_closed = now.get("additionalProperties") is False
    if is_closed and before.get("additionalProperties") is not False:
        yield f"{what} takes no members of other names"
    for name, member in before.get("properties", {}).items():
        if name in taken:
            yield from find_narrower(member, taken[name], f"{name} of {what}")
            yield from _find_other_default(member, taken[name], f"{name} of {what}")
        elif is_closed:
            yield f"{what} takes no {name}"


def _find_other_default(before: Part, now: Part, what: str) -> Iterator[str]:
    if "default" in before and before["default"] != now.get("default"):
        yield f"{what} is no longer {before['default']} where it is left out"


def find_wider(before: Part, now: Part, what: str) -> Iterator[str]:
    """Yield what a schema lets through that it did not."""
    if more := _lost(now, before, _types, _takes):
        yield f"{what} may be {more}"
    yield from _find_other_values(before, now, what)
    for key in ("format", "pattern"):
        if key in before and before[key] != now.get(key):
            yield f"{what} is not of the {key} {before[key]}"
    members: Part = now.get("properties", {})
    for name, member in before.get("properties", {}).items():
        if name not in members:
            yield f"{what} has no {name}"
            continue
        if name in before.get("required", ()) and name not in now.get("required", ()):
            yield f"{name} of {what} may be missing"
        yield from find_wider(member, members[name], f"{name} of {what}")
    for key in ("items", "additionalProperties"):
        if isinstance(before.get(key), dict) and now.get(key) is not False:
            after = now.get(key)
            yield from find_wider(
                before[key], after if isinstance(after, dict) else {}, f"an item of {what}"
            )


def _find_other_values(before: Part, now: Part, what: str) -> Iterator[str]:
    more, less = (
        _lost(one, other, _values, lambda value, values: value in values)
        for one, other in ((now, before), (before, now))
    )
    if what.startswith("code of error of "):  # there may be more, but none under another name
        yield from [f"{what} may be {more} instead of {less}"] if more and less else []
    elif more:
        yield f"{what} may be {more}"


def _lost(
    before: Part,
    now: Part,
    read: Callable[[Part], list[Any] | None],
    takes: Callable[[Any, list[Any]], bool],
) -> str:
    """Return, in words, what one schema names and the other does not; no name stands for all."""
    old, new = read(before), read(now)
    if new is None:
        return ""
    if old is None:
        return f"other than {' or '.join(map(str, new))}"
    return " and ".join(str(one) for one in old if not takes(one, new))


def _types(schema: Part) -> list[Any] | None:
    types = schema.get("type")
    return [types] if isinstance(types, str) else types


def _values(schema: Part) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _takes(kind: str, kinds: list[str]) -> bool:
    return kind in kinds or (kind == "integer" and "number" in kinds)
