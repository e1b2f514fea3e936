"""What a service loads before it serves: each package costs every start, and every restart after a kill, its time."""

import subprocess
import sys

import pytest

#: What all of them load, beside the standard library. `attr`, `dotenv`, `psutil`, `pygments` and `rich` are loaded by
#: other libraries where they are installed.
COMMON = {
    *("aiokafka", "async_timeout", "cramjam", "fast_depends", "faststream"),
    *(
        "annotated_doc",
        "annotated_types",
        "dotenv",
        "pydantic",
        "pydantic_core",
        "pydantic_settings",
        "typing_inspection",
    ),
    *("anyio", "fastapi", "h11", "httpcore", "httptools", "httpx", "idna", "python_multipart", "sniffio", "starlette"),
    *("click", "email_validator", "nacl", "packaging", "shared", "typing_extensions", "uvicorn"),
    *("attr", "opentelemetry", "prometheus_client", "psutil", "pygments", "rich", "structlog"),
    *("greenlet", "psycopg", "psycopg_binary", "sqlalchemy"),
}
PAGES = {"jinja2", "markupsafe"}
SIGN_IN = {"argon2", "cryptography", "joserfc", *PAGES}
HOLIDAYS = {"dateutil", "holidays", "six"}
#: By the module that assembles it: what it loads beside these, and how many modules beside the standard library's. A
#: limit is some thirty above what was counted.
LIMITS = {
    "ordering.app": ({"phonenumbers", "standardwebhooks"}, 1270),
    "payments.app": (HOLIDAYS, 1220),
    "provisioning.app": (set[str](), 1200),
    "notifications.app": ({"PIL", "aiosmtplib", "cryptography", "markdown_it", "mdurl", "qrcode", *PAGES}, 1360),
    "refunds.app": ({"imap_tools", "phonenumbers", *HOLIDAYS, *SIGN_IN}, 1545),
    "operations.app": (SIGN_IN, 1290),
}
#: For documentation, tests or other commands, and large.
NOT_TO_SERVE = {
    "shared.contracts.examples",
    "shared.interfaces.asyncapi",
    "shared.interfaces.openapi",
    "shared.testing",
}
#: What `migrate` needs none of.
NOT_TO_MIGRATE = {"fastapi", "faststream", "uvicorn"}


def _output(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)  # noqa: S603 - ours


def _loaded(module: str) -> set[str]:
    """The modules that an interpreter has after this import, without the standard library's."""
    names = _output("-c", f"import sys, {module}; print(*sorted(sys.modules))").stdout.split()
    return {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}


@pytest.mark.parametrize("module", LIMITS)
def test_a_service_loads_what_it_needs(module: str) -> None:
    extra, limit = LIMITS[module]
    loaded = _loaded(module)
    # Compiled helpers of packages begin with an underscore; Cython's and the interpreter's own names are no package.
    packages = {name for name in loaded if "." not in name and not name.startswith("_") and name != "cython_runtime"}
    allowed = COMMON | extra | {module.partition(".")[0]}
    assert sorted(packages - allowed) == []
    assert sorted(loaded & NOT_TO_SERVE) == []
    assert len(loaded) <= limit


@pytest.mark.parametrize("module", LIMITS)
def test_migrate_loads_no_application(module: str) -> None:
    service = module.partition(".")[0]
    # Here the process ends before one could ask what it has loaded.
    lines = _output("-X", "importtime", "-m", service, "--help").stderr.splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert f"{service}.settings" in loaded
    assert sorted(loaded & (NOT_TO_MIGRATE | {module})) == []
