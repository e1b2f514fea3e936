"""All pages as one router, and how people get in."""

from refunds.agent_pages.rendering import PAGES
from refunds.agent_pages.routes import case, queue
from refunds.cases import CaseService
from refunds.cases.store.cases import Audit
from refunds.refused_refunds import RefusedRefunds
from refunds.settings import Settings
from shared.database import Tx
from shared.kernel.service import Service
from shared.signin.sign_in import Journal
from shared.signin.wiring import serve_sign_in


def serve_pages(service: Service, settings: Settings, case_service: CaseService, refused: RefusedRefunds) -> None:
    """Add the agents' pages to a service."""
    access = settings.access({settings.oidc_supervisor_role: "supervisor", settings.oidc_agent_role: "agent"})
    sessions = serve_sign_in(service, PAGES, access, Journal(_signed_in))
    service.serves(
        queue.router(service.database, case_service, sessions),
        case.router(service.database, case_service, sessions, refused),
    )


async def _signed_in(tx: Tx, who: str, means: str) -> None:
    audit = Audit(tx, who)
    audit.add("signed_in", means=means)
    await audit.write()
