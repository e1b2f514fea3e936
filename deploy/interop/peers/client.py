"""pySim's ES2+ client: reads `{"url", "calls": [[function, data], …]}`, writes one result for each call.

A result is `{"answer": …}`, `{"failed": [subject code, reason code]}` or `{"error": …}`. Timestamps are written as ISO
8601 text and given to pySim as it wants them.
"""  # noqa: INP001 - run by path, with pySim's own interpreter

import json
import sys
from datetime import datetime
from typing import Any

from pySim.esim.es2p import Es2pApiClient, param
from pySim.esim.http_json_api import ApiError, HttpHeaderError, HttpStatusError

# pySim checks the text that it has just made of this number as if it were still a number, and so can never send it.
param.NotificationPointId.verify_decoded = classmethod(lambda _cls, _data: None)


def call(client: Es2pApiClient, function: str, data: dict[str, Any]) -> dict[str, Any]:
    """One call, and what pySim makes of the answer."""
    if "timestamp" in data:
        data["timestamp"] = datetime.fromisoformat(data["timestamp"])
    try:
        return {"answer": getattr(client, f"call_{function}")(data)}
    except ApiError as error:
        return {"failed": [error.subject_code, error.reason_code]}
    except HttpStatusError as error:
        return {"error": f"HTTP {error.args[0].status_code}: {error.args[0].text[:300]}"}
    except (HttpHeaderError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    job = json.load(sys.stdin)
    peer = Es2pApiClient(job["url"], "2.999.10", job.get("server_ca"), job.get("client_cert"))
    json.dump([call(peer, function, data) for function, data in job["calls"]], sys.stdout)
