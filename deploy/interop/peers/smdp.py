"""pySim's ES2+ server class as an SM-DP+: `smdp.py PORT STATE [SERVER_PEM CLIENT_CA_PEM]`.

STATE is a JSON file, written after each call: what this SM-DP+ holds, and what it was asked, as pySim decoded it.
"""  # noqa: INP001 - run by path, with pySim's own interpreter

import json
import sys
from pathlib import Path
from typing import Any

from pySim.esim.es2p import Es2pApiServerHandlerSmdpp, Es2pApiServerSmdpp

ADDRESS = "smdp.pysim.example"
SUCCESS = "Executed-Success"
Answer = tuple[dict[str, Any], str | None]


def failed(subject: str, reason: str) -> Answer:
    """A refusal with its pair of codes; pySim's server has no way of its own to say them."""
    codes = {"subjectCode": subject, "reasonCode": reason, "message": "refused by the peer"}
    return {"header": {"functionExecutionStatus": {"status": "Failed", "statusCodeData": codes}}}, None


class Smdp(Es2pApiServerHandlerSmdpp):
    """As small as an SM-DP+ can be: reserved, released, cancelled."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.profiles: dict[str, dict[str, Any]] = {}
        self.calls: list[dict[str, Any]] = []

    def call_downloadOrder(self, data: dict[str, Any]) -> Answer:  # noqa: N802 - pySim's name
        """Reserve."""
        known = self.profiles.get(data["iccid"])
        if known is not None and known["state"] != "available":
            return self._note("downloadOrder", data, failed("8.2.1", "3.3"))
        self.profiles[data["iccid"]] = {"state": "reserved", "type": data["profileType"], "matchingId": None}
        return self._note("downloadOrder", data, ({"iccid": data["iccid"]}, SUCCESS))

    def call_confirmOrder(self, data: dict[str, Any]) -> Answer:  # noqa: N802 - pySim's name
        """Bind and release."""
        profile = self.profiles.get(data["iccid"])
        if profile is None:
            return self._note("confirmOrder", data, failed("8.2.1", "3.9"))
        if profile["matchingId"] == data["matchingId"]:
            return self._note("confirmOrder", data, failed("8.2.6", "3.3"))
        if profile["state"] != "reserved":
            return self._note("confirmOrder", data, failed("8.2.1", "3.3"))
        profile |= {"state": "released" if data["releaseFlag"] else "confirmed", "matchingId": data["matchingId"]}
        answer = {"matchingId": data["matchingId"], "smdpAddress": ADDRESS}
        return self._note("confirmOrder", data, (answer, SUCCESS))

    def call_cancelOrder(self, data: dict[str, Any]) -> Answer:  # noqa: N802 - pySim's name
        """Take back."""
        profile = self.profiles.get(data["iccid"])
        if profile is None:
            return self._note("cancelOrder", data, failed("8.2.1", "3.9"))
        if profile["matchingId"] != data.get("matchingId"):
            return self._note("cancelOrder", data, failed("8.2.6", "3.10"))
        state = "available" if data["finalProfileStatusIndicator"] == "Available" else "cancelled"
        profile |= {"state": state, "matchingId": None}
        return self._note("cancelOrder", data, ({}, SUCCESS))

    def call_releaseProfile(self, data: dict[str, Any]) -> Answer:  # noqa: N802 - pySim's name
        """Let it be downloaded."""
        profile = self.profiles.get(data["iccid"])
        if profile is None or profile["state"] != "confirmed":
            return self._note("releaseProfile", data, failed("8.2.1", "3.3"))
        profile["state"] = "released"
        return self._note("releaseProfile", data, ({}, SUCCESS))

    def _note(self, function: str, data: dict[str, Any], answer: Answer) -> Answer:
        self.calls.append({"function": function, "data": data})
        self._state.write_text(json.dumps({"profiles": self.profiles, "calls": self.calls}))
        return answer


if __name__ == "__main__":
    port, state, *certificates = sys.argv[1:]
    Es2pApiServerSmdpp(int(port), "127.0.0.1", Smdp(Path(state)), *certificates)
