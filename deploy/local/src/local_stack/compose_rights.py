"""`python -m local_stack.compose_rights`: tells compose's broker its users and what each may do; runs in a container.

Needs nothing but confluent-kafka and this package's own files, so any service's image will do. Harmless to repeat.
"""

import json
import sys
from pathlib import Path

from local_stack.access import read_access
from local_stack.errors import LocalStackError
from local_stack.kafka_login import ADMIN, KafkaLogin
from local_stack.kafka_rights import grant

USERS = Path("/run/secrets/kafka_users")
BROKER = "kafka:9092"


def main() -> int:
    """Returns the exit code: 1 when the broker did not take them."""
    passwords = json.loads(USERS.read_text(encoding="utf-8"))
    access = read_access()
    try:
        grant(KafkaLogin(BROKER, ADMIN, passwords[ADMIN]), access, passwords)
    except LocalStackError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(access.names)} users have what deploy/access/access.json says, and nothing else")
    return 0


if __name__ == "__main__":
    sys.exit(main())
