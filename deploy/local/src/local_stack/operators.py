"""The operators of a local stack, all in the sandbox: two over ES2+, of which one stands in, and a reseller."""

import json
from collections.abc import Mapping

from local_stack.site import Site

ES2PLUS = {"primary": ("/operator", "8999702"), "secondary": ("/operators/secondary", "8999712")}
RESELLER = "reseller"
#: The plans that the reseller sells first.
RESOLD = "asia-data"
#: Each operator has its own: a key stands for one holder.
_NOTIFIES = "sandbox-notifies-{operator}"
_PUSHES = "sandbox-pushes-{operator}"


def of_provisioning(site: Site) -> Mapping[str, str]:
    """Provisioning's settings for its operators, and theirs for it."""
    sandbox = site.url("sandbox")
    operators = [
        {
            "name": name,
            "url": sandbox + path,
            "usage_url": f"{sandbox}{path}/usage",
            "iccid_prefix": prefix,
        }
        for name, (path, prefix) in ES2PLUS.items()
    ]
    reseller = {
        "name": RESELLER,
        "adapter": "airalo",
        "url": f"{sandbox}/airalo/v2",
        "credentials": {"client_id": "airalo-client", "client_secret": "airalo-secret"},
        "options": {
            "mode": "async",
            "webhook_url": f"{site.url('provisioning')}/operators/{RESELLER}/airalo/webhook",
        },
    }
    everybody = [{"operator": name} for name in ES2PLUS]
    return {
        "OPERATORS": json.dumps([*operators, reseller]),
        "ROUTES": json.dumps({"*": {"*": everybody, RESOLD: [{"operator": RESELLER}, *everybody]}}),
        "NOTIFICATION_SECRETS": json.dumps({name: _NOTIFIES.format(operator=name) for name in ES2PLUS}),
        "USAGE_PUSH_SECRETS": json.dumps({name: _PUSHES.format(operator=name) for name in ES2PLUS}),
    }


def of_sandbox(site: Site) -> Mapping[str, str]:
    """Where the sandbox's operators tell of downloads and of usage."""
    shop = f"{site.url('provisioning')}/operators/{{operator}}"
    return {
        "SANDBOX_OPERATORS": ",".join(name for name in ES2PLUS if name != "primary"),
        "SANDBOX_PROGRESS_URL": f"{shop}/key/{_NOTIFIES}/gsma/rsp2/es2plus/handleDownloadProgressInfo",
        "SANDBOX_USAGE_PUSH_URL": f"{shop}/usage",
        "SANDBOX_USAGE_PUSH_SECRET": _PUSHES,
    }
