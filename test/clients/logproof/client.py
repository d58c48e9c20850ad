"""A client of LogProof as its documentation has it, in Python with requests. It knows nothing of Logferry.

Environment: LOGPROOF_URL (ends with /v1), LOGPROOF_KEY, LOGPROOF_READER (a key that may only read), LOGPROOF_FREE (one of
a tenant without exports), LOGPROOF_BUSY (one to be used up), LOGPROOF_DIR (for files). Prints one JSON object.
"""
import json
import os
import re

import requests

URL = os.environ["LOGPROOF_URL"]
KEY = os.environ["LOGPROOF_KEY"]
seen = {"requests": 0, "without_rate_limit": 0}


class LogProofError(Exception):
    def __init__(self, response):
        error = response.json()["error"]
        super().__init__(error["message"])
        self.status, self.type, self.headers = response.status_code, error["type"], response.headers


def call(method, path, key=KEY, **options):
    response = requests.request(
        method, URL + path, headers={"Authorization": "Bearer " + key}, timeout=30, **options
    )
    seen["requests"] += 1
    if "X-RateLimit-Limit" not in response.headers or "X-RateLimit-Remaining" not in response.headers:
        seen["without_rate_limit"] += 1
    if response.status_code >= 400:
        raise LogProofError(response)
    return response


def list_all(**query):
    events, pages, cursor = [], 0, None
    while True:
        page = call("GET", "/events", params={**query, **({"cursor": cursor} if cursor else {})}).json()
        events += page["data"]
        pages += 1
        if not page["meta"]["has_more"]:
            return {"pages": pages, "numbers": [event["sequence_number"] for event in events]}
        cursor = page["meta"]["next_cursor"]


def export(**query):
    with call("GET", "/events/export", params=query, stream=True) as response:
        name = re.search(r'filename="([^"]+)"', response.headers["Content-Disposition"]).group(1)
        with open(os.path.join(os.environ["LOGPROOF_DIR"], name), "wb") as file:
            for chunk in response.iter_content(chunk_size=8192):
                file.write(chunk)
    return {"name": name, "type": response.headers["Content-Type"].split(";")[0]}


def refused(method, path, **options):
    try:
        call(method, path, **options)
    except LogProofError as error:
        retry_after = error.headers.get("Retry-After")
        return {
            "status": error.status,
            "type": error.type,
            "message": str(error),
            "remaining": int(error.headers["X-RateLimit-Remaining"]),
            "retry_after": None if retry_after is None else int(retry_after),
        }
    return None


def use_up():
    for _ in range(1000):
        error = refused("GET", "/events", key=os.environ["LOGPROOF_BUSY"])
        if error:
            return error
    return None


one = call("POST", "/events", json={
    "action": "user.login",
    "actor": {"id": "usr_0", "type": "user", "name": "Ana", "email": "ana@example.com", "meta": {"team": "blue"}},
    "context": {"ip": "203.0.113.42", "user_agent": "two\nlines"},
    "occurred_at": "2026-02-10T00:00:00Z",
})
actions = ["user.login", "user.deleted", "document.deleted", "document.updated"]
batch = call("POST", "/events/batch", json={"events": [{
    "action": actions[i % 4],
    "actor": {"id": f"usr_{i % 3}", "type": "user", "meta": {"name": "Jané, \"J\""}},
    "target": {"type": "document", "id": f"doc_{i % 5}", "meta": {"title": "Q4"}},
    "diff": {"before": {"status": "draft"}, "after": {"status": "published", "n": i}},
    "metadata": {"n": i},
    "occurred_at": f"2026-02-10T00:00:{i % 60:02d}Z",
} for i in range(100)]})

print(json.dumps({
    "one": {"status": one.status_code, "event": one.json()["data"]},
    "batch": {"status": batch.status_code, "numbers": [event["sequence_number"] for event in batch.json()["data"]]},
    "by_prefix": list_all(action="user.*", per_page=7),
    "by_suffix": list_all(action="*.deleted", per_page=100),
    "by_time": list_all(**{"from": "2026-02-10T00:00:10Z", "to": "2026-02-10T00:00:12Z"}),
    "json": export(format="json"),
    "csv": export(**{"format": "csv", "action": "*.deleted", "actor_id": "usr_1", "target_type": "document",
                     "from": "2026-02-10T00:00:00Z", "to": "2026-02-10T00:00:30Z"}),
    "verify": call("GET", "/verify").json()["data"],
    "errors": {
        "unknown_key": refused("GET", "/events", key="lp_sk_nobody"),
        "scope": refused("POST", "/events", key=os.environ["LOGPROOF_READER"], json={"action": "user.login"}),
        "plan": refused("GET", "/events/export", key=os.environ["LOGPROOF_FREE"]),
        "missing": refused("GET", "/events/evt_2Nz9Q8kL3Fy"),
        "invalid": refused("POST", "/events", json={"actor": {"id": "usr_1"}}),
        "too_many": use_up(),
    },
    **seen,
}))
